"""The report of a search as one HTML page that loads nothing else."""

import html
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...training.problem import Problem
from ...training.reporting.html_page import page, paragraphs, picture, table
from .comparisons import diverged, ranked
from .explanation import Explanation
from .findings import describe_arm
from .plots import curves_of, draw_levels, draw_race, drawn_optimizers, levels_of, new_rows
from .text import BESIDE, TEXT_COLUMNS, arm_table, caption, sentences

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def page_of(e: Explanation, code: str, problem: Problem) -> str:
    """Return the page: sentences, plots, the table of all arms, and code.

    **Raises** `ImportError` without Matplotlib, naming the extra.
    """
    columns, rows = arm_table(e)
    arms = ranked(e)
    parts = [
        paragraphs(sentences(e)),
        *_pictures(e),
        f"<h2>All arms</h2>\n<p class=note>{html.escape(caption(e))}</p>",
        table(columns, rows, (*TEXT_COLUMNS, BESIDE), lambda i: arms[i] == e.winner),
        f"<h2>The same model without a search</h2>\n<pre>{html.escape(code)}</pre>",
    ]
    return page(describe_arm(e.winner) if e.winner else "nothing was selected", problem, parts)


def _pictures(e: Explanation) -> Iterator[str]:
    optimizers = drawn_optimizers(e)
    rows = len(optimizers)

    def draw(figure: "Figure") -> None:
        for optimizer, ax in zip(optimizers, new_rows(figure, rows), strict=True):
            draw_levels(e, optimizer, ax)

    crosses = " Crosses are arms that diverged." * any(map(diverged, e.arms))
    if any(levels_of(e, optimizer) for optimizer in optimizers):
        title = "Loss against learning rate"
        yield picture(draw, (430 * rows, 350 * rows), title, LEVELS + crosses)
    if curves_of(e):
        kind = "averaged" if e.is_average or not e.winner else "raw"
        star = f" The star marks the {kind} weights that were selected." * bool(e.winner)
        yield picture(
            lambda figure: draw_race(e, *new_rows(figure, 1)),
            (460, 430),
            "The race",
            RACE + crosses + star,
        )


LEVELS = (
    "A line compares constant learning rates at one step; its label says at which fraction of a "
    "run. The best learning rate of a line (triangle) usually becomes smaller as a run proceeds: "
    "the aim is the prediction of the best one at the end."
)
RACE = (
    "A line is the loss of the averaged weights of an arm, labelled by its learning rate where it "
    "ends. Faint losses are estimated from a part of the validation examples."
)
