"""Checks of notes: the JSON of a save, read from a file that anybody may have changed.

A form says what a value must be.
"""

from collections.abc import Callable, Mapping
from typing import Any

Form = Callable[[Any], bool]
"""A function that returns whether a value is what it must be."""

LARGEST = 2**62
"""No count is larger."""


def is_text(x: Any) -> bool:
    return isinstance(x, str)


def is_flag(x: Any) -> bool:
    return isinstance(x, bool)


def is_count(x: Any) -> bool:
    return isinstance(x, int) and not isinstance(x, bool) and 0 <= x < LARGEST


def is_number(x: Any) -> bool:
    return isinstance(x, float) or (isinstance(x, int) and not is_flag(x) and abs(x) < LARGEST)


def is_anything(x: Any) -> bool:
    return True


def optional(form: Form) -> Form:
    return lambda x: x is None or form(x)


def list_of(form: Form) -> Form:
    return lambda x: isinstance(x, list) and all(map(form, x))


def row_of(*forms: Form) -> Form:
    """Return the form of a list with one value for each form."""
    return lambda x: (
        isinstance(x, list)
        and len(x) == len(forms)
        and all(form(value) for form, value in zip(forms, x, strict=True))
    )


def dict_of(form: Form) -> Form:
    return lambda x: isinstance(x, dict) and all(map(form, x.values()))


def record_of(forms: Mapping[str, Form]) -> Form:
    """Return the form of a dict with these keys and no others."""
    return lambda x: (
        isinstance(x, dict)
        and x.keys() == forms.keys()
        and all(form(x[name]) for name, form in forms.items())
    )


def check_notes(notes: Mapping[str, Any], forms: Mapping[str, Form]) -> None:
    """Raise `ValueError` for notes without one of these names, or with another kind of value."""
    for name, form in forms.items():
        if name not in notes:
            raise ValueError(f"its notes have no {name!r}")
        if not form(notes[name]):
            raise ValueError(f"{name!r} in its notes is not as this library writes it")
