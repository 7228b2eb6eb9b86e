"""The verb `identify`: the method behind recorded gradients and updates."""

import json as json_module
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from tyro.conf import Positional, arg

from .arguments import UsageError, usage_errors
from .train import number

if TYPE_CHECKING:
    from ..theory.identification.result import Identification

KINDS = "gradients", "updates", "params"


@dataclass
class Identify:
    """Name the optimizer that made recorded updates, with its hyperparameters.

    The exit status is 1 if no known method makes these updates.
    """

    recording: Annotated[Positional[Path], arg(metavar="UPDATES.npz")]
    """An .npz file: gradients/NAME, updates/NAME and, if recorded, params/NAME for each leaf NAME;
    the first axis is the step. Or gradients, updates and params, of a single leaf."""
    json: bool = False
    """Print a JSON object instead of text."""

    def run(self) -> int:
        recorded = read_recording(self.recording)
        from ..theory import identify

        with usage_errors():
            found = identify(*recorded)
        print(json_module.dumps(record_of(found)) if self.json else found)
        return 1 if found.name is None else 0


def record_of(found: "Identification") -> dict[str, Any]:
    """Return an identification as JSON values."""
    where = found.deviation
    rates = found.learning_rates
    return {
        "name": found.name,
        "chain": found.chain,
        "hyperparameters": {name: _plain(x) for name, x in found.hyperparameters.items()},
        "learning_rates": None if rates is None else [number(x) for x in np.ravel(rates)],
        "schedule": found.schedule,
        "intervals": {name: [number(x) for x in ends] for name, ends in found.intervals.items()},
        "same_as": list(found.same_as),
        "would_decide": list(found.would_decide),
        "error": number(found.error),
        "deviation": where
        and {"step": int(where.step), "leaf": where.leaf, "error": number(where.error)},
        "reason": found.reason,
        "steps": found.steps,
        "unused": found.unused,
        "by_leaf": dict(found.by_leaf),
        "text": str(found),
    }


def read_recording(path: Path) -> tuple[Any, Any, Any]:
    """Return the gradients, the updates and the parameters of a recording, None without them.

    **Raises** `ValueError` if the file is not an .npz file of arrays of numbers, or its keys and
    shapes do not fit.
    """
    arrays = _arrays(path)
    trees = {kind: _tree(kind, arrays) for kind in KINDS}
    for kind in KINDS[:2]:
        if not trees[kind]:
            raise UsageError(
                f"{path} must have the arrays gradients/NAME and updates/NAME of each leaf NAME, "
                f"or gradients and updates, got {', '.join(arrays) or 'none'}."
            )
    first = trees["gradients"]
    if "" in first and len(first) > 1:
        raise UsageError(f"{path} must have either gradients or gradients/NAME, got both.")
    for kind, tree in trees.items():
        if tree and tree.keys() != first.keys():
            name = min(tree.keys() ^ first.keys())
            present = [kind for kind in (kind, "gradients") if name in trees[kind]]
            raise UsageError(
                f"{path} must have the same leaves in gradients and in {kind}, got "
                f"{name or 'a single leaf'} in {present[0]} only."
            )
        for name, x in tree.items():
            shape = getattr(first[name], "shape", ())
            _check(path, f"{kind}/{name}".rstrip("/"), x, shape)
    gradients, updates, params = (tree.get("", tree) for tree in trees.values())
    return gradients, updates, params if trees["params"] else None


def _arrays(path: Path) -> dict[str, Any]:
    """Return the arrays of an .npz file that belong to a recording."""
    if not path.is_file():
        raise UsageError(f"the recording must be a file, got {path}, which is not a file.")
    if not zipfile.is_zipfile(path):
        raise UsageError(
            f"{path} must be an .npz file, as numpy.savez writes it, got another kind."
        )
    try:
        with np.load(path) as file:
            return {key: file[key] for key in file.files if key.split("/")[0] in KINDS}
    except (ValueError, OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} must be an .npz file of arrays of numbers: {error}") from error


def _tree(kind: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """Return the leaves of a kind by name; that of a single leaf is empty."""
    parts = [(*key.partition("/"), x) for key, x in arrays.items()]
    return {name: x for first, _, name, x in parts if first == kind}


def _check(path: Path, key: str, x: Any, shape: tuple[int, ...]) -> None:
    dtype = getattr(x, "dtype", np.dtype(object))
    if dtype.kind not in "fc":
        raise UsageError(f"{key} in {path} must have a floating-point dtype, got {dtype}.")
    if x.ndim == 0 or x.shape != shape:
        wanted = f"the shape {shape} of its gradients" if shape else "an axis of steps"
        raise UsageError(f"{key} in {path} must have {wanted}, got {x.shape}.")


def _plain(x: Any) -> Any:
    return number(x) if isinstance(x, float) else x
