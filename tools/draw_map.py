"""Draw the map of the packages from their imports: `docs/explanation/architecture.svg`.

    python -m tools.draw_map            # draw it
    python -m tools.draw_map --check    # fail when the file is not what would be drawn

The layers are those of the import contracts in `pyproject.toml`. An arrow goes from a package to
one that it imports; the number where it starts counts the imports, from module to module. The last
layer, which all others may import, is a bar without arrows.
"""

import re
import sys
import tomllib
from collections import Counter, defaultdict
from itertools import combinations, pairwise

from tools.imports import ROOT, imports

PICTURE = ROOT / "docs" / "explanation" / "architecture.svg"
BOX, ROW, GAP, LANE, PORT = 30, 84, 22, 10, 22
BLOCKS = "blocks: _*.py"
STYLE = """
text { font: 14px sans-serif; fill: #222; text-anchor: middle }
.title { font-weight: bold; text-anchor: start }
.count { font-size: 11px; fill: #0b4f8a }
.under { font-size: 11px; stroke: #fff; stroke-width: 4px }
rect { fill: #e3ecf5; stroke: #54708c }
.ground { fill: #fff; stroke: none }
.layer { fill: #f6f8fa; stroke: none }
path { fill: none; stroke: #7d93a8; stroke-width: 1.3 }
.head { fill: #7d93a8; stroke: none }
"""


def layers_of(package: str) -> tuple[list[list[str]], dict[str, str]]:
    """Return the boxes of every layer, and the box of every child of a package.

    Modules of one layer that may import each other, the blocks, share a box.
    """
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = (x for x in linter["contracts"] if x.get("containers") == [package])
    layers, box_of = [], {}
    for layer in contract["layers"]:
        children = re.findall(r"\w+", layer)
        boxes = {child: BLOCKS if ":" in layer else child for child in children}
        layers.append(list(dict.fromkeys(boxes.values())))
        box_of |= boxes
    return [layer for layer in layers if layer != ["__main__"]], box_of


def counts_of(package: str, box_of: dict[str, str]) -> Counter[tuple[str, str]]:
    """Return how many imports lead from one box to another."""
    prefix = f"{package}."
    boxes = {
        module: box_of.get(module.removeprefix(prefix).split(".")[0])
        for module in imports()
        if module.startswith(prefix)
    }
    pairs = ((boxes.get(a), boxes.get(b)) for a, targets in imports().items() for b in targets)
    return Counter((a, b) for a, b in pairs if a and b and a != b and a != "__main__")


class Panel:
    """The layers of one package, with arrows, as a drawing of a given width."""

    def __init__(self, package: str, width: float):
        layers, box_of = layers_of(package)
        self.title, self.width, self.bar = package, width, layers.pop()
        counts = counts_of(package, box_of)
        self.below = sum(n for (_, target), n in counts.items() if target in self.bar)
        self.counts = {pair: n for pair, n in sorted(counts.items()) if pair[1] not in self.bar}
        level = {box: row for row, layer in enumerate(layers) for box in layer}
        self.rows: list[list[str]] = [list(layer) for layer in layers]
        self.steps: set[tuple[str, str]] = set()  # arrows to one box share a lane through a layer
        self.first = {}
        for source, target in self.counts:
            lanes = [f"{target}@{row}" for row in range(level[source] + 1, level[target])]
            path = [source, *lanes, target]
            self.first[source, target] = path[1]
            self.steps |= set(pairwise(path))
            for row, lane in enumerate(lanes, level[source] + 1):
                if lane not in self.rows[row]:
                    self.rows[row].append(lane)
        self._order()
        self.wide = {box: self._width(box) for row in self.rows for box in row}
        self.x = self._places()
        self.height = ROW * (len(self.rows) + 1) + 30

    def _order(self) -> None:
        """Sort every row so that few arrows cross."""
        best, fewest = self.rows, self._crossings(self.rows)
        for sweep in range(40):
            rows = [list(row) for row in self.rows]
            down = sweep % 2 == 0
            for row, fixed in pairwise(range(len(rows)) if down else range(len(rows))[::-1]):
                place = {box: i for i, box in enumerate(rows[row])}
                near = defaultdict(list)
                for a, b in sorted(self.steps):
                    box, other = (b, a) if down else (a, b)
                    if other in place:
                        near[box].append(place[other])
                centre = len(rows[row]) / 2
                rows[fixed].sort(key=lambda box, n=near, c=centre: _mean(n[box], c))
            self.rows, crossings = rows, self._crossings(rows)
            if crossings < fewest:
                best, fewest = rows, crossings
        self.rows = best

    def _crossings(self, rows: list[list[str]]) -> int:
        place = {box: (i, j) for i, row in enumerate(rows) for j, box in enumerate(row)}
        steps = sorted((place[a], place[b]) for a, b in self.steps)
        return sum(
            a[0] == c[0] and (a[1] - c[1]) * (b[1] - d[1]) < 0
            for (a, b), (c, d) in combinations(steps, 2)
        )

    def _places(self) -> dict[str, float]:
        """Return the centre of every box and lane: near what it is joined to, without overlap."""
        x = {box: 0.0 for row in self.rows for box in row}
        near = defaultdict(list)
        for a, b in sorted(self.steps):
            near[a].append(b)
            near[b].append(a)
        for _ in range(60):
            for row in self.rows:
                left = [0.45 * x[b] + 0.45 * _mean([x[o] for o in near[b]], x[b]) for b in row]
                right = list(left)
                for i, (a, b) in enumerate(pairwise(row), 1):
                    left[i] = max(left[i], left[i - 1] + self._apart(a, b))
                for i, (a, b) in reversed([*enumerate(pairwise(row))]):
                    right[i] = min(right[i], right[i + 1] - self._apart(a, b))
                x |= {box: (left[i] + right[i]) / 2 for i, box in enumerate(row)}
        low = min(at - self.wide[box] / 2 for box, at in x.items())
        high = max(at + self.wide[box] / 2 for box, at in x.items())
        stretch = min(1.5, (self.width - 40) / (high - low))
        return {box: self.width / 2 + stretch * (at - (low + high) / 2) for box, at in x.items()}

    def _width(self, box: str) -> float:
        ports = max(sum(box == step[end] for step in self.steps) for end in (0, 1))
        return LANE if "@" in box else max(30 + 8 * len(box), PORT * ports + 10)

    def _apart(self, a: str, b: str) -> float:
        return (self.wide[a] + self.wide[b]) / 2 + GAP

    def _ports(self, box: str, others: list[str]) -> list[tuple[str, float]]:
        space = 0 if "@" in box else PORT
        return [
            (other, self.x[box] + space * (i - (len(others) - 1) / 2))
            for i, other in enumerate(sorted(others, key=self.x.__getitem__))
        ]

    def draw(self) -> list[str]:
        """Return the elements of the drawing."""
        y = {box: 30 + ROW * i for i, row in enumerate(self.rows) for box in row}
        out = [f'<text class="title" x="10" y="12">{self.title}</text>']
        out += [
            _rect("layer", 10, 27 + ROW * i, self.width - 20, 36) for i in range(len(self.rows))
        ]
        start, end, labels = {}, {}, []
        for box in self.x:
            targets, sources = ([s[1 - at] for s in self.steps if s[at] == box] for at in (0, 1))
            start |= {(box, other): at for other, at in self._ports(box, targets)}
            end |= {(other, box): at for other, at in self._ports(box, sources)}
        for a, b in sorted(self.steps):
            x0, y0, x1, y1 = start[a, b], y[a] + BOX, end[a, b], y[b]
            middle = (y0 + y1) / 2
            through = f"V{y1 + BOX:.0f}" if "@" in b else ""
            out.append(
                f'<path d="M{x0:.0f} {y0:.0f}C{x0:.0f} {middle:.0f} {x1:.0f} {middle:.0f} '
                f'{x1:.0f} {y1:.0f}{through}"/>'
            )
            if not through:
                out.append(f'<path class="head" d="M{x1:.0f} {y1:.0f}l-4 -8h8z"/>')
        for (source, target), count in self.counts.items():
            at = start[source, self.first[source, target]]
            labels += [_text(at, y[source] + BOX + 15, str(count), x) for x in ("under", "count")]
        for box in (box for box in self.x if "@" not in box):
            out += _box(self.x[box], y[box], self.wide[box], box)
        words = f"{'   '.join(self.bar)}   ({self.below} imports from above)"
        bottom = 30 + ROW * len(self.rows)
        return out + labels + _box(self.width / 2, bottom, self.width - 20, words)


def _mean(numbers: list[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise


def _text(x: float, y: float, words: str, kind: str = "box") -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}">{words}</text>'


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    at = f'x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="5"'
    return f'<rect class="{kind}" {at}/>'


def _box(x: float, y: float, width: float, words: str) -> list[str]:
    return [_rect("box", x - width / 2, y, width, BOX), _text(x, y + 20, words)]


def picture() -> str:
    """Return the picture as SVG."""
    whole = Panel("lecture_optax", 1000)
    recipe, training = Panel("lecture_optax.recipe", 440), Panel("lecture_optax.training", 550)
    below = 10 + whole.height
    height = below + max(recipe.height, training.height)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 {height}" width="1000">']
    out += [f"<style>{STYLE}</style>", _rect("ground", 0, 0, 1000, height)]
    for panel, x, y in (whole, 0, 10), (recipe, 0, below), (training, 450, below):
        out += [f'<g transform="translate({x} {y})">', *panel.draw(), "</g>"]
    return "\n".join([*out, "</svg>", ""])


def main(arguments: list[str]) -> int:
    """Draw the picture, or compare it with the file; return the exit status."""
    if arguments == ["--check"]:
        if PICTURE.exists() and PICTURE.read_text() == picture():
            return 0
        print(f"{PICTURE.relative_to(ROOT)} is out of date: run python -m tools.draw_map.")
        return 1
    PICTURE.write_text(picture())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
