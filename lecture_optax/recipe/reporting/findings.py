"""The findings of a search: at most six, each an identifier, its numbers and one sentence.

    selected         what was selected, and what it was worth beside the usual default
    learning_rate    which learning rates tie, are worse or diverge
    confidence       how certain the selection is
    more             what to expect of more steps or a larger budget
    a warning        the first of `WARNINGS` that applies
    memory           of a large model: what the search needs on each device

All losses come from `comparisons.py`, so a loss has one value in all sentences and in the table.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..._core.types import Finding
from ...training.checks.scale import TARGETS, advice
from ...training.curves.symptoms import GAP
from ...training.reporting.remarks import LAG, overfitting
from .. import constants
from . import comparisons as c
from .cross_validated import findings_of_folds
from .explanation import ArmRecord, Explanation

Warnings = tuple[Callable[[Explanation], Iterator[Finding]], ...]

USUAL = ("adam", 1e-3)
"""The usual default, which a selection is compared with."""

PAYS = 0.005
"""More steps pay if the last quarter of the steps brought .005 of the gain: at this pace, four
times as many bring 6 %."""


def findings_of(e: Explanation) -> list[Finding]:
    """Return the findings of a search, at most six."""
    return [*_of_arms(e), *e.memory]


def _of_arms(e: Explanation) -> list[Finding]:
    winner = e.winner
    if e.cross_validation:
        return [*findings_of_folds(e, e.cross_validation), *_warning(e, WARNINGS_BESIDE_FOLDS)]
    if winner is None:
        return [_nothing(e), *_warning(e)]
    return [
        _selected(e, winner),
        _learning_rate(e, winner),
        _confidence(e, winner),
        _more(e, winner),
        *_warning(e),
    ]


def describe_arm(arm: ArmRecord) -> str:
    """Return text like "adam at 0.01, decaying to 0 over steps 300 to 600"."""
    decay = f", decaying to 0 over steps {arm.decay[0]:,} to {arm.decay[1]:,}" if arm.decay else ""
    return f"{arm.optimizer} at {arm.rate:.3g}{decay}"


def _nothing(e: Explanation) -> Finding:
    failed = sum(arm.failed is not None for arm in e.arms)
    numbers = {"start": e.start, "rows": e.rows, "failed": failed, "arms": len(e.arms)}
    of = f"validation loss {e.start:.4g} on {_examples(e)}"
    if not e.ended:
        numbers |= {"gradients": e.gradients, "limit": e.limit}
        sentence = (
            f"The search was stopped by hand after {e.gradients:,} of {e.limit:,} gradients, "
            f"before any arm was better than the start ({of}): the model is returned with its "
            "initial parameters."
        )
        return Finding("stopped at the start", numbers, sentence)
    is_flat = all(x.averaged == 0 for arm in e.arms for x in arm.evaluations)
    why = f"{failed} of {len(e.arms)} arms were not finite" if failed else "all were worse"
    why = "all are flat" if is_flat and not failed else why
    sentence = (
        f"No arm was better than the start ({of}): {why}, so the model is returned unchanged; "
        "check for inputs out of scale, a loss that does not depend on the parameters, and log, "
        "sqrt or division at 0."
    )
    return Finding("nothing better", numbers, sentence)


def _selected(e: Explanation, winner: ArmRecord) -> Finding:
    own, other = ("averaged", "raw") if e.is_average else ("raw", "averaged")
    others = c.loss_of_other_weights(e, winner)
    beside = f" ({others:.4g} with the {other} weights)" if np.isfinite(others) else ""
    numbers: dict[str, Any] = {"rate": winner.rate, "decay": winner.decay, "step": e.step}
    numbers |= {"start": e.start, "loss": e.loss, "other_weights": others}
    sentence = (
        f"Selected: {describe_arm(winner)}, with the {own} weights of step {e.step:,}: the "
        f"validation loss decreased from {e.start:.4g} to {e.loss:.4g}{beside}"
    )
    usual = next((a for a in c.constant_arms(e, USUAL[0]) if np.isclose(a.rate, USUAL[1])), None)
    if usual is None:
        return Finding("selected", numbers, f"{sentence}.")
    named = f"{describe_arm(usual)}, the usual default,"
    pair = None if usual == winner else c.compare(e, winner, usual)
    numbers |= {"usual": usual.rate, "usual_steps": usual.steps, "usual_failed": usual.failed}
    numbers["usual_loss"] = c.loss_of(e, usual)
    if usual == winner:
        sentence += "; this is the usual default."
    elif c.diverged(usual) or pair is None:
        sentence += f"; {named} {_end_of(e, usual)}."
    else:
        there, its = (c.loss_of(e, arm, pair.step) for arm in (winner, usual))
        assert there and its  # both were evaluated there
        numbers |= {"common_step": pair.step, "loss_there": there.value, "usual_there": its.value}
        sentence += (
            f"; at step {pair.step:,}, the last that both reached, it was {there}, and {its} for "
            f"{named[:-1]}."
        )
    return Finding("selected", numbers, sentence)


def _end_of(e: Explanation, arm: ArmRecord) -> str:
    if arm.failed:
        return f"diverged at step {arm.failed[0]:,}"
    if c.diverged(arm):
        return f"was worse than the start at step {arm.steps:,}"
    return f"was pruned at step {arm.steps:,}, with a loss of {c.loss_of(e, arm)}"


def _learning_rate(e: Explanation, winner: ArmRecord) -> Finding:
    """Say which learning rates tie, which are worse, or better on the way, and which diverge."""
    pairs = c.comparisons_of(e, winner, winner.optimizer)
    numbers: dict[str, Any] = {"rate": winner.rate}
    parts = [
        *_aim(e, winner, numbers),
        *_ties([pair for pair in pairs if pair.is_tie]),
        *_lower(e, pairs),
    ]
    parts += _higher(winner, [pair for pair in pairs if pair.is_higher])
    parts += _divergence(e, winner, numbers)
    parts += _schedule(e, winner, numbers)
    for optimizer in e.optimizers:
        if optimizer != winner.optimizer and (pair := c.best_of_other(e, winner, optimizer)):
            pairs.append(pair)
            parts.append(f"{optimizer} at its best, {pair.arm.rate:.3g}, {_differs(e, pair)}")
    numbers["compared"] = pairs
    why = "; ".join(parts) or "no other one was tried"
    return Finding("learning rate", numbers, f"Why {winner.rate:.3g}: {why}.")


def _aim(e: Explanation, winner: ArmRecord, numbers: dict[str, Any]) -> Iterator[str]:
    """Yield the learning rate that the last level pointed to."""
    aims = [aim for aim in e.aims if aim.optimizer == winner.optimizer]
    if aims:
        numbers["aim"] = aim = aims[-1]
        yield f"at step {aim.step:,} the losses pointed to {aim.rate:.3g} for the end"


def _ties(ties: list[c.ArmComparison]) -> Iterator[str]:
    if len(ties) == 1:
        yield f"{ties[0].arm.rate:.3g} ties with it (a difference of {_at(ties[0])})"
    elif ties:
        *rates, last = [f"{pair.arm.rate:.3g}" for pair in ties]
        largest = max(ties, key=lambda pair: abs(pair.difference))
        yield f"{', '.join(rates)} and {last} tie with it (differences up to {_at(largest)})"


def _lower(e: Explanation, pairs: list[c.ArmComparison]) -> Iterator[str]:
    """Yield the arms that were better on the way, or on the examples that were evaluated."""
    for pair in pairs:
        if not (pair.is_tie or pair.is_higher):
            yield f"{pair.arm.rate:.3g} {_differs(e, pair)}"


def _higher(winner: ArmRecord, pairs: list[c.ArmComparison]) -> Iterator[str]:
    """Yield the nearest larger and the nearest smaller learning rate that are worse."""
    larger = [pair for pair in pairs if pair.arm.rate > winner.rate]
    smaller = [pair for pair in pairs if pair.arm.rate < winner.rate]
    for pair in (*smaller[-1:], *larger[:1]):
        yield f"{pair.arm.rate:.3g} is worse by {_at(pair)}"


def _differs(e: Explanation, pair: c.ArmComparison) -> str:
    """Say how an arm differs from the winner at the last step that both reached."""
    if pair.is_tie:
        return f"ties with it (a difference of {_at(pair)})"
    if pair.is_higher:
        return f"is worse by {_at(pair)}"
    if pair.arm.steps < e.steps:
        return f"was better by {_at(pair)}, where it was stopped"
    if e.subset_rows < e.rows:
        return f"is better by {_at(pair)} on {e.subset_rows:,} of the examples, and not on all"
    return f"is better by {_at(pair)} with raw weights, which is within their error"


def _at(pair: c.ArmComparison) -> str:
    return f"{pair.size} at step {pair.step:,}"


def _divergence(e: Explanation, winner: ArmRecord, numbers: dict[str, Any]) -> Iterator[str]:
    """Yield where larger learning rates diverge."""
    arms = [arm for arm in c.constant_arms(e, winner.optimizer) if arm.rate > winner.rate]
    bad = [arm for arm in arms if c.diverged(arm)]
    if bad:
        numbers["diverged"] = [arm.rate for arm in bad]
        first = bad[0]
        every = " and above" if len(bad) > 1 and bad == arms[-len(bad) :] else ""
        yield f"{first.rate:.3g}{every} {'diverge' if every else 'diverges'}"


def _schedule(e: Explanation, winner: ArmRecord, numbers: dict[str, Any]) -> Iterator[str]:
    """Yield what the other schedule of the same learning rate reached."""
    pair = c.other_schedule(e, winner)
    if pair is None:
        return
    numbers["other_schedule"] = pair
    name = "a constant learning rate"
    if pair.arm.decay:
        name = "another decay" if winner.decay else "a decay"
    yield f"{name} {_differs(e, pair)}"


def _confidence(e: Explanation, winner: ArmRecord) -> Finding:
    """Say how certain the loss and the selection are, and what would make them more so."""
    gain, of = e.start - e.loss, _examples(e)
    numbers: dict[str, Any] = {"rows": e.rows, "loss": e.loss, "loss_error": e.loss_error}
    numbers |= {"gain": gain, "error": e.error}
    if np.isnan(e.error):
        why = "there is only one example" if e.rows < 2 else "the loss is not a mean over examples"
        sentence = (
            f"How sure: the loss is {e.loss:.4g} on {of}, and its error is not known, as {why}; "
            "another seed would show it."
        )
        return Finding("error unknown", numbers, sentence)
    head = f"How sure: the loss is {e.loss:.4g} ± {e.loss_error:.1g} on {of}, "
    if gain < c.ERRORS * e.error:
        end = (
            f"and the gain, {gain:.2g} ± {e.error:.1g}, may be chance: more of them would show it."
        )
        return Finding("gain uncertain", numbers, head + end)
    others = [c.best_of_other(e, winner, x) for x in e.optimizers if x != winner.optimizer]
    pairs = c.comparisons_of(e, winner, winner.optimizer)
    pairs += filter(None, [c.other_schedule(e, winner), *others])
    ties = [pair for pair in pairs if pair.is_tie]
    late = [pair for pair in pairs if pair.step >= constants.MARK * e.steps]
    ahead = [pair for pair in late if not (pair.is_tie or pair.is_higher)]
    if ahead:
        arm = max(ahead, key=lambda pair: pair.step).arm
        numbers |= {"ahead": arm.rate, "steps": arm.steps}
        end = f"but {arm.optimizer} at {arm.rate:.3g} may be as good: "
        if arm.steps < e.steps:
            end += "a larger budget would run it longer."
        else:
            end += "more validation examples would decide it."
        return Finding("another was ahead", numbers, head + end)
    if ties:
        numbers["ties"] = [pair.arm.rate for pair in ties]
        end = "but the choice among ties is not certain, and costs little; more validation "
        return Finding("tie", numbers, f"{head}{end}examples would decide it.")
    end = "and no arm ties; another seed would show how much is chance."
    return Finding("clear", numbers, head + end)


def _examples(e: Explanation) -> str:
    origin = " held out from the training data" if e.held_out_from_train else ""
    return f"{e.rows:,} validation examples{origin}"


def _more(e: Explanation, winner: ArmRecord) -> Finding:
    """Say what to expect of more steps, or of a larger budget."""
    numbers: dict[str, Any] = {"steps": e.steps, "gradients": e.gradients, "limit": e.limit}
    untried = [x for x in e.optimizers if not any(arm.optimizer == x for arm in e.arms)]
    larger = f"; a larger budget also tries {' and '.join(untried)}" if untried and e.ended else ""
    if not e.ended:
        name = "stopped by hand"
        sentence = (
            f"the search was stopped by hand after {e.gradients:,} of {e.limit:,} gradients, and "
            "the rest of them may find a better arm"
        )
    elif rise := c.rise(e, winner):
        name, numbers = "rises again", numbers | {"rise": rise}
        sentence = (
            f"more steps will not help, as the loss of the averaged weights was lowest at step "
            f"{rise.lowest_at:,} and {rise.by:.2g} higher at step {rise.until:,}; more data or "
            "regularization may"
        )
    elif late := c.late_decrease(e, winner):
        pays = late.part > PAYS
        help_ = "may help" if pays else "will help little"
        name, numbers = "late decrease" if pays else "settled", numbers | {"late": late}
        sentence = (
            f"steps {late.since:,} to {late.until:,} decreased the loss by {late.by:.2g}, "
            f"{100 * late.part:.2g} % of the gain, so more steps {help_}"
        )
    elif winner.steps < e.steps and e.limit - e.gradients < 0.1 * e.steps:
        name, numbers["winner_steps"] = "budget ended", winner.steps
        sentence = (
            f"the budget ended when this arm was at step {winner.steps:,} of {e.steps:,}, and a "
            "larger one lets an arm run to the end"
        )
    else:
        name, numbers["winner_steps"] = "unknown", winner.steps
        sentence = f"this arm ran to step {winner.steps:,} of {e.steps:,}, too few to tell"
    return Finding(name, numbers, f"What more would bring: {sentence}{larger}.")


def _warning(e: Explanation, warnings: Warnings | None = None) -> list[Finding]:
    """Return the first warning that applies."""
    found = (finding for warn in warnings or WARNINGS for finding in warn(e))
    first = next(found, None)
    if first is None:
        return []
    return [first._replace(sentence=f"Warning: {first.sentence[0].lower()}{first.sentence[1:]}")]


def _scale(e: Explanation) -> Iterator[Finding]:
    if len(e.out_of_scale) == 2:  # of x and of y: one sentence
        x, y = (finding.numbers["root_mean_square"] for finding in e.out_of_scale)
        sentence = (
            f"Columns of x have root mean squares up to {x:.2g}, and y {y:.2g}, {advice(True)}"
        )
        yield Finding(TARGETS, {"x": x, "y": y}, sentence)
    yield from e.out_of_scale


def _lag(e: Explanation) -> Iterator[Finding]:
    """Yield whether raw weights, with running statistics, are far worse than averaged ones."""
    raw = c.loss_of_other_weights(e, e.winner) if e.winner and e.is_average else np.nan
    if e.has_statistics and raw > GAP * e.loss > 0:
        sentence = (
            f"The raw weights have a loss of {raw:.3g}, the averaged ones {e.loss:.3g}, as the "
            "running statistics of BatchNorm lag behind: keep average=True, which computes them "
            "again."
        )
        yield Finding(LAG, {"loss": e.loss, "raw_loss": raw}, sentence)


def _gap(e: Explanation) -> Iterator[Finding]:
    """Yield a training loss far below the validation loss, unless that one still decreases."""
    late = c.late_decrease(e, e.winner) if e.winner else None
    found = overfitting(e.train_loss, e.loss) if e.winner else None
    if found and not (late and late.part > PAYS):
        yield found


def _edge(e: Explanation) -> Iterator[Finding]:
    arms = c.constant_arms(e, e.winner.optimizer) if e.winner else []
    for end, name in ((arms[:1], "smallest"), (arms[-1:], "largest")):
        if e.winner and len(arms) > 1 and end[0].rate == e.winner.rate:
            sentence = (
                f"{e.winner.rate:.3g} is the {name} learning rate that was tried, so the "
                f"best one may be {name[:-2]}r; a larger budget tries more."
            )
            yield Finding("edge of range", {"rate": e.winner.rate, "side": name}, sentence)


def _few(e: Explanation) -> Iterator[Finding]:
    if e.winner and e.rows < constants.FEW_ROWS:
        sentence = (
            f"{e.rows} validation examples are few, and they also selected the weights, "
            "so expect a higher loss on new examples."
        )
        yield Finding("few examples", {"rows": e.rows}, sentence)


WARNINGS: Warnings = (
    _scale,
    _lag,
    _gap,
    _edge,
    _few,
)
"""In the order of what they cost."""

WARNINGS_BESIDE_FOLDS: Warnings = (_scale, _edge)
"""Those that name no loss on the validation set: beside folds a loss has one value."""
