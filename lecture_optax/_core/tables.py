"""Text tables: aligned columns, wrapped to a width."""

import textwrap
from collections.abc import Sequence
from itertools import zip_longest

NARROWEST = 8
"""The least width to which a column is wrapped."""


def text_table(
    rows: Sequence[Sequence[str]], align: str, *, width: int | None = None, gap: int = 2
) -> str:
    """Return rows of cells as text with aligned columns; without rows, an empty text.

    **Arguments**

    - `rows`: the head, if there is one, is the first of them.
    - `align`: a letter for each column, "l" for left or "r" for right.
    - `width`: the most characters of a line: the widest columns are wrapped to fit into it.
    - `gap`: the spaces between two columns.

    ```python
    >>> print(text_table([("", "loss", "note"), ("adam", "0.2", "best"), ("sgd", "12", "")], "lrl"))
          loss  note
    adam   0.2  best
    sgd     12

    ```
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while width and sum(widths) + gap * (len(widths) - 1) > width and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in rows:
        cells = [_wrapped(cell, w) for cell, w in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            aligned = (
                part.rjust(w) if letter == "r" else part.ljust(w)
                for part, letter, w in zip(parts, align, widths, strict=True)
            )
            lines.append((" " * gap).join(aligned).rstrip())
    return "\n".join(lines)


def _wrapped(cell: str, width: int) -> list[str]:
    return textwrap.wrap(cell, width, break_on_hyphens=False) if len(cell) > width else [cell]
