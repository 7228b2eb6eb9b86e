"""Recorded streams of optimizers of torch and Keras: which gradients, which parameters.

`torch.npz` and `keras.npz` have the parameters θ(0), θ(1), ... of each stream, at
`NAME/path/LEAF`. The gradients are those of `gradients_of`, or, of a training, at
`NAME/gradients/LEAF`. Neither torch nor Keras is needed to read them.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Tree = dict[str, Any]
HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs/howto/identify_an_optimizer.md"
STEPS = 24
SHAPES = {"w": (3, 2), "b": (3,)}


class Stream(NamedTuple):
    """What `identify` takes."""

    gradients: Tree
    updates: Tree
    params: Tree


def gradients_of(dtype: Any = np.float64) -> Tree:
    """Return the gradients that all streams share but those of trainings."""
    normal = np.random.default_rng(0).standard_normal
    return {name: normal((STEPS, *shape)).astype(dtype) for name, shape in SHAPES.items()}


def start_of(dtype: Any = np.float64) -> Tree:
    """Return θ(0) of these streams."""
    normal = np.random.default_rng(1).standard_normal
    return {name: normal(shape).astype(dtype) for name, shape in SHAPES.items()}


def write(framework: str, version: str, stored: dict[str, dict[str, Tree]]) -> None:
    """Write the streams of a framework."""
    arrays = {
        f"{name}/{kind}/{leaf}": x
        for name, kinds in stored.items()
        for kind, tree in kinds.items()
        for leaf, x in tree.items()
    }
    np.savez_compressed(HERE / f"{framework}.npz", version=version, **arrays)


def read(framework: str) -> dict[str, Stream]:
    """Return the stored streams by name, as "Adam (float64)"."""
    trees: dict[str, dict[str, Tree]] = {}
    with np.load(HERE / f"{framework}.npz") as file:
        for key in file.files:
            if key != "version":
                name, kind, leaf = key.split("/", 2)
                trees.setdefault(name, {}).setdefault(kind, {})[leaf] = file[key]
    return {name: _stream(**kinds) for name, kinds in trees.items()}


def _stream(path: Tree, gradients: Tree | None = None) -> Stream:
    if gradients is None:
        shared = gradients_of(next(iter(path.values())).dtype)
        gradients = {name: shared[name] for name in path}
    updates = {name: np.diff(θ.astype(np.float64), axis=0) for name, θ in path.items()}
    return Stream(gradients, updates, {name: θ[:-1] for name, θ in path.items()})


def recorder(framework: str) -> Any:
    """Return the recorder that the how-to shows for a framework."""
    fences = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (source,) = (fence for fence in fences if fence.startswith("import") and framework in fence)
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    return namespace[{"torch": "Recorder", "keras": "record"}[framework]]
