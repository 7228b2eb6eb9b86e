"""Labels beside the lines of a plot, none of which covers another."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = 11.0
"""The size of a label, in points."""

WIDTH, HEIGHT = 0.62 * SIZE, 1.25 * SIZE
"""The size of a character in points, or a little more: fonts differ."""


class Label(NamedTuple):
    """A text at a point, in the coordinates of the data.

    `side`: where it stands. (1, 0) is to the right of the point, (-1, 0) to the left, (0, -1)
    below, (1, 1) to the right of it and above. `gap`: its distance from the point. The label of the
    selected arm is bold and stays where it is.
    """

    x: float
    y: float
    text: str
    color: str = "k"
    side: tuple[int, int] = (1, 0)
    gap: float = 5.0
    is_selected: bool = False


class Box(NamedTuple):
    """The place of a label in points."""

    left: float
    right: float
    bottom: float
    weight: float = 1.0


def width_of(text: str) -> float:
    """Return the width of a label with its distance from the point, in points."""
    return WIDTH * len(text) + 10.0


def write_labels(ax: "Axes", labels: Sequence[Label]) -> None:
    """Write labels; where they would cover each other, they move up or down in their order.

    A label that moved is connected with its point. The limits of the axes must not change later.
    """
    scale, frame = 72 / ax.figure.dpi, ax.get_window_extent()
    points = [ax.transData.transform((label.x, label.y)) * scale for label in labels]
    boxes = [_box(label, *point) for label, point in zip(labels, points, strict=True)]
    bottoms = apart(boxes, frame.y0 * scale, frame.y1 * scale + HEIGHT)
    for label, box, bottom in zip(labels, boxes, bottoms, strict=True):
        shift, (across, up) = bottom - box.bottom, label.side
        style: dict[str, Any] = {"color": label.color, "size": SIZE, "zorder": 6}
        style |= {
            "weight": "bold" if label.is_selected else "normal",
            "textcoords": "offset points",
        }
        style["parse_math"] = False
        style |= {"ha": ("center", "left", "right")[across], "va": ("center", "bottom", "top")[up]}
        if abs(shift) > 0.6 * HEIGHT:
            line = {"arrowstyle": "-", "color": label.color, "lw": 0.6, "alpha": 0.6}
            style["arrowprops"] = line | {"shrinkA": 0, "shrinkB": 2}
        offset = (label.gap * across, label.gap * up + shift)
        ax.annotate(label.text, (label.x, label.y), offset, annotation_clip=False, **style)


def apart(boxes: Sequence[Box], low: float, high: float) -> list[float]:
    """Return the bottom of each box after as little movement as keeps them apart."""
    bottoms = [box.bottom for box in boxes]
    for column in _columns(boxes):
        positions, weights = zip(*((boxes[i].bottom, boxes[i].weight) for i in column), strict=True)
        moved = spread(positions, weights, HEIGHT, low, high)
        for i, bottom in zip(column, moved, strict=True):
            bottoms[i] = bottom
    return bottoms


def spread(
    positions: Sequence[float], weights: Sequence[float], size: float, low: float, high: float
) -> list[float]:
    """Return positions in the same order, `size` apart, between `low` and `high` - `size`.

    The weighted sum of squared movements is the least that is possible: neighbours that overlap are
    merged into a block, which stands at the mean of the places that its members ask for.
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    blocks: list[tuple[float, float, int]] = []  # sums of weight * place and of weights, and count

    def place(block: tuple[float, float, int]) -> float:
        total, weight, count = block
        return max(low, min(total / weight, high - count * size))

    for i in order:
        blocks.append((weights[i] * positions[i], weights[i], 1))
        while len(blocks) > 1 and place(blocks[-2]) + blocks[-2][2] * size > place(blocks[-1]):
            (total, weight, count), (more, other, others) = blocks[-2:]
            total += more - other * count * size  # the place of the first member of the block
            blocks[-2:] = [(total, weight + other, count + others)]
    placed = [place(block) + i * size for block in blocks for i in range(block[2])]
    return [place for _, place in sorted(zip(order, placed, strict=True))]


def _columns(boxes: Sequence[Box]) -> list[list[int]]:
    """Return the boxes in groups, by number: those of different groups lie side by side."""
    columns: list[list[int]] = []
    right = -float("inf")
    for i in sorted(range(len(boxes)), key=lambda i: boxes[i].left):
        if boxes[i].left >= right:
            columns.append([])
        columns[-1].append(i)
        right = max(right, boxes[i].right)
    return columns


def _box(label: Label, x: float, y: float) -> Box:
    across, up = label.side
    width = WIDTH * len(label.text)
    left = x + label.gap * across - width * (1 - across) / 2
    weight = 1e3 if label.is_selected else 1.0
    return Box(left, left + width, y + label.gap * up - HEIGHT * (1 - up) / 2, weight)
