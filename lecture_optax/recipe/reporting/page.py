"""What is shown of a search? Text for a terminal, and one page that needs nothing else."""

import base64
import html
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..diagnosis.symptom_words import BASIS
from .comparisons import constant_arms
from .explanation import Explanation
from .text import COLUMNS, SHOWN, _cell_text, _cells, _table, sentences

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_page(
    e: Explanation, code: str, path: str | os.PathLike, last: Sequence[str] = ()
) -> Path:
    """One HTML file with sentences, pictures, table and code; it refers to nothing outside.

    **Raises** `ImportError` without Matplotlib, naming the extra.
    """
    target = Path(path).expanduser()
    target.write_text(page_of(e, code, last), encoding="utf-8")
    return target


def page_of(e: Explanation, code: str, last: Sequence[str] = ()) -> str:
    first, *rest = [*sentences(e), *last]
    parts = [
        f"<h1>{html.escape(_title(e))}</h1>",
        f"<p class=first>{html.escape(first)}</p>",
        "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in rest) + "</ul>",
        *(_section(title, words, draw) for title, words, draw in _pictures(e)),
        "<h2>All arms</h2>",
        _table(e, COLUMNS, _cells),
        f"<h2>What each arm showed</h2><p>{html.escape(BASIS)}</p>",
        _table(e, SHOWN, _cell_text),
        "<h2>The same model without a search</h2>",
        f"<pre>{html.escape(code)}</pre>",
    ]
    return _PAGE.format(title=html.escape(_title(e)), body="\n".join(parts))


def new_figure(size: tuple[float, float]) -> "Figure":
    """A figure of its own: no window, no global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need Matplotlib: pip install "lecture_optax[plot]".') from error
    return Figure(figsize=size, layout="constrained")


def _pictures(e: Explanation) -> list[tuple[str, str, Callable[["Figure"], Any]]]:
    """Title, a sentence that says what is seen, and who draws it."""
    from . import plots as draw

    found: list[tuple[str, str, Callable[[Figure], Any]]] = []
    for optimizer in e.optimizers:
        if constant_arms(e, optimizer):
            found.append(
                (
                    f"The rates of {optimizer}",
                    "The held-out loss of averaged weights over the rate, a line for each step at "
                    "which several arms were compared. Crosses are arms that exploded or were "
                    "worse than the start.",
                    lambda figure, f=optimizer: draw.draw_optimizer(e, f, figure.add_subplot()),
                )
            )
    found.append(
        (
            "The race",
            "Every arm as far as it ran, and the rates below. Early looks see some of the rows, "
            "so they compare arms and not steps.",
            lambda figure: draw.draw_run(e, figure),
        )
    )
    return found


def _section(title: str, words: str, draw: Callable[["Figure"], Any]) -> str:
    figure, stream = new_figure((8, 6 if "race" in title else 4)), io.BytesIO()
    draw(figure)
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    title, words = html.escape(title), html.escape(words)
    return f'<h2>{title}</h2><p>{words}</p><img alt="{title}" src="data:image/png;base64,{data}">'


def _title(e: Explanation) -> str:
    if e.winner is None:
        return "No arm was better than the start"
    return f"{e.winner.optimizer} at {e.winner.rate:.3g}"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem;
  color: #111; background: #fff; }}
h1 {{ font-size: 1.7rem; }} h2 {{ font-size: 1.2rem; margin-top: 2.5rem; }}
.first {{ font-size: 1.15rem; }} li {{ margin: .2rem 0; }}
img {{ max-width: 100%; height: auto; }}
table {{ border-collapse: collapse; font-size: .85rem; display: block; overflow-x: auto; }}
th, td {{ padding: .2rem .7rem .2rem 0; text-align: right; border-bottom: 1px solid #ddd; }}
.words {{ text-align: left; }}
.chosen {{ font-weight: bold; }}
pre {{ background: #f4f4f4; padding: 1rem; overflow-x: auto; }}
</style></head><body>
{body}
</body></html>
"""
