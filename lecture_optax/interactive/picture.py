"""The picture of a state: what a notebook shows where no kernel runs."""

import functools
import io
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core.extras import require
from ..recipe.reporting.labels import Label, width_of, write_labels
from ..theory.pictures.style import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Answer = tuple[Mapping[str, Any], Mapping[str, np.ndarray]]

HEADING: dict[str, Any] = {"loc": "left", "size": 9.5, "weight": "normal", "pad": 5}
AVERAGED: dict[str, Any] = {"linewidth": 4.0, "alpha": 0.4}
"""The look of an average of the iterates: wide and pale, in the colour of its method."""

LEFT, BETWEEN, CURVES, COLUMNS = 0.65, 0.7, 2.9, 105
"""Inches, from left to right, and characters of a line below the plots."""


def figure_of(title: str, controls: Mapping[str, float], run: Answer, field: Answer) -> "Figure":
    """Draw the landscape with the paths, beside it the losses, and below the optimizers as text."""
    titles = _titles(run)
    texts = [textwrap.fill(each["text"], COLUMNS) for each in run[0]["methods"]]
    box = field[0]["box"]
    wide, high = _size(box[1] - box[0], box[3] - box[2])
    below = 0.75 + 0.19 * sum(text.count("\n") + 1 for text in texts)
    height = below + high + 0.45
    beside = LEFT + wide + BETWEEN
    width = beside + CURVES + max(map(width_of, titles)) / 72 + 0.1
    figure = _class()(figsize=(width, height), dpi=100)
    figure.set_layout_engine("none")  # a style may set one, which moves axes

    def axes(left: float, wide: float) -> "Axes":
        return figure.add_axes((left / width, below / height, wide / width, high / height))

    plane = axes(LEFT, wide)
    _draw_plane(plane, run, field)
    words = [f"{name}={value:.3g}" for name, value in controls.items()]
    plane.set_title("\n".join([title, ", ".join(words)]).strip(), **HEADING)
    _draw_losses(axes(beside, CURVES), run, titles)
    top = below - 0.6
    for i, text in enumerate(texts):
        style = {"family": "monospace", "size": 8.5, "va": "top", "parse_math": False}
        figure.text(LEFT / width, top / height, text, color=look(i)["color"], **style)
        top -= 0.19 * (text.count("\n") + 1)
    return figure


def _size(wide: float, high: float) -> tuple[float, float]:
    """Return the size of the plane in inches, in its proportions."""
    scale = min(3.9 / wide, 3.3 / high)
    return scale * wide, scale * high


@functools.cache
def _class() -> "type[Figure]":
    """Return the class of figures that a notebook shows, also before it has a backend."""
    require("matplotlib", extra="plot", what="plots")
    from matplotlib.figure import Figure

    class Picture(Figure):
        def _repr_png_(self) -> bytes:
            return as_png(self)

    return Picture


def as_png(figure: "Figure") -> bytes:
    """Return a figure as the bytes of a PNG."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _draw_plane(ax: "Axes", run: Answer, field: Answer) -> None:
    loss, (left, right, bottom, top) = field[1]["field"], field[0]["box"]
    sides = np.linspace(left, right, loss.shape[1]), np.linspace(bottom, top, loss.shape[0])
    height = loss - loss.min()
    levels = height.max() * np.linspace(0.03, 1, 15) ** 2
    ax.contour(*sides, height, levels, colors="0.85", linewidths=0.9, zorder=0)
    is_whole = field[0]["minimum"] is not None  # a plane through a network's paths has none
    if is_whole:
        ax.plot(*field[0]["minimum"], "+", color="0.3", markersize=9, markeredgewidth=1.4)
    for i, each in enumerate(run[0]["methods"]):
        style = look(i, marked=len(run[1][f"path.{i}"]) <= 61)
        ax.plot(*run[1][f"path.{i}"].T, **style)
        if each["has_average"]:
            ax.plot(*run[1][f"average.{i}"].T, **AVERAGED, color=style["color"])
    ax.plot(*run[1]["path.0"][0], "o", color="0.3", markersize=7, markerfacecolor="white", zorder=5)
    ax.set(xlim=(left, right), ylim=(bottom, top))
    names = ("θ₁", "θ₂") if is_whole else ("first principal axis", "second principal axis")
    ax.set(xlabel=names[0], ylabel=names[1])
    ax.grid(False)
    ax.locator_params(nbins=6)


def _draw_losses(ax: "Axes", run: Answer, titles: list[str]) -> None:
    curves = [run[1][f"loss.{i}"] for i in range(len(titles))]
    averages = [run[1][f"average_loss.{i}"] for i in range(len(titles))]
    shown = np.concatenate([loss[np.isfinite(loss)] for loss in [*curves, *averages]])
    first, low = float(curves[0][0]), max(float(shown.min()), 1e-12)
    for i, loss in enumerate(curves):
        style = look(i, marked=False)
        ax.plot(np.arange(len(loss)), loss, **style)
        if run[0]["methods"][i]["has_average"]:
            ax.plot(np.arange(len(loss)), averages[i], **AVERAGED, color=style["color"])
    is_wide = first > 30 * low
    high = min(float(shown.max()), 20 * first) * (1.5 if is_wide else 1.02)
    ax.set(xlabel="step k", xlim=(0, len(curves[0]) - 1), yscale="log" if is_wide else "linear")
    ax.set_ylim(low / 1.5 if is_wide else low - 0.05 * (high - low), high)
    has_average = any(each["has_average"] for each in run[0]["methods"])
    ax.set_title("loss" + " (wide: of the average)" * has_average, **HEADING)
    ax.spines[["top", "right"]].set_visible(False)
    ends = [_end(loss, low, high) for loss in curves]
    labels = zip(ends, titles, (look(i)["color"] for i in range(len(titles))), strict=True)
    write_labels(ax, [Label(*end, title, color) for end, title, color in labels])


def _titles(run: Answer) -> list[str]:
    """Return the titles of the methods, numbered where several have the same."""
    titles = [each["title"] for each in run[0]["methods"]]
    return [
        f"{title} ({i + 1})" if titles.count(title) > 1 else title for i, title in enumerate(titles)
    ]


def _end(loss: np.ndarray, low: float, high: float) -> tuple[int, float]:
    """Return the last point of a curve that is inside the axes."""
    inside = np.flatnonzero(loss <= high)  # a comparison with NaN is false
    step = int(inside[-1])
    return step, max(float(loss[step]), low)
