"""Mutants: the library with one line of one module changed."""

import importlib
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import jax

from lecture_optax.theory import Finding, statements


class Mutation(NamedTuple):
    """A change of `module`: `old`, which occurs there once, becomes `new`."""

    what: str
    module: str
    old: str
    new: str
    caught_by: str


@contextmanager
def mutated(mutation):
    """Replace the definitions of a module by the changed ones, for the length of the context.

    Yields the pairs of old and new by the identity of the old.
    """
    original = importlib.import_module(f"lecture_optax.{mutation.module}")
    changed = _changed(original, mutation)
    pairs = {
        id(value): (value, vars(changed)[name])
        for name, value in vars(original).items()
        if callable(value) and getattr(value, "__module__", "") == original.__name__
    }
    swapped = []
    for module in [m for name, m in sys.modules.items() if name.startswith("lecture_optax")]:
        for name, value in list(vars(module).items()):
            if id(value) in pairs:
                swapped.append((module, name, value))
                setattr(module, name, pairs[id(value)][1])
    try:
        yield pairs
    finally:
        for module, name, value in swapped:
            setattr(module, name, value)


def _changed(original, mutation):
    source = Path(original.__file__).read_text()
    found = source.count(mutation.old)
    assert found == 1, (
        f"the mutation {mutation.what!r} changes {mutation.old!r}, which occurs {found} times in "
        f"{original.__name__}: was the line rewritten? Then rewrite the mutation."
    )
    changed = ModuleType(original.__name__)
    changed.__package__, changed.__file__ = original.__package__, original.__file__
    code = compile(source.replace(mutation.old, mutation.new), original.__file__, "exec")
    exec(code, vars(changed))
    return changed


def is_caught(mutation):
    """Return whether the statement has a finding that fails on the mutant, or raises.

    The first finding that fails decides; later ones are not computed.
    """
    statement = statements()[mutation.caught_by]
    with (
        mutated(mutation) as pairs,
        jax.enable_x64(True),
        jax.numpy_dtype_promotion("standard"),
    ):
        defaults = statement.find.__defaults__ or ()
        subjects = {
            name: pairs[id(value)][1]
            for name, value in zip(statement.subjects, defaults, strict=True)
            if id(value) in pairs
        }
        try:
            found = statement.find(**subjects)
            findings = (found,) if isinstance(found, Finding) else found
            return any(not finding.holds for finding in findings)
        except ValueError:  # a probe refuses the mutant
            return True
