"""The picture of the page `scaling`: speed-up by workers, and what overheads leave of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

from .searches import Plan

FILE = Path(__file__).parents[2] / "docs" / "explanation" / "scaling.svg"


def draw(
    workers: Sequence[int],
    lines: Mapping[Plan, Sequence[float]],
    steps: Sequence[str],
    states: Sequence[str],
    shares: Sequence[Sequence[float]],
    file: Path = FILE,
) -> None:
    """Draw the speed-up of every plan over the workers, and shares by step and state."""
    with plt.rc_context({"svg.hashsalt": "scaling", "svg.fonttype": "none", "font.size": 10}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
        left.plot(workers, workers, ":", color="0.6")
        left.annotate("as many times as workers", (7, 5.8), color="0.4")
        height = 0.0
        for plan, line in sorted(lines.items(), key=lambda item: item[1][-1]):
            (drawn,) = left.plot(workers, line, "o-", markersize=3)
            more = "" if plan.copies == 1 else f", {2 * plan.copies} optimizers"
            height = max(line[-1], height + 0.26)
            at, color = (1250, height), drawn.get_color()
            words = f"budget {plan.budget:g}{more}"
            left.annotate(words, at, color=color, va="center", annotation_clip=False)
        left.set(xscale="log", xlim=(0.9, 1000), ylim=(0.8, 6.2), xlabel="workers")
        left.set(ylabel="speed-up over one worker")
        left.set_xticks([1, 2, 4, 8, 16, 100, 1000], ["1", "2", "4", "8", "16", "100", "1,000"])
        left.set_xticks([], minor=True)
        left.spines[["top", "right"]].set_visible(False)
        right.imshow(shares, cmap="Blues", vmin=0, vmax=1, origin="lower", aspect="auto")
        right.set_xticks(range(len(states)), states)
        right.set_yticks(range(len(steps)), steps)
        right.set(xlabel="state of an arm", ylabel="time of a step")
        right.set_title("% of the best possible speed, 8 workers, 1 GB/s", fontsize=10)
        for i, row in enumerate(shares):
            for k, share in enumerate(row):
                color = "white" if share > 0.6 else "black"
                right.annotate(f"{100 * share:.0f}", (k, i), ha="center", va="center", color=color)
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
        plt.close(figure)
