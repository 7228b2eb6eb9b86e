"""Training: a model as one contract, steps in compiled chunks, and what was seen on the way.

    fit.py          one call: model and data in, a trained model out
    problem.py      What is trained? One contract for all kinds of model
      _linen.py _nnx.py _equinox.py _functions.py   the adapters; they hold no loop
      _model.py     from a forward pass to the contract
      _given.py     Are these parameters of that model?
      precision.py  In which dtype does the model compute?
    losses.py       Which loss does a name stand for?
    rows.py         In which order do the rows come?
    stream.py       How do batches come from an iterable?
      place.py      What is an iterable, and where does its iterator stand?
    step.py         What is compiled? `Carry`, `Record`, the pure step
    placement.py    Where do data and carry lie, when there are several devices?
    program.py      What runs? The step of a problem and an optimizer, alone and in chunks
    convolutions.py  Is the compiled loop slow for this step?
    loop.py         How does a run go on? `Run`, `Event`, looks and hooks between chunks
      blame.py      Of which row is the loss no number, or of which parameter the gradient?
    saves.py        When is a run saved, and how does it go on?
      checkpoint.py What must be saved to go on bitwise?
      restore.py    What fits, by name?
      identity.py   Is it the same run?
      folder.py     Where do checkpoints lie, and what if the disk says no? (Orbax)
      seal.py       Are the files of a checkpoint as they were written?
      signals.py    Who asks a run to stop?
      _warn.py      Whose line does a warning name?
    finite.py       What is said when a number is not finite?
    looks.py        What do held-out data say, of θ and of its average?
    settle.py       Which model state belongs to averaged weights?
    average.py      How is an average asked for?
    history.py      What was seen?
    choice.py       Which optimizer, when nobody says?
    arguments.py    Which arguments do not fit together?
    data_checks.py  Are these rows that a model can be trained on?
    target_checks.py     Are the targets what the loss takes?
    optimizer_checks.py  Does the optimizer fit the parameters, at one rate, as long as the run?
      closures.py   What is inside of a transformation that says nothing of itself?
    doubts.py       What is allowed, and most often a mistake?
      overlap.py    Which held-out rows are trained on?
      mean_check.py Is the loss a mean, or a sum?
    result.py       What does a run leave?
    callbacks.py    When does a run end early?
    progress.py     How does a person follow a run?
    log.py          Where is it written down?
    report.py       What came of it, in words?
    plot.py         What does it look like?
    problems.py     On what can I try it? The only home of problems

What is built around the loop needs no change of it. A hook is a function of one `Event`, called
after every chunk (a quarter of a second) and once before the first:

    hook(moment)    moment.run      the `Run`: carry, steps, history, best, looks, stopped
                    moment.step     steps done
                    moment.records  {"loss": array, ...} of the steps since the last moment
                    moment.look     {"step": ..., "valid_loss": ..., ...}, or None

A checkpoint saves `run.carry`, `run.best`, `run.history` (`carry` is donated by the next chunk:
copy what you keep), and resumes by writing them back before `loop.run_loop(run, source, hooks=...)`;
what a hook raises (`SystemExit(143)`) leaves the run as it stands. Progress and logs read
`event.records` and `event.evaluation`. `poll` is called between the batches of an evaluation, and may
raise too.
"""

from .._core import exported as _exported
from . import callbacks as callbacks, problems as problems
from .compiled.program import Program as Program
from .compiled.step import Carry as Carry, Record as Record
from .loop.nonfinite import NonFiniteError as NonFiniteError
from .loop.run import Event as Event, History as History, Run as Run
from .problem import Problem as Problem
from .result import Result as Result


def __dir__() -> list[str]:
    return _exported(globals(), "callbacks", "problems")
