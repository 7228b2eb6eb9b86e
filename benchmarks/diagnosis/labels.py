"""Labels of the best remedy from completed runs, and scores of the answers."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from lecture_optax.recipe import diagnose
from lecture_optax.training.curves.learning_curve import (
    LearningCurve,
    finite_evaluations,
    learning_curve_of,
    min_loss,
)

from .collect_curves import EVALUATIONS, RATES, Bank, steps_at

DECADE = 2
"""A decade in steps of `RATES`, which are half a decade apart."""

TIE = 0.02
"""Two final losses within .02 of the largest decrease of the problem are a tie."""

REMEDIES = ("decrease", "keep", "increase")

EVIDENCE = {
    "validation loss, the lower of raw and averaged weights": (0, 1),
    "validation loss, averaged weights": (1,),
    "validation loss, raw weights": (0,),
    "training losses alone": None,
}
"""The evaluations shown to `diagnose`: of the raw weights, of their average."""


class Question(NamedTuple):
    """A run with siblings a decade away, and the best remedy, `label`, which is None for a tie.

    `seeds_agree`: whether each seed alone gives that label.
    """

    problem: str
    optimizer: int
    rate: int
    seed: int
    label: str | None
    seeds_agree: bool

    def __str__(self) -> str:
        optimizer = ("adam", "nesterov")[self.optimizer]
        return (
            f"{self.problem}, {optimizer} at {10 ** (RATES[self.rate] / 4):.3g}, seed {self.seed}"
        )


def questions(name: str, bank: Bank) -> Iterator[Question]:
    """Yield every run with both siblings. The best remedy ends lowest with a decay to 0."""
    low = np.min(bank.falling, where=np.isfinite(bank.falling), initial=bank.start)
    for optimizer in range(len(bank.falling)):
        for rate in range(DECADE, len(RATES) - DECADE):
            ends = bank.falling[optimizer, rate - DECADE : rate + DECADE + 1 : DECADE]
            median = np.median(ends, -1)
            first, second = np.sort(median)[:2]
            best = REMEDIES[int(np.argmin(median))]
            clear = np.isfinite(first) and second - first > TIE * (bank.start - low)
            agree = {REMEDIES[i] for i in np.argmin(ends, 0)} == {best}
            for seed in range(ends.shape[1]):
                yield Question(name, optimizer, rate, seed, best if clear else None, agree)


def curves_of(
    bank: Bank, question: Question, part: float, which: tuple[int, ...] | None = (0, 1)
) -> dict[float, LearningCurve]:
    """Return the run at 1 and its siblings at 10 and .1, up to a fraction of the steps."""
    steps = steps_at(part, bank.steps)
    seen = [evaluation for evaluation in EVALUATIONS if evaluation <= part]
    at = [0, *(steps_at(evaluation, bank.steps) for evaluation in seen)]
    found = {}
    for ratio, offset in ((1.0, 0), (10.0, DECADE), (0.1, -DECADE)):
        one = (question.optimizer, question.rate + offset, question.seed)
        records = {"loss": bank.losses[one][:steps], "grad_norm": bank.gradients[one][:steps]}
        curve = learning_curve_of(records)
        if which is not None:
            evaluations = bank.evaluations[one][: len(seen)]
            lower = min_loss(evaluations[:, which[0]], evaluations[:, which[-1]])
            curve = curve._replace(evaluations=finite_evaluations(at, [bank.start, *lower]))
        found[ratio] = curve
    return found


def ours(curves: dict[float, LearningCurve]) -> str:
    """Return the remedy of the run at 1: a warmup counts as "keep"."""
    siblings = {ratio: curve for ratio, curve in curves.items() if ratio != 1.0}
    remedy = diagnose(curves[1.0], siblings, rate=1.0).remedy
    return "keep" if remedy == "warmup" else remedy


class Score(NamedTuple):
    """The numbers of right and uncertain answers, and the opposite ones."""

    right: int
    uncertain: int
    of: int
    opposite: list[Question]

    def __str__(self) -> str:
        return (
            f"{self.right / self.of:6.1%} right, {len(self.opposite):3} opposite, "
            f"{self.uncertain:3} uncertain of {self.of:,}"
        )


def score(asked: list[Question], answer: Callable[[Question], str]) -> Score:
    answers = [(question, answer(question)) for question in asked]
    opposite = [q for q, said in answers if {said, q.label} == {"decrease", "increase"}]
    right = sum(said == q.label for q, said in answers)
    return Score(right, sum(said == "uncertain" for _, said in answers), len(asked), opposite)
