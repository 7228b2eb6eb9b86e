"""Labels beside lines, remarks with arrows, and pictures with a slider, for the notebooks.

label(line, "heavy ball", at=20)                      the text has the colour of the line
label_ends(ax)                                        each line at its right end, no legend
remark(ax, "it rings", to=(40, 1e-2), at=(60, 0.1))   an arrow that says what to see
slider(figure, draw, alphas, "momentum α")            works without a kernel and offline
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from html import escape
from io import BytesIO
from json import dumps
from string import Template
from typing import Any
from zlib import crc32

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from PIL import Image

from lecture_optax.recipe.reporting.labels import Label, write_labels

INK, RED, BLUE, GREEN, PINK, ORANGE = (
    f"#{color}" for color in ("000000", "D55E00", "0072B2", "009E73", "CC79A7", "E69F00")
)
"""The palette of lecture.mplstyle. In Markdown: `{\\color{#D55E00}{\\alpha v}}`."""

SLIDER = Template("""\
<div id="$key" style="max-width: 560px">
<img alt="$name" style="width: 100%; background: #fff" src="data:image/png;base64,$frame">
<div style="display: flex; gap: .6em; align-items: center">
<button type="button" style="min-width: 4.5em">Play</button>
<input type="range" min="0" max="$last" value="$start" aria-label="$name" style="flex: 1">
<output style="min-width: 8em">$word</output></div></div>
<script>(() => {
const frames = $frames, words = $words, box = document.getElementById("$key");
const [picture, button, range, output] =
  ["img", "button", "input", "output"].map(name => box.querySelector(name));
let timer = null;
function show(i) {
  range.value = i;
  range.setAttribute("aria-valuetext", words[i]);
  output.textContent = words[i];
  picture.src = "data:image/png;base64," + frames[i];
}
function stop() { clearInterval(timer); timer = null; button.textContent = "Play"; }
function next() { if (+range.value < frames.length - 1) show(+range.value + 1); else stop(); }
range.oninput = () => { stop(); show(+range.value); };
button.onclick = () => {
  if (timer) return stop();
  if (+range.value === frames.length - 1) show(0);
  button.textContent = "Stop";
  timer = setInterval(next, 350);
};
})()</script>""")
"""A picture, a slider and a button; the frames are in the page."""

HALO = [withStroke(linewidth=3, foreground="white")]
"""Text stays readable on top of lines."""


def label(
    line: Line2D, text: str = "", *, at: float | None = None, shift: tuple[float, float] = (6, 0)
) -> None:
    """Write a text, by default the line's label, at the point of a line where x = `at`.

    `shift` is in points and says on which side of the point the text stands; by default it is to
    the right of the right end.
    """
    x, y = (np.asarray(values, float) for values in line.get_data())
    x, y = x[np.isfinite(y)], y[np.isfinite(y)]
    i = int(np.argmax(x) if at is None else np.argmin(np.abs(x - at)))
    text, color = text or str(line.get_label()), line.get_color()
    _write(line.axes, text, (x[i], y[i]), shift, color=color)


def label_ends(ax: Axes, texts: Sequence[str] = ()) -> None:
    """Write the label of each line at its right end, none over another, instead of a legend.

    The limits of the axes must not change later. `texts` replaces the labels.
    """
    lines = [line for line in ax.lines if not str(line.get_label()).startswith("_")]
    if (legend := ax.get_legend()) is not None:
        legend.remove()
    ax.figure.draw_without_rendering()
    words = texts or [str(line.get_label()) for line in lines]
    ends = [_end(line) for line in lines]
    colors = [line.get_color() for line in lines]
    write_labels(ax, [Label(*end, *rest) for end, *rest in zip(ends, words, colors, strict=True)])


def remark(
    ax: Axes, text: str, *, to: tuple[float, float], at: tuple[float, float], color: str = "0.25"
) -> None:
    """Write a text with its centre at `at` and an arrow from there to the point `to`.

    Both are in the coordinates of the data.
    """
    arrow = {"arrowstyle": "-|>", "color": color, "shrinkA": 2, "shrinkB": 3, "lw": 1.1}
    arrow |= {"connectionstyle": "arc3,rad=0.15"}
    style: dict[str, Any] = {"ha": "center", "va": "center", "color": color, "arrowprops": arrow}
    written = ax.annotate(text, to, at, annotation_clip=False, zorder=6, **style)
    written.set_path_effects(HALO)


def slider(
    figure: Figure,
    draw: Callable[[int], None],
    values: Sequence[str],
    name: str,
    *,
    start: int = 0,
    dpi: int = 75,
) -> HTML:
    """Return a picture with a slider over precomputed frames; `draw(i)` draws frame i.

    `values` are the words beside the slider, one a frame, and `name` says what is varied. The
    result is HTML with its pictures inside: it needs neither a kernel nor a network. Where scripts
    do not run, the frame `start` is shown.
    """
    frames = []
    for i in range(len(values)):
        draw(i)
        frames.append(_png(figure, dpi))
    plt.close(figure)
    fields = {"key": f"slider-{crc32(name.encode()):08x}", "name": escape(name)}
    fields |= {"start": start, "last": len(values) - 1, "word": escape(values[start])}
    return HTML(
        SLIDER.substitute(
            fields, frame=frames[start], frames=dumps(frames), words=dumps(list(values))
        )
    )


def _write(ax: Axes, text: str, point: Any, shift: tuple[float, float], **style: Any) -> None:
    across, up = np.sign(shift)
    sides = {"ha": {0: "center", 1: "left", -1: "right"}[across]}
    sides |= {"va": {0: "center", 1: "bottom", -1: "top"}[up]}
    written = ax.annotate(
        text,
        point,
        shift,
        textcoords="offset points",
        annotation_clip=False,
        zorder=6,
        **sides,
        **style,
    )
    written.set_path_effects(HALO)


def _end(line: Line2D) -> tuple[float, float]:
    x, y = (np.asarray(values, float) for values in line.get_data())
    i = int(np.argmax(np.where(np.isfinite(y), x, -np.inf)))
    return float(x[i]), float(y[i])


def _png(figure: Figure, dpi: int) -> str:
    """Return a picture in 64 colours, which are enough for lines and labels."""
    raw, small = BytesIO(), BytesIO()
    figure.savefig(raw, dpi=dpi, format="png")
    Image.open(raw).convert("RGB").quantize(64).save(small, format="png", optimize=True)
    return b64encode(small.getvalue()).decode()
