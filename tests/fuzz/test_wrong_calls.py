"""Every wrong call of a public name is refused in words that name an argument of the call.

Calls are made from the signatures: a small valid call, in which one argument, or two, are replaced
by what they cannot be. A wrong call may be accepted where its result is finite; it may not raise an
error of another library or of Python, return NaN, or hang.
"""

import inspect
import itertools
import random
import warnings
from collections.abc import Iterator
from typing import Any

import jax
import pytest

from .judge import judge
from .subjects import Subject, public_callables, subjects, use
from .wrong_values import WRONG

QUICK, EXPENSIVE = 2000, 60
"""How many calls the default suite makes, and how many of them may train."""


@pytest.fixture
def as_a_user(tmp_path, monkeypatch, untyped, standard_promotion):
    """Without our own type checks, in an empty folder: a string may be taken for a path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CI", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_every_public_name_has_a_valid_call(as_a_user):
    assert len(list(public_callables())) > 80
    refused = []
    for subject in subjects():
        if subject.trains or "(" in subject.name:  # a step of a transformation: the laws take it
            continue
        verdict = _judged(subject, *subject.call())
        if verdict.kind != "accepted":
            refused.append(f"{subject.name}: {verdict.kind}, {verdict.reason}")
    assert not refused, "\n".join(refused)


def test_a_wrong_call_is_refused_by_name(as_a_user):
    _assert_refused(random.Random(0), QUICK, EXPENSIVE)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_more_wrong_calls_are_refused_by_name(seed, as_a_user):
    _assert_refused(random.Random(seed), 2500, 250)


def _assert_refused(rng: random.Random, count: int, expensive: int) -> None:
    faults = []
    for subject, replaced in _calls(rng, count, expensive):
        verdict = _judged(subject, *_call(subject, replaced))
        if verdict.is_fault:
            shown = ", ".join(f"{name}={code}" for name, code in replaced.items())
            faults.append(f"{subject.name}({shown}) {verdict.kind}: {verdict.reason[:300]}")
    assert not faults, f"{len(faults)} of {count} calls:\n" + "\n".join(faults)


def _judged(subject: Subject, args: Any, kwargs: Any) -> Any:
    return judge(subject.function, args, kwargs, names=subject.names, use=use)


def _calls(
    rng: random.Random, count: int, expensive: int
) -> Iterator[tuple[Subject, dict[str, str]]]:
    """Yield calls, evenly over the names: the arguments that are replaced, and by what."""
    some = list(subjects())
    cheap = [subject for subject in some if not subject.trains]
    for group, number in ((cheap, count - expensive), ([*_others(some, cheap)], expensive)):
        drawn = [
            _drawn(rng, subject) for subject in itertools.islice(itertools.cycle(group), number)
        ]
        yield from sorted(drawn, key=lambda call: call[0].name)


def _others(some: list[Subject], cheap: list[Subject]) -> Iterator[Subject]:
    names = {subject.name for subject in cheap}
    return (subject for subject in some if subject.name not in names)


def _drawn(rng: random.Random, subject: Subject) -> tuple[Subject, dict[str, str]]:
    names = [p.name for p in subject.parameters if p.kind is not p.VAR_KEYWORD]
    kind = rng.random() if "(" not in subject.name else 0.5
    if kind < 0.04 or not names:
        return subject, {rng.choice(("unknwon", "lr", "verbose")): "1.5"}
    if kind < 0.08:
        return subject, {"*": "1.5"}
    chosen = rng.sample(names, 2 if kind > 0.9 and len(names) > 1 else 1)
    allowed = {p.name for p in subject.parameters if p.default is None}
    codes = {name: [*WRONG][name in allowed :] for name in chosen}  # the first is None
    return subject, {name: rng.choice(codes[name]) for name in chosen}


def _call(subject: Subject, replaced: dict[str, str]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if "*" in replaced:  # more arguments by position than there are
        return (1.5,) * (len(subject.parameters) + 1), {}
    return subject.call(**{name: WRONG[code]() for name, code in replaced.items()})


def raw(number):
    return {"a": 1.0}[number]


def nameless(number):
    raise ValueError("this is not possible")


def nan(number):
    return jax.numpy.log(-1.0)


def endless(number):
    while True:
        pass


@pytest.mark.parametrize(
    ("planted", "kind"), [(raw, "raw"), (nameless, "raw"), (nan, "silent"), (endless, "hang")]
)
def test_a_planted_fault_is_found(planted, kind, monkeypatch):
    monkeypatch.setattr("tests.fuzz.judge.HANGS_AFTER", 0.5)
    names = inspect.signature(planted).parameters
    assert judge(planted, (1,), {}, names=names).kind == kind


def test_an_error_of_another_library_is_found():
    def late(number):
        return jax.numpy.zeros("three")

    verdict = judge(late, (1,), {}, names=["number", "three"])
    assert verdict.kind == "raw" and "raised in" in verdict.reason
