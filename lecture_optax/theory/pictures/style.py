"""Line styles that do not depend on colour, and labelled axes."""

from typing import TYPE_CHECKING, Any

from ..._core.extras import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

REFERENCE: dict[str, Any] = {"color": "0.6", "linewidth": 0.8, "zorder": 0}
"""The style of references: an edge, a bound, a limit."""

# Okabe and Ito's colours, distinct for colour-blind readers, alternately dark and light.
_LOOKS: list[dict[str, Any]] = [
    {"color": "#000000", "linestyle": "-", "marker": "o"},
    {"color": "#D55E00", "linestyle": "--", "marker": "s"},
    {"color": "#0072B2", "linestyle": "-.", "marker": "^"},
    {"color": "#E69F00", "linestyle": ":", "marker": "D"},
    {"color": "#009E73", "linestyle": (0, (6, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#56B4E9", "linestyle": (0, (2, 1)), "marker": "x"},
]


def look(i: int, *, marked: bool = True) -> dict[str, Any]:
    """Return the style of line i; six styles are different."""
    style = {**_LOOKS[i % len(_LOOKS)], "markersize": 4, "linewidth": 1.4}
    return style if marked else {**style, "marker": "none"}


def outlined(lines: "list[Line2D]") -> None:
    """Add a white outline to lines, for a dark background."""
    from matplotlib.patheffects import withStroke

    for line in lines:
        line.set(linewidth=2, path_effects=[withStroke(linewidth=4.5, foreground="1")])


def axes_for(ax: "Axes | None", **words: str) -> "Axes":
    """Return `ax` or new axes, with `xlabel`, `ylabel` and `title` set."""
    ax = new_axes() if ax is None else ax
    ax.set(**words)
    return ax
