"""Pictures of the gallery: paths of optimizers on two landscapes, and plots of schedules, as SVG.

A picture is drawn once, in the colours of a light page; those of a dark page replace them. The
colours differ in lightness, and every line has its name beside it.
"""

import functools
import io
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import optax

BLUE, ORANGE, GREY, TEXT, CONTOUR = "#00508c", "#c25700", "#6b7178", "#23272b", "#c3cbd3"
DARK = {BLUE: "#63b3f0", ORANGE: "#ffae57", GREY: "#a3abb3", TEXT: "#e3e6e9", CONTOUR: "#414b55"}
STYLE = {
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "gallery",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
    **{name: TEXT for name in ("text.color", "axes.labelcolor", "xtick.color", "ytick.color")},
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
STEPS = 60
RATES = np.logspace(-3, 1, 33)


class Landscape(NamedTuple):
    """A loss of two parameters, its start, what is drawn, and its curvatures at the minimum."""

    about: str
    loss: Callable[[Any], Any]
    start: tuple[float, float]
    window: tuple[float, float, float, float]
    curvatures: tuple[float, float]


def _ravine(p: Any) -> Any:
    along, across = 0.9 * p[0] + 0.436 * p[1], -0.436 * p[0] + 0.9 * p[1]
    return (along**2 + 30 * across**2) / 2


def _saddle(p: Any) -> Any:
    return 4 * p[0] ** 2 + (p[1] ** 2 - 1) ** 2 / 4


LANDSCAPES = {
    "ravine": Landscape(
        "A ravine: a quadratic, 30 times as curved across as along.",
        _ravine,
        (-3.0, -0.4),
        (-3.6, 2.0, -2.2, 1.8),
        (30.0, 1.0),
    ),
    "saddle": Landscape(
        "A saddle between two minima; the start is 0.02 from the ridge, where gradients are small.",
        _saddle,
        (1.1, 0.02),
        (-1.3, 1.3, -0.5, 1.95),
        (8.0, 2.0),
    ),
}


class Path(NamedTuple):
    """A path on a landscape, its learning rate, and the mean loss at every learning rate."""

    points: np.ndarray
    rate: float
    losses: np.ndarray


def paths(optimizer: Callable[[Any], optax.GradientTransformation]) -> dict[str, Path]:
    """Return the path on each landscape at the learning rate with the lowest mean loss.

    All learning rates on both landscapes are one compiled program.
    """
    starts = jnp.array([landscape.start for landscape in LANDSCAPES.values()])
    losses = [landscape.loss for landscape in LANDSCAPES.values()]

    def values(points):
        return jnp.stack([f(p) for f, p in zip(losses, points, strict=True)])

    @functools.partial(jax.jit, compiler_options={"xla_llvm_disable_expensive_passes": True})
    @jax.vmap
    def run(rate):
        tx = optimizer(rate)

        def step(carry, _):
            points, state = carry
            update, state = tx.update(jax.grad(lambda p: values(p).sum())(points), state, points)
            points = optax.apply_updates(points, update)
            return (points, state), (points, values(points))

        return jax.lax.scan(step, (starts, tx.init(starts)), length=STEPS)[1]

    points, found = map(np.asarray, run(jnp.asarray(RATES, jnp.float32)))
    means = np.where(found < 1e9, found, np.inf).mean(1)  # NaN is not below
    best = means.argmin(0)
    return {
        name: Path(
            np.concatenate([starts[None, i], points[best[i], :, i]]), RATES[best[i]], means[:, i]
        )
        for i, name in enumerate(LANDSCAPES)
    }


def draw_paths(name: str, lines: Sequence[tuple[str, str, Path]]) -> str:
    """Return the picture of labelled and coloured paths on a landscape."""
    landscape = LANDSCAPES[name]
    left, right, low, high = landscape.window
    with matplotlib.rc_context(STYLE):
        figure, ax = _axes(2.8, 0.01, 0.99, 0.01)
        x, y = np.meshgrid(np.linspace(left, right, 70), np.linspace(low, high, 60))
        z = np.asarray(landscape.loss((x, y)))
        ax.contour(
            x, y, z, np.geomspace(z.max() * 3e-3, z.max(), 9), colors=CONTOUR, linewidths=0.8
        )
        for _, colour, path in lines:
            inside = np.clip(path.points, [left - 9, low - 9], [right + 9, high + 9])
            ax.plot(
                *inside.T, "-o", color=colour, ms=2.2, lw=1.1, zorder=3 if colour != GREY else 2
            )
        ax.plot(*landscape.start, "o", color=TEXT, ms=4)
        minima = [(0, 0)] if name == "ravine" else [(0, 1)]
        ax.plot(*zip(*minima, strict=True), "*", color=TEXT, ms=8, zorder=4)
        ax.set(xlim=(left, right), ylim=(low, high), xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        _label(ax, [(*line[:2], line[2].points) for line in lines], [landscape.start, *minima])
        return _svg(figure)


def draw_losses(lines: Sequence[tuple[str, str, np.ndarray]]) -> str:
    """Return the picture of the mean loss over the learning rate, a line for each landscape."""
    with matplotlib.rc_context(STYLE):
        figure, ax = _axes(2.8, 0.13, 0.97, 0.17)
        drawn = []
        for (label, colour, losses), dashes in zip(lines, ("-", "--"), strict=True):
            shown = losses < 30 * losses[np.isfinite(losses)].max().clip(max=1)
            ax.plot(RATES[shown], losses[shown], dashes, color=colour, lw=1.6)
            at = losses.argmin()
            ax.plot(RATES[at], losses[at], "o", color=colour, ms=5)
            drawn.append((label, colour, np.log10([RATES[shown], losses[shown]]).T))
        ax.set(xscale="log", yscale="log", xlabel="learning rate", xlim=(RATES[0], RATES[-1]))
        ax.set_title(f"mean loss of {STEPS} steps", loc="left", fontsize=9)
        _label(ax, drawn, [])
        return _svg(figure)


def draw_schedules(lines: Sequence[tuple[str, Any]], steps: int) -> str:
    """Return the plot of labelled schedules, with their values at the first, highest and last."""
    with matplotlib.rc_context(STYLE):
        figure, ax = _axes(2.4, 0.02, 0.98, 0.2)
        k = np.arange(steps + 1)
        drawn, marks = [], []
        for (label, schedule), (colour, dashes) in zip(
            lines, [(BLUE, "-"), (ORANGE, "--")], strict=False
        ):
            values = np.asarray(schedule(jnp.asarray(k)))
            ax.plot(k, values, dashes, color=colour, lw=1.7)
            drawn.append((label, colour, np.stack([k, values], 1)))
            for at in dict.fromkeys([0, int(values.argmax()), steps]):
                marks.append((at, values[at], colour))
        top = max(line[2][:, 1].max() for line in drawn)
        ax.set(xlim=(-0.14 * steps, 1.16 * steps), ylim=(-0.04 * top, 1.2 * top), xlabel="step k")
        ax.spines["bottom"].set_bounds(0, steps)
        ax.set_xticks([0, steps // 2, steps])
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        told: list[tuple[float, float]] = []
        for at, value, colour in marks:
            place = at / steps, value / top
            ax.plot(at, value, "o", color=colour, ms=3.5)
            if all(abs(place[0] - a) > 0.12 or abs(place[1] - b) > 0.09 for a, b in told):
                ax.annotate(
                    f"{value:.2g}",
                    (at, value),
                    {0: (-5, 0), steps: (5, 0)}.get(at, (0, 4)),
                    textcoords="offset points",
                    color=colour,
                    ha={0: "right", steps: "left"}.get(at, "center"),
                    va="center" if at in (0, steps) else "bottom",
                )
                told.append(place)
        taken = [(at, value + 0.08 * top) for at, value, _ in marks]
        _label(ax, drawn, taken)
        return _svg(figure)


def _axes(height: float, left: float, right: float, bottom: float) -> Any:
    figure, ax = plt.subplots(figsize=(3.6, height))
    figure.subplots_adjust(left=left, right=right, bottom=bottom, top=0.92)
    return figure, ax


def _label(ax: Any, lines: Sequence[tuple[str, str, np.ndarray]], taken: Sequence[Any]) -> None:
    """Write the name of each line beside it, where the most room is."""
    unit = ax.figure.dpi / 72
    is_log = ax.get_xscale() == "log"

    def pixels(points):
        points = np.asarray(points, float).reshape(-1, 2)
        return ax.transData.transform(10**points if is_log else points)

    frame = ax.get_window_extent()
    busy = [_dense(pixels(points)) for _, _, points in lines]
    others = pixels(taken) if len(taken) else np.zeros((0, 2))
    placed: list[np.ndarray] = []
    for (label, colour, _), own in zip(lines, busy, strict=True):
        if not label:
            continue
        half = np.array([2.5 * len(label) + 2, 5.5]) * unit
        inside = own[(abs(own - own.mean(0)) < 1e4).all(1)]
        best, most = inside[0], -np.inf
        for at, side in itertools.product(
            inside[:: max(1, len(inside) // 25)], itertools.product((-1, 0, 1), repeat=2)
        ):
            centre = at + np.array(side) * (half + 4 * unit)
            low, high = centre - half, centre + half
            if (low < frame.min).any() or (high > frame.max).any() or side == (0, 0):
                continue
            obstacles = np.concatenate([*busy, others, *placed])
            gap = np.maximum(abs(obstacles - centre) - half, 0)
            near = np.hypot(*gap.T)
            foreign = np.concatenate([b for b in busy if b is not own] or [own[:0]])
            far = np.hypot(*(foreign - at).T).min() if len(foreign) else 0
            room = min(near.min(), 8 * unit) * 10 + min(far, 60 * unit)
            if room > most:
                best, most = centre, room
        ax.annotate(
            label, ax.transData.inverted().transform(best), color=colour, ha="center", va="center"
        )
        corners = itertools.product(np.linspace(-1, 1, 5), (-1, 0, 1))
        placed.append(np.array([best + half * np.array(corner) for corner in corners]))


def _dense(points: np.ndarray) -> np.ndarray:
    """Return points along a line, close to each other."""
    t = np.arange(len(points))
    fine = np.linspace(0, len(points) - 1, 200)
    return np.stack([np.interp(fine, t, points[:, i]) for i in (0, 1)], 1)


def _svg(figure: Any) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    plt.close(figure)
    return text.getvalue()


def in_dark(picture: str) -> str:
    """Return a picture in the colours of a dark page."""
    for light, dark in DARK.items():
        picture = picture.replace(light, dark)
    return picture
