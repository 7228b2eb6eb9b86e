"""An HTML page that loads nothing else: its heading, its pictures as SVG, and its tables.

A picture is drawn twice, for a wide and for a narrow screen, in CSS pixels, so that a label has the
same size on both. Its colours are variables of the page, which has a light and a dark theme.
"""

import datetime
import html
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

import jax

from ..._core import __version__
from ..._core.extras import require
from .._trees import is_stream, n_rows
from ..problem import Problem
from .plots import COLORS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[["Figure"], Any]

WIDTHS = {"wide": 800, "narrow": 358}
"""The width of a picture in CSS pixels: 358 is a phone of 390 without its margins."""

VARIABLES = {"#000000": "ink", "#ffffff": "paper", "#808080": "muted", "#d3d3d3": "line"}
VARIABLES |= {color.lower(): f"c{i}" for i, color in enumerate(COLORS[:6])}
"""The variable of the page for each colour of a picture."""


def page(heading: str, problem: Problem, parts: Iterable[str]) -> str:
    """Return a page: a heading, what is known of the problem, date and versions, and its parts."""
    title = f"{problem.name}: {heading}" if problem.name else heading[:1].upper() + heading[1:]
    today = datetime.date.today()
    facts = [*_facts(problem), f"{today.day} {today:%B %Y}"]
    return page_with(
        title, [*facts, f"lecture_optax {__version__}", f"JAX {jax.__version__}"], parts
    )


def page_with(title: str, facts: Iterable[str], parts: Iterable[str]) -> str:
    """Return a page: a title, a line of facts, and its parts."""
    line = " · ".join(fact.replace(" ", "\N{NO-BREAK SPACE}") for fact in facts)
    head = f"<h1>{html.escape(title)}</h1>\n<p class=facts>{html.escape(line)}</p>"
    folder = resources.files(__name__.rpartition(".")[0])
    template = Template(folder.joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(title=html.escape(title), body="\n".join([head, *parts]))


def _facts(problem: Problem) -> Iterator[str]:
    name = getattr(problem.per_example, "__name__", "")
    if name.isidentifier():  # and no lambda
        yield name.strip("_")
    if not is_stream(problem.train):
        yield f"{n_rows(problem.train):,} training examples"
    if problem.valid is not None:
        yield f"{n_rows(problem.valid):,} validation examples"


def paragraphs(sentences: Iterable[str]) -> str:
    """Return a paragraph for each sentence."""
    return "\n".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences)


def picture(draw: Draw, heights: tuple[int, int], title: str, caption: str) -> str:
    """Return a picture with its title and caption, wide and narrow, as SVG.

    - `draw`: draws on an empty figure, by its width; `heights`: of the wide and of the narrow one.

    **Raises** `ImportError` without Matplotlib, naming the extra.
    """
    drawn = [
        svg(draw, name, width, height, title)
        for (name, width), height in zip(WIDTHS.items(), heights, strict=True)
    ]
    title, caption = html.escape(title), html.escape(caption)
    return (
        f"<h2>{title}</h2>\n<figure>\n{drawn[0]}\n{drawn[1]}\n<figcaption>{caption}</figcaption>\n"
        "</figure>"
    )


def svg(draw: Draw, name: str, width: int, height: int, title: str) -> str:
    """Return one drawing as an SVG element of class `name`, in CSS pixels."""
    figures = require("matplotlib.figure", extra="plot", what="plots")
    style = require("matplotlib.style", extra="plot", what="plots")
    options = {"svg.fonttype": "none", "svg.hashsalt": f"{title} {name}", "font.size": 11}
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with style.context(["default", options]):  # the user's style is for another background
        figure, stream = figures.Figure(figsize=(width / 72, height / 72)), io.StringIO()
        draw(figure)
        figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    drawing = stream.getvalue().partition("</defs>")[2]  # after the style of all elements
    drawing = re.sub("<!--.*?-->", "", re.sub('<g id="[^"]*">', "<g>", drawing), flags=re.S)
    drawing = re.sub("(?<=: )#[0-9a-f]{6}", _variable, drawing)
    box = f'viewBox="0 0 {width} {height}"'
    return f'<svg class={name} {box} role="img" aria-label="{html.escape(title)}">{drawing.strip()}'


def _variable(color: re.Match[str]) -> str:
    return f"var(--{VARIABLES[color[0]]})" if color[0] in VARIABLES else color[0]


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    text: Sequence[str] = (),
    selected: Callable[[int], bool] = lambda _: False,
) -> str:
    """Return a table. On a narrow screen, each text after the first column has a line of its own.

    - `text`: the columns that are aligned to the left; `selected`: whether a row is in bold.
    """
    head = "".join(
        f"<th{' class=text' if name in text else ''}>{html.escape(name)}</th>" for name in columns
    )
    body = "".join(
        f"<tr{' class=selected' if selected(i) else ''}>"
        f"{''.join(_cell(*pair, text) for pair in zip(columns, row, strict=True))}</tr>\n"
        for i, row in enumerate(rows)
    )
    short = 1 + sum(name not in text for name in columns[1:])
    in_a_line = math.ceil(short / math.ceil(short / 6))  # on a narrow screen
    style = f'style="--columns: {in_a_line}"'
    return f"<table {style}>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>"


def _cell(name: str, value: str, text: Sequence[str]) -> str:
    kind = f' class=text data-name="{html.escape(name)}"' if name in text else ""
    return f"<td{kind}>{html.escape(value)}</td>"
