"""How does a line look, so that it can be told without its colour?"""

from typing import TYPE_CHECKING, Any

from ..._core.extras import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

REFERENCE: dict[str, Any] = {"color": "0.6", "linewidth": 0.8, "zorder": 0}
"""The look of what a line is compared with: an edge, a law, a limit."""

# Okabe and Ito's colours, which the colour-blind tell apart, dark and light in turn.
_LOOKS: list[dict[str, Any]] = [
    {"color": "#000000", "linestyle": "-", "marker": "o"},
    {"color": "#D55E00", "linestyle": "--", "marker": "s"},
    {"color": "#0072B2", "linestyle": "-.", "marker": "^"},
    {"color": "#E69F00", "linestyle": ":", "marker": "D"},
    {"color": "#009E73", "linestyle": (0, (6, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#56B4E9", "linestyle": (0, (2, 1)), "marker": "x"},
]


def look(i: int, *, marked: bool = True) -> dict[str, Any]:
    """The look of line i; six differ."""
    style = {**_LOOKS[i % len(_LOOKS)], "markersize": 4, "linewidth": 1.4}
    return style if marked else {**style, "marker": "none"}


def outlined(lines: "list[Line2D]") -> None:
    """Set lines off from what is dark behind them."""
    from matplotlib.patheffects import withStroke

    for line in lines:
        line.set(linewidth=2, path_effects=[withStroke(linewidth=4.5, foreground="1")])


def axes_for(ax: "Axes | None", **words: str) -> "Axes":
    """The axes to draw on, labelled: `xlabel`, `ylabel`, `title`."""
    ax = new_axes() if ax is None else ax
    ax.set(**words)
    return ax
