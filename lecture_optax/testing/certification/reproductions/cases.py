"""The cases of a template, from the smallest to the largest."""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..._subject import Subject
from .script import Case

_SMALL = ("[0.5]", "[[1.0]]")
_LONGER = ("[0.5]", "[[1.0], [0.25], [-1.75]]")
_WIDER = (
    "[0.5, -1.25, 2.0]",
    "[[1.0, -0.75, 0.0625], [0.25, 1.5, -2.0], [-1.75, 0.5, 0.375]]",
)
_MATRIX = ("[[0.5, -1.25], [2.0, 1.0]]", "[[[1.0, -0.75], [0.25, 0.5]]]")
_FAR = (
    ("[1.0]", "[[0.0001220703125]]"),
    ("[-3.0]", "[[512.0]]"),
    ("[1.0]", "[[0.0001220703125], [-0.000244140625], [0.0001220703125]]"),
    ("[-3.0]", "[[512.0], [384.0], [-640.0]]"),
)
_AT_REST = (
    ("[0.5]", "[[0.0]]"),
    ("[0.5]", "[[0.0], [0.0]]"),
    ("[0.5]", "[[1.0], [0.0]]"),
    ("[0.5]", "[[0.0], [0.0], [1.0], [0.0], [0.25]]"),
    (
        "[0.5, -1.25, 2.0]",
        "[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, -0.75, 0.0625], [0.0, 0.0, 0.0]]",
    ),
)
_PAIR = re.compile(r"(\w+) parameters, (\w+) gradients")


def once(subject: Subject, found: str) -> Iterator[Case]:
    """Return the one case of a template without names."""
    yield Case()


def sizes(subject: Subject, found: str) -> Iterator[Case]:
    """Return float32 vectors and steps."""
    yield from _cases(subject, found, (_SMALL, _LONGER, _WIDER, _MATRIX), [("float32", "float32")])


def slow(subject: Subject, found: str) -> Iterator[Case]:
    """Return float32 vectors and steps, then the same with every decay at 0.9999."""
    decays = {n: 0.9999 for n, h in subject.hyperparameters.items() if h.bounds == (0, 1)}
    for values in ({}, decays) if decays else ({},):
        some = (_SMALL, _LONGER, _WIDER, _MATRIX)
        yield from _cases(subject, found, some, [("float32", "float32")], values)


def complex_at_rest(subject: Subject, found: str) -> Iterator[Case]:
    """Return complex zero gradients, with the defaults, then with ε = 0, β = 0."""
    for values in lowest(subject, found):
        yield from _cases(subject, "", _AT_REST, [("complex64", "complex64")], values)


def pairs(subject: Subject, found: str) -> Iterator[Case]:
    """Return vectors in the pair of dtypes that the law names, with and without parameters."""
    yield from _cases(subject, found, (_SMALL, _LONGER, _WIDER, _MATRIX), _pairs_in(found))


def float32_first(subject: Subject, found: str) -> Iterator[Case]:
    """Return one float32 vector, then the pairs of dtypes that the law names."""
    yield from _cases(subject, found, (_SMALL,), [("float32", "float32")])
    yield from pairs(subject, found)


def far(subject: Subject, found: str) -> Iterator[Case]:
    """Return the same, and numbers whose squares leave the range of float16."""
    some = (_SMALL, _LONGER, *_FAR, _WIDER)
    yield from _cases(subject, found, some, _pairs_in(found))


def at_rest(subject: Subject, found: str) -> Iterator[Case]:
    """Return zero gradients, with the defaults, then with ε = 0, β = 0."""
    for values in lowest(subject, found):
        yield from _cases(subject, found, _AT_REST, _pairs_in(found), values)


def at_rest_in_float32(subject: Subject, found: str) -> Iterator[Case]:
    """Return zero gradients in float32, and each hyperparameter as `$name`."""
    for name in _named_first(subject, found):
        for values in lowest(subject, found):
            at = {**subject.typed, **values}
            for case in _cases(subject, found, _AT_REST[:4], [("float32", "float32")], values):
                yield case._replace(words={**case.words, "name": name, "value": repr(at[name])})


def lowest(subject: Subject, found: str) -> list[dict[str, float]]:
    """Return the defaults, each lowest value alone, and all of them, as the law names them."""
    low = {n: x for n, x in subject.lowest.items() if x != subject.typed[n]}
    if "the values to try" in found or ("with {" not in found and "at {" not in found):
        return [{}]
    alone = [{name: value} for name, value in low.items() if name != "learning_rate"]
    alone.sort(key=lambda values: not any(name.startswith("eps") for name in values))
    at_lowest = bool(low) and all(f"'{name}': {value}" in found for name, value in low.items())
    return [*alone[:1], low, *alone[1:]] if at_lowest else [{}, *alone, low]


def hyperparameters(subject: Subject, found: str) -> Iterator[Case]:
    """Return each hyperparameter as `$name` with its `$value`; the one that the law names first."""
    for size in (_LONGER, _WIDER):
        for name in _named_first(subject, found):
            value = subject.typed[name]
            words = {"name": name, "value": repr(value), "few": repr(_few_bits(value))}
            for case in _cases(subject, found, (size,), [("float32", "float32")]):
                yield case._replace(words={**case.words, **words})


def in_kinds(subject: Subject, found: str) -> Iterator[Case]:
    """Return each hyperparameter as an array of each `$kind`."""
    narrow = ("jnp.float16", "jnp.bfloat16")
    kinds = [kind for kind in narrow if kind.split(".")[1] in found] or list(narrow)
    for kind, case in itertools.product(kinds, hyperparameters(subject, found)):
        yield case._replace(words={**case.words, "kind": kind})


def as_numbers(subject: Subject, found: str) -> Iterator[Case]:
    """Return each hyperparameter as a NumPy scalar, as arrays, and as a schedule."""
    kinds = ["np.float32({v})", "np.asarray({v})", "jnp.asarray({v})", "jnp.float32({v})"]
    kinds += ["(lambda count: {v})"] * ("Python function" in found or "schedule" in found)
    for case, kind in itertools.product(hyperparameters(subject, found), kinds):
        value = case.words["value"]
        yield case._replace(words={**case.words, "array": kind.format(v=value)})


def refused(subject: Subject, found: str) -> Iterator[Case]:
    """Return values that a factory must refuse, the one that the law names first."""
    named = re.search(r"(\w+)=(.+?) was accepted", found) or re.search(r"of (\w+)=(.+?) do", found)
    for name in _named_first(subject, found):
        h = subject.hyperparameters[name]
        given = [(repr(x), "ValueError") for x in h.outside() if x == x]
        given += [('float("nan")', "ValueError"), ('"fast"', "TypeError"), ("[0.5]", "TypeError")]
        given += [("True", "TypeError"), ("1j", "TypeError"), ("jnp.ones(2)", "TypeError")]
        for value, kind in sorted(given, key=lambda g: named is None or g[0] != named[2]):
            yield Case({"name": name, "value": value, "kind": kind})


def trees(subject: Subject, found: str) -> Iterator[Case]:
    """Return each tree of the law about trees as `$tree`, the one that it names first."""
    some = {
        "scalars": '{"w": jnp.float32(0.5), "v": 0.5}',
        "an empty dict": "{}",
        "an empty tuple": "()",
        "None in both trees": '{"w": jnp.array([0.5, 1.25]), "b": None}',
        "an empty array": '{"w": jnp.zeros((0,)), "v": jnp.zeros((2, 0, 3))}',
        "nested containers": '{"a": [jnp.array([0.5]), (jnp.array([1.25]), {})]}',
        "a bare leaf": "jnp.array([0.5, 1.25])",
    }
    for name in sorted(some, key=lambda name: f"for {name}" not in found):
        yield Case({"tree": some[name]})


def dtypes_without_gradient(subject: Subject, found: str) -> Iterator[Case]:
    """Return dtypes that have no gradient."""
    for dtype in ("int32", "uint8", "bool"):
        yield Case({"dtype": dtype})


def wrappers(subject: Subject, found: str) -> Iterator[Case]:
    """Return wrappers of Optax around the transformation, the one that the law names first."""
    some = {
        "no wrapper": "$tx",
        "chain": "optax.chain(optax.clip_by_global_norm(1.0), $tx)",
        "masked": 'optax.masked($tx, {"a": True})',
    }
    for name in sorted(some, key=lambda name: f"through {name}" not in found):
        yield Case({"wrapped": some[name]})


def accumulators(subject: Subject, found: str) -> Iterator[Case]:
    """Return each argument that sets the dtype of a field."""
    for size in (_SMALL, _WIDER):
        for (name, state_field), dtype in itertools.product(
            subject.accumulators.items(), ("bfloat16", "float32")
        ):
            words = {"name": name, "field": state_field, "told": dtype}
            for case in _cases(subject, found, (size,), _pairs_in(found)[:4]):
                yield case._replace(words={**case.words, **words})


def _cases(
    subject: Subject,
    found: str,
    some: Iterable[tuple[str, str]],
    among: list[tuple[str, str]],
    values: dict[str, Any] | None = None,
) -> Iterator[Case]:
    without = "without parameters" in found and not subject.needs_params
    for (leaf, rows), (p, g) in itertools.product(some, among):
        rows = rows.replace("-", "") if subject.takes == "magnitude" else rows
        words = {"leaf": leaf, "rows": rows, "p": p, "g": g}
        words["given"] = "None" if without else "params"
        words["widest"] = "gradients[0]" if without else "params + gradients[0]"
        yield Case(words, values or {}, x64="under x64" in found or "float64" in (p, g))


def _pairs_in(found: str) -> list[tuple[str, str]]:
    """Return the pair of dtypes that the law names, or the usual ones."""
    named = [(m[1], m[2]) for m in _PAIR.finditer(found)]
    usual = [("float32", "float32"), ("bfloat16", "bfloat16"), ("bfloat16", "float32")]
    return [*dict.fromkeys(named)][:4] or [*usual, ("float16", "float16")]


def _named_first(subject: Subject, found: str) -> list[str]:
    names = list(subject.hyperparameters)
    return sorted(names, key=lambda n: (f"derivative at ['{n}']" not in found, _unnamed(n, found)))


def _unnamed(name: str, found: str) -> bool:
    return not re.search(rf"\b{name}\b[='\" ]", found)


def _few_bits(value: float) -> float:
    """Return the number rounded towards zero to seven bits, which every precision holds."""
    mantissa, exponent = np.frexp(value)
    return float(np.ldexp(np.trunc(mantissa * 2**7), exponent - 7))
