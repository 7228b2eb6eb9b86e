"""Accuracy of the symptoms, and of the remedies early in a run.

    python -m benchmarks.diagnosis FOLDER [--development] [--failures] [--trade-off]

FOLDER holds the curves of `benchmarks.diagnosis.collect_curves`. Problems whose names end in `_`
and the other spectra were not used to choose the thresholds; `--development` leaves both out.
`--trade-off` prints instead how many right and opposite answers it costs to be uncertain, by the
number of evaluations that must agree. Takes three minutes on one core.

The answers are written to `benchmarks/results`: `diagnosis_development.json` and, of problems that
did not choose the thresholds, `diagnosis.json`.
"""

import argparse
import collections
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from lecture_optax.recipe.diagnosis import verdict

from ..measured import Figure, save, show
from . import quadratics
from .baselines import RULES
from .collect_curves import Bank, read
from .labels import EVIDENCE, Question, Score, curves_of, ours, questions, score

COMMAND = "python -m benchmarks.diagnosis FOLDER"

PARTS = (0.1, 0.3)
"""Fractions of the steps after which the remedy is asked for."""

Answer = Callable[[Question], str]


def answers_of(banks: dict[str, Bank], part: float, majority: str) -> Iterator[tuple[str, Answer]]:
    """Yield ours on four kinds of evidence, simple rules, and the most frequent label."""
    for name, which in EVIDENCE.items():
        yield name, lambda q, w=which: ours(curves_of(banks[q.problem], q, part, w))
    for name, rule in RULES.items():
        yield name, lambda q, rule=rule: rule(curves_of(banks[q.problem], q, part, None)[1.0])
    yield f"always {majority}", lambda q: majority


def remedies(banks: dict[str, Bank], majority: str, failures: bool) -> dict[str, Figure]:
    """Print the answers of one set of problems, and return their numbers."""
    every = [q for name, bank in banks.items() for q in questions(name, bank)]
    asked = [q for q in every if q.label is not None]
    agreed = {q for q in asked if q.seeds_agree}
    print(
        f"{len(banks)} problems, {len(every):,} runs: {len(every) - len(asked):,} ties; of the "
        f"other {len(asked):,} all seeds agree on {len(agreed):,}"
    )
    figures: dict[str, dict[str, float]] = collections.defaultdict(dict)
    for part in PARTS:
        print(f"after {part:.0%} of the steps")
        for name, answer in answers_of(banks, part, majority):
            given = {q: answer(q) for q in asked}
            all_of_them = score(asked, given.__getitem__)
            narrow = score([q for q in asked if q in agreed], given.__getitem__)
            print(f"  {name:32} {all_of_them}; where seeds agree {narrow}")
            figures[name] |= _figure(all_of_them, part)
            figures[f"{name}, where seeds agree"] |= _figure(narrow, part)
            if failures and name in EVIDENCE:
                _failures(all_of_them.opposite, asked, given)
    return figures


def _figure(found: Score, part: float) -> Figure:
    after = f"after {100 * part:.0f} %"
    return {
        "runs": found.of,
        f"right {after}, share": found.right / found.of,
        f"opposite {after}": len(found.opposite),
        f"uncertain {after}": found.uncertain,
    }


def trade_off(banks: dict[str, Bank]) -> None:
    """Print the answers by the number of evaluations at which a sibling must be lower."""
    asked = [q for name, bank in banks.items() for q in questions(name, bank) if q.label]
    print(f"{len(banks)} problems")
    for part in PARTS:
        for count in (1, 2, 3, 4):
            with mock.patch.object(verdict, "LASTING", count):
                found = score(
                    asked, lambda q, part=part: ours(curves_of(banks[q.problem], q, part))
                )
            print(f"  after {part:.0%}, {count} evaluations agree: {found}")


def _failures(opposite: list[Question], asked: list[Question], given: dict[Question, str]) -> None:
    """Print all opposite answers, and the problems with the most wrong ones."""
    wrong = collections.Counter(q.problem for q in asked if given[q] != q.label)
    for name, count in wrong.most_common(8):
        print(f"      {name}: {count} of {sum(q.problem == name for q in asked)} wrong")
    for q in opposite:
        print(f"      opposite: {q}: {q.label}, said {given[q]}{'' if q.seeds_agree else ' *'}")


def most_frequent(banks: dict[str, Bank]) -> str:
    labels = [q.label for name, bank in banks.items() for q in questions(name, bank) if q.label]
    return collections.Counter(labels).most_common(1)[0][0]


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--failures", action="store_true")
    parser.add_argument("--development", action="store_true")
    parser.add_argument("--trade-off", action="store_true")
    given = parser.parse_args(words)
    banks = {path.stem: read(path) for path in sorted(given.folder.glob("*.npz"))}
    seen = {name: bank for name, bank in banks.items() if not name.endswith("_")}
    others = {name: bank for name, bank in banks.items() if name.endswith("_")}
    if given.trade_off:
        for problems in (seen,) if given.development else (seen, others):
            trade_off(problems)
        return
    majority = most_frequent(seen)
    print("Symptoms of quadratics, development spectra:")
    show(quadratics.figures(quadratics.DEVELOPMENT))
    print("Remedies, development problems: ", end="")
    found = remedies(seen, majority, given.failures)
    save("diagnosis_development", COMMAND, found, note=f"{len(seen)} problems")
    if not given.development:
        print("Symptoms of quadratics, other spectra:")
        show(quadratics.figures())
        print("Remedies, other problems: ", end="")
        found = remedies(others, majority, given.failures)
        if others:
            note = f"{len(others)} problems that are not in this repository"
            save("diagnosis", COMMAND, found, note=note)


if __name__ == "__main__":
    main(sys.argv[1:])
