"""The recipe: find the optimizer and the learning rate, explain the pick, hand over the model.

run.py          one call
search.py       Which arm goes on, which wins? The policy; its steps:
  walk.py         1  Where is the valley?
  plateau.py         Is a change of the loss news?
  rungs.py        2  Which arms go on?
  leader.py       3  How far does the best one run?
  spend.py        4  What do the gradients buy that are left? `spending.py`, and in this order
    ways.py            neighbours, a fall of the rate, the other family
    again.py           What is worth a second time?
  choose.py       5  Which weights are handed over, and how sure is that?
race.py         How far is an arm to run, and what is it worth there?
course.py       How does a search run its course? Resumed, shown, saved, and stopped when asked to
  journal.py      What was it told?
  saves.py        When is it saved, and how does it go on?
  snapshot.py     What must be saved?
  store.py        Where does that lie on the disk?
  progress.py     What is a person told meanwhile?
population.py   Which arms run, and how do they run as one compiled program?
waiting.py      Where does an arm wait while another runs?
optimizer.py    What does an arm run?
held_out.py     What may looks cost, and what do they say?
curves.py       What does an arm record?
split.py        Where do held-out rows come from, when none are given?
constants.py    every number, with its reason
explanation.py  Why, as data?
  siblings.py     Which arms answer for the rate of an arm, and what do they say?
  findings.py     What follows from the records?
  words.py        Why, in sentences?
  symptom_words.py  What did an arm show, and what would help it?
  gauge.py        How near to the edge was the chosen rate?
  report.py       What is shown: text, a page?
  draw.py         What did the search see?
code.py         Which Python trains the same model without a search?
result.py       What does a search leave?
diagnose.py     What is wrong with a run, and what helps?
  symptoms.py     What is wrong with one curve?
  verdict.py      What do its siblings say: x10, keep, or a tenth?
  beside.py       How much lower is a sibling?
  tracks.py       What is a curve, wherever it comes from?
  logged.py       What does a log say of its runs?
  noise.py        How sure is a number that a noisy curve gives?
sweep.py        What would every rate, family, schedule and seed have given? For studies
  grid.py         Which runs does it make?
  runs.py         How are they made?
  lanes.py        How many of them go side by side?
  finished.py     Which are done?
  table.py        What came of it?
pictures.py     What does it look like?
fitted.py       What does `lo.fit` return, when the recipe chose?
fork.py         Would another rate help a run of one's own? Three ways on, on the same batches
  own_run.py      Where does it stand?
  ways_on.py      How does it go on at a multiple of its rate?
"""

from .._core import exports
from .diagnosis.diagnose import Diagnosis as Diagnosis, diagnose as diagnose
from .diagnosis.fork import Fork as Fork, fork as fork
from .grid_search.results import Row as Row, SweepResult as SweepResult
from .grid_search.sweep import sweep as sweep
from .population.arms import OPTIMIZERS as OPTIMIZERS, Arm as Arm, arm_optimizer as arm_optimizer
from .population.held_out import holdout_split as holdout_split
from .reporting.explanation import ArmRecord as ArmRecord, Explanation as Explanation
from .result import Result as Result
from .run import run as run


def __dir__() -> list[str]:
    return exports.exported(globals())
