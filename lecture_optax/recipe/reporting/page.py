"""The report of a search as one HTML page that loads nothing else."""

import base64
import html
import io
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

from ..._core.extras import require
from .comparisons import constant_arms, ranked
from .explanation import Explanation
from .text import TEXT_COLUMNS, arm_table, caption, sentences

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[["Figure"], Any]


def page_of(e: Explanation, code: str) -> str:
    """Return the page: sentences, plots, the table of all arms, and code.

    **Raises** `ImportError` without Matplotlib, naming the extra.
    """
    best = f"{e.winner.optimizer} at {e.winner.rate:.3g}" if e.winner else None
    title = html.escape(best or "No arm was better than the start")
    first, *rest = sentences(e)
    parts = [
        f"<h1>{title}</h1>",
        f"<p class=first>{html.escape(first)}</p>",
        "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in rest) + "</ul>",
        *(_section(*plot) for plot in _plots(e)),
        f"<h2>All arms</h2><p>{html.escape(caption(e))}</p>",
        _table(e),
        "<h2>The same model without a search</h2>",
        f"<pre>{html.escape(code)}</pre>",
    ]
    folder = resources.files(__name__.rpartition(".")[0])
    page = folder.joinpath("page.html").read_text(encoding="utf-8")
    return Template(page).substitute(title=title, body="\n".join(parts))


def _plots(e: Explanation) -> Iterator[tuple[str, str, float, Draw]]:
    """Yield the title, the caption, the height in inches and the drawing function of each plot."""
    from .plots import draw_optimizer, draw_run

    for optimizer in e.optimizers:
        if constant_arms(e, optimizer):
            yield (
                f"The learning rates of {optimizer}",
                "The validation loss of averaged weights over the learning rate, with one line for "
                "each step at which several arms were compared. Crosses are arms that diverged or "
                "were worse than the start.",
                4,
                lambda figure, name=optimizer: draw_optimizer(e, name, figure.add_subplot()),
            )
    yield (
        "The race",
        "Every arm as far as it ran, and its learning rate below. Early evaluations use a subset "
        "of the examples, so they compare arms and not steps.",
        6,
        lambda figure: draw_run(e, figure),
    )


def _section(title: str, caption: str, height: float, draw: Draw) -> str:
    figures = require("matplotlib.figure", extra="plot", what="plots")
    figure, stream = figures.Figure(figsize=(8, height), layout="constrained"), io.BytesIO()
    draw(figure)
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    title, caption = html.escape(title), html.escape(caption)
    return f'<h2>{title}</h2><p>{caption}</p><img alt="{title}" src="data:image/png;base64,{data}">'


def _table(e: Explanation) -> str:
    columns, cells = arm_table(e)
    rows = [
        f"<tr{' class=selected' if arm == e.winner else ''}>{_row(columns, 'td', row)}</tr>"
        for arm, row in zip(ranked(e), cells, strict=True)
    ]
    head = f"<thead><tr>{_row(columns, 'th', columns)}</tr></thead>"
    return f"<table>{head}<tbody>{''.join(rows)}</tbody></table>"


def _row(columns: Sequence[str], tag: str, cells: Sequence[str]) -> str:
    kinds = [" class=text" if name in TEXT_COLUMNS else "" for name in columns]
    return "".join(
        f"<{tag}{kind}>{html.escape(x)}</{tag}>" for kind, x in zip(kinds, cells, strict=True)
    )
