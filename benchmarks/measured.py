"""What benchmarks measure: figures, their words, and the files that keep them.

A figure is a dict of numbers. A key ends in its unit: "ours, s". A "ratio" is ours / theirs, so
less is better; "low" and "high" are the smallest and the largest ratio of a round.
"""

import datetime
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"

Figure = Mapping[str, float]
Figures = Iterable[tuple[str, Figure]]
"""Figures by their names. A benchmark yields each as soon as it is measured."""

PACKAGES = "jax", "optax", "torch"


def words(key: str, value: float) -> str:
    """Return a number as a reader sees it. All rounding is done here."""
    unit = key.rpartition(", ")[2]
    if unit == "s":
        size = next((x for x in ((1, "s"), (1e-3, "ms")) if value >= x[0]), (1e-6, "µs"))
        return f"{_digits(value / size[0], 3)} {size[1]}"
    if unit == "bytes":
        return f"{value / 1e6:,.0f} MB"
    if unit in ("ratio", "low", "high"):
        return f"{value:.2f}"
    if unit == "loss":
        return f"{value:.4f}"
    if unit == "%":
        return f"{value:.{int(abs(value) < 9.95)}f}".replace("-0.0", "0.0").replace("-", "−")
    if unit == "points":
        return f"{value:+.1f}".replace("-", "−")
    if unit == "share":
        return f"{_digits(100 * value, 3)} %"
    if key == "cost, runs":
        return _digits(value, 2)
    if unit == "error":
        return f"{value:.2g}"
    return f"{value:,.0f}"


def _digits(value: float, count: int) -> str:
    """Return so many digits, without an exponent: 12.3, 1.23, 0.0123."""
    return f"{float(f'{value:.{count}g}'):g}"


def show(figures: Figures) -> None:
    """Print each figure when it is measured."""
    for name, figure in figures:
        line = ", ".join(f"{key.partition(',')[0]} {words(key, x)}" for key, x in figure.items())
        print(f"{name:44} {line}", flush=True)


def save(
    name: str, command: str, figures: Mapping[str, Figure], folder: Path = RESULTS, **about: Any
) -> None:
    """Write the figures of a command, one a line. `about` replaces what is known of this moment."""
    known = {
        "command": command,
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
    }
    lines = [f" {json.dumps(key)}: {json.dumps(x)}," for key, x in {**known, **about}.items()]
    rows = (f"  {json.dumps(n)}: {json.dumps(_rounded(x))}" for n, x in figures.items())
    text = ["{", *lines, ' "figures": {', ",\n".join(rows), " }", "}", ""]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text("\n".join(text))


def load(name: str, folder: Path | None = None) -> dict[str, Any]:
    """Return what `save` wrote, by default to `RESULTS`."""
    return json.loads(((folder or RESULTS) / f"{name}.json").read_text())


def machine() -> str:
    """Return the processor and its number of cores in words."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor() or platform.machine()
    return f"{' '.join(model.split())}, {os.cpu_count()} cores"


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that are compared."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _rounded(figure: Figure) -> dict[str, float]:
    return {key: x if isinstance(x, int) else float(f"{x:.5g}") for key, x in figure.items()}
