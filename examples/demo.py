"""Let the library select a learning rate on scikit-learn's digits, beside Adam at 1e-3.

python examples/demo.py         # prints a table and the reasons, writes demo.png and demo.html
"""

import sys
from pathlib import Path

import flax.linen as nn
import matplotlib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import lecture_optax as lo

matplotlib.use("Agg")
import matplotlib.pyplot as plt

STEPS, BUDGET, SEED = 300, 3, 0
PURPLE = "#882255"


def digits():
    """Return images in [0, 1] and labels as three pairs: training, validation and test set."""
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(np.float32(x / 16), y, random_state=SEED)
    x, x_valid, y, y_valid = train_test_split(x, y, random_state=SEED)
    return (x, y), (x_valid, y_valid), (x_test, y_test)


def train_both(data, valid) -> tuple[lo.training.Result, lo.training.Result]:
    """Train a network with Adam at 1e-3, and with what a search selects."""
    model = nn.Sequential([nn.Dense(128), nn.relu, nn.Dense(128), nn.relu, nn.Dense(10)])
    same = {"loss": "cross_entropy", "valid": valid, "steps": STEPS, "metrics": ["accuracy"]}
    print(f"1 of 2: Adam at 1e-3, the usual default, {STEPS} steps")
    usual = lo.fit(model, data, tx=lo.adam(1e-3), **same)
    print(f"\n2 of 2: lo.fit(..., budget={BUDGET}): a search at the cost of {BUDGET} such runs")
    return usual, lo.fit(model, data, budget=BUDGET, **same)


def table(results: dict[str, lo.training.Result], valid, test) -> str:
    """Return the losses and the test accuracy of the results."""
    lines = [f"{'':24}{'validation loss':>16}{'test loss':>11}{'test accuracy':>15}"]
    for name, result in results.items():
        on_valid, on_test = result.evaluate(valid), result.evaluate(test)
        line = f"{on_valid['loss']:16.3f}{on_test['loss']:11.3f}{on_test['accuracy']:15.1%}"
        lines.append(f"{name:24}{line}")
    return "\n".join(lines)


def draw(usual: lo.training.Result, found: lo.training.Result, path: Path) -> None:
    """Draw the validation loss of all arms of the search, and of Adam at 1e-3, over the steps."""
    figure, ax = plt.subplots(figsize=(10, 5.6), layout="constrained")
    found.search.plot(ax=ax)
    evaluations = [x for x in usual.history.evaluations if x["step"] >= ax.get_xlim()[0]]
    steps = [x["step"] for x in evaluations]
    losses = [x["valid_loss"] for x in evaluations]
    ax.plot(steps, losses, "--", color=PURPLE, lw=2.4)
    ax.set_xlim(right=1.8 * STEPS)
    middle = len(steps) // 3
    ax.annotate(
        "Adam at 1e-3, the usual default,\ntrained alone to the end",
        (steps[middle], losses[middle]),
        (25, 45),
        textcoords="offset points",
        color=PURPLE,
        arrowprops={"arrowstyle": "-", "color": PURPLE},
    )
    number = len(found.search.history)
    ax.set_title(
        f"One call starts {number} runs, prunes those that lose, and returns the best model (★), "
        f"at the cost of {BUDGET} complete runs.\n"
        "Blue: Adam. Green: SGD with Nesterov's momentum. Black: selected. Orange: diverges. "
        "Each line has its learning rate.",
        loc="left",
        size="medium",
    )
    figure.savefig(path, dpi=120)


def main() -> None:
    """Train, print the table and the reasons, and write the picture and the page."""
    data, valid, test = digits()
    usual, found = train_both(data, valid)
    results = {"Adam at 1e-3": usual, f"selected, budget {BUDGET}": found}
    print("\n" + table(results, valid, test))
    print("\n" + found.search.explain())
    picture, page = Path("demo.png").resolve(), Path("demo.html").resolve()
    draw(usual, found, picture)
    found.search.report(page)
    print(f"\nThe picture: {picture}\nThe page:    {page}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nStopped; nothing was written.", file=sys.stderr)
        sys.exit(130)
