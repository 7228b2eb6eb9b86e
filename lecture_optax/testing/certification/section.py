"""A section of a certificate: one kind of measurement, its numbers, and its sentences."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .candidate import Candidate

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


class Section(NamedTuple):
    """A section of a certificate.

    - `name`: its key in the JSON; `title`: its heading on the page.
    - `measure`: `candidate -> numbers`, a dict of JSON values. What it raises becomes the reason
      why the section was not measured, so that one section never costs the others.
    - `lines`: `numbers -> sentences`, the same in words, for the text and the page.
    - `table`: `numbers -> (columns, rows)`, which the page shows in place of the sentences.
    - `folded`: `numbers -> {title: code}`, which the page shows when asked.
    - `timed`: the keys of numbers that depend on the machine: `verify` does not compare them.
    """

    name: str
    title: str
    measure: Callable[[Candidate], dict[str, Any]]
    lines: Callable[[dict[str, Any]], list[str]]
    table: Callable[[dict[str, Any]], Table] | None = None
    folded: Callable[[dict[str, Any]], dict[str, str]] | None = None
    timed: tuple[str, ...] = ()
