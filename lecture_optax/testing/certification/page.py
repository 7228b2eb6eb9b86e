"""A certificate as one HTML page that loads nothing else."""

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...training.reporting.html_page import WIDTHS, page_with, paragraphs, table
from .section import Section
from .sections import SECTIONS
from .values import thawed


def page_of(certificate: Any) -> str:
    """Return the page: the verdict, and what each section measured."""
    description = certificate.description
    facts = [f"{name} {version}" for name, version in certificate.versions.items()]
    parts = [paragraphs([certificate.verdict])]
    for name, numbers in certificate.sections.items():
        section = SECTIONS[name]
        parts += [f"<h2>{html.escape(section.title)}</h2>", *_section(section, thawed(numbers))]
    parts.append(f"<h2>What was certified</h2>\n<dl>\n{_facts(description)}</dl>")
    title = f"Certificate of {description['factory'].partition(':')[2]}"
    return page_with(title, [description["factory"], f"hash {description['hash']}", *facts], parts)


def _facts(description: Mapping[str, Any]) -> str:
    found = {
        **description,
        "arguments": _named(description["arguments"]),
        "hyperparameters": _named(description["hyperparameters"]),
        "params": _named(description["params"]),
    }
    return "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>\n"
        for name, text in found.items()
        if text
    )


def _named(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items())


def _section(section: Section, numbers: dict[str, Any]) -> Iterator[str]:
    if reason := numbers.get("not_measured"):
        yield f"<p class=note>Not measured: {html.escape(reason)}</p>"
        return
    if section.table is None:
        yield paragraphs(section.lines(numbers))
    else:
        columns, rows = section.table(numbers)
        yield table(columns, rows, text=_text_of(columns, rows))
    if section.folded is not None:
        for title, code in section.folded(numbers).items():
            summary = f"<summary>{html.escape(title)}</summary>"
            yield f"<details>{summary}\n<pre>{html.escape(code)}</pre></details>"
    if "by_scale" in numbers:
        yield _first_steps(numbers["by_scale"])


def _text_of(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the columns that are no column of counts."""
    cells = zip(*rows, strict=True)
    numeric = [all(cell.isdigit() for cell in column) for column in cells] if rows else []
    return [name for name, yes in zip(columns, numeric, strict=False) if not yes]


def _first_steps(by_scale: Sequence[Mapping[str, float]]) -> str:
    sizes = [(x["gradient"], x["largest"]) for x in by_scale]
    points = [(math.log10(x), math.log10(y)) for x, y in sizes if 0 < y < math.inf]
    if len(points) < 2:
        return ""
    drawn = "\n".join(_curve(points, name, width) for name, width in WIDTHS.items())
    caption = "The largest entry of the first update, if all entries of the gradient are g."
    return f"<figure>\n{drawn}\n<figcaption>{caption}</figcaption>\n</figure>"


_HEIGHT, _LEFT, _RIGHT, _TOP, _BELOW = 250, 48, 24, 26, 42


def _curve(points: Sequence[tuple[float, float]], name: str, width: int) -> str:
    """Return a curve between powers of ten as SVG, in CSS pixels and in colours of the page."""
    xs, ys = zip(*points, strict=True)
    low_x, high_x = math.floor(xs[0]), math.ceil(xs[-1])
    low_y, high_y = math.floor(min(ys) - 0.5), math.ceil(max(ys) + 0.5)
    right, bottom = width - _RIGHT, _HEIGHT - _BELOW

    def x_of(x: float) -> float:
        return _LEFT + (x - low_x) / (high_x - low_x) * (right - _LEFT)

    def y_of(y: float) -> float:
        return _TOP + (high_y - y) / (high_y - low_y) * (bottom - _TOP)

    grid, labels = [], [_text(_LEFT, 14, "first step"), _text(right, _HEIGHT - 6, "g", "end")]
    for j in range(low_x, high_x + 1, 4):
        grid.append(f"M{x_of(j):.1f} {_TOP}V{bottom}")
        labels.append(_text(x_of(j), bottom + 18, _power(j), "middle"))
    for j in range(low_y, high_y + 1, max(1, (high_y - low_y) // 4)):
        grid.append(f"M{_LEFT} {y_of(j):.1f}H{right}")
        labels.append(_text(_LEFT - 8, y_of(j) + 4, _power(j), "end"))
    line = "L".join(f"{x_of(x):.1f} {y_of(y):.1f}" for x, y in points)
    return (
        f'<svg class={name} viewBox="0 0 {width} {_HEIGHT}" role="img" '
        'aria-label="The first step by the size of the gradient">'
        f'<path d="{"".join(grid)}" style="fill: none; stroke: var(--line)"/>'
        f'<path d="M{line}" style="fill: none; stroke: var(--c0); stroke-width: 2"/>'
        f"{''.join(labels)}</svg>"
    )


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} style="font-size: 12px">{words}</text>'


def _power(j: int) -> str:
    return f'10<tspan dy="-5" style="font-size: 10px">{j}</tspan>'
