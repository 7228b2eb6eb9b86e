"""The report of a run as one HTML page that loads nothing else."""

import html
from typing import TYPE_CHECKING, Any

from ..._core.describe import describe
from .html_page import page, paragraphs, picture, table
from .plots import plot
from .remarks import remarks
from .summary import evaluations_of, facts_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def page_of(result: Any) -> str:
    """Return the page: what stands out, the plot of the run, its facts, and its evaluations.

    **Raises** `ImportError` without Matplotlib, naming the extra.
    """

    def draw(figure: "Figure") -> None:
        figure.set_layout_engine("constrained")
        plot(result.history, figure=figure)

    names, rows = evaluations_of(result)
    columns = [name.replace("_", " ") for name in names]
    kept = [i for i, row in enumerate(rows) if row[-1]]
    facts = [("optimizer as a chain", str(describe(result.optimizer))), *facts_of(result)]
    listed = "".join(f"<dt>{html.escape(a)}</dt><dd>{html.escape(b)}</dd>\n" for a, b in facts)
    parts = [
        paragraphs(found.sentence for found in remarks(result)),
        picture(
            draw,
            (600, 560),
            "The run",
            "The loss, the learning rate, and the size of each step relative to the parameters.",
        ),
        f"<h2>The numbers</h2>\n<dl>\n{listed}</dl>",
    ]
    if rows:
        parts += ["<h2>Evaluations</h2>", table(columns, rows, [columns[-1]], kept.__contains__)]
    return page(f"trained for {result.steps:,} steps", result.problem, parts)
