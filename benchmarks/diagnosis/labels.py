"""What would ten times the rate, or a tenth, have come to? Labels for a remedy, and the answers."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from lecture_optax.recipe import diagnose
from lecture_optax.recipe.diagnosis.learning_curve import Track, evaluations_of, lower_of, track_of

from .collect_curves import EVALUATIONS, RATES, Bank, steps_at

DECADE = 2
"""Rates are half a decade apart."""

TIE = 0.02
"""Two ends within .02 of the largest fall of the problem are a tie."""

REMEDIES = ("decrease", "keep", "increase")

EVIDENCE = {
    "held-out rows, the lower of both": (0, 1),
    "held-out rows, averaged weights": (1,),
    "held-out rows, raw weights": (0,),
    "training losses alone": None,
}
"""Which looks are shown: of the raw weights, of their average."""


class Question(NamedTuple):
    """A run and its siblings a decade off, and what helps it; `label` is None for a tie.

    `seeds_agree`: whether each seed by itself gives that label.
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
    """Every run that has both siblings. What helps ends lowest, at a rate that falls to 0."""
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


def tracks_of(
    bank: Bank, question: Question, part: float, which: tuple[int, ...] | None
) -> dict[float, Track]:
    """The run at 1 and its siblings at 10 and .1, until that part of the steps."""
    steps = steps_at(part, bank.losses.shape[-1])
    seen = [evaluation for evaluation in EVALUATIONS if evaluation <= part]
    at = [0, *(steps_at(evaluation, bank.losses.shape[-1]) for evaluation in seen)]
    found = {}
    for ratio, offset in ((1.0, 0), (10.0, DECADE), (0.1, -DECADE)):
        one = (question.optimizer, question.rate + offset, question.seed)
        records = {"loss": bank.losses[one][:steps], "grad_norm": bank.gradients[one][:steps]}
        track = track_of(records)
        if which is not None:
            evaluations = bank.evaluations[one][: len(seen)]
            lower = lower_of(evaluations[:, which[0]], evaluations[:, which[-1]])
            track = track._replace(evaluations=evaluations_of(at, [bank.start, *lower]))
        found[ratio] = track
    return found


def ours(tracks: dict[float, Track]) -> str:
    """The remedy for the run at 1. To warm up is to keep the rate; another optimizer is none."""
    siblings = {ratio: track for ratio, track in tracks.items() if ratio != 1.0}
    remedy = diagnose(tracks[1.0], siblings, rate=1.0).remedy
    return {"warmup": "keep", "switch_optimizer": "none", "uncertain": "none"}.get(remedy, remedy)


class Score(NamedTuple):
    """How often an answer was right, the opposite, or none was given; and which were opposite."""

    right: int
    none: int
    of: int
    opposite: list[Question]

    def __str__(self) -> str:
        return (
            f"{self.right / self.of:6.1%} right, {len(self.opposite):3} opposite, {self.none:3} "
            f"none of {self.of:,}"
        )


def score(asked: list[Question], answer: Callable[[Question], str]) -> Score:
    answers = [(question, answer(question)) for question in asked]
    opposite = [q for q, said in answers if {said, q.label} == {"decrease", "increase"}]
    right = sum(said == q.label for q, said in answers)
    return Score(right, sum(said == "none" for _, said in answers), len(asked), opposite)
