"""Optional dependencies, axes of a new figure, and warnings that name the caller's line."""

import sys
import warnings
from collections.abc import Mapping
from importlib import import_module
from itertools import accumulate
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PACKAGE = __name__.partition(".")[0]


def require(module: str, *, extra: str, what: str, otherwise: str = "") -> ModuleType:
    """Import an optional module, or raise an `ImportError` that says how to install it.

    **Arguments**

    - `module`: the full name, `"matplotlib.pyplot"`.
    - `extra`: the extra of `pyproject.toml` that installs it.
    - `what`: what needs the module, as a noun: `"plots"`.
    - `otherwise`: a sentence with another way out, where there is one.
    """
    try:
        return [import_module(name) for name in accumulate(module.split("."), "{}.{}".format)][-1]
    except ImportError as error:
        problem = f"{module.partition('.')[0]} is needed for {what} and cannot be imported"
        sentences = f"{problem} ({error}).", f"Install it {install(extra)}.", otherwise
        raise ImportError(" ".join(filter(None, sentences))) from error


def install(extra: str) -> str:
    """Return the command that installs an extra. The package is on no index."""
    return f'in a clone of {PACKAGE}: pip install ".[{extra}]"'


def new_axes() -> "Axes":
    """Return the axes of a new figure without showing it.

    **Raises** `ImportError` without Matplotlib, naming the extra.
    """
    pyplot = require("matplotlib.pyplot", extra="plot", what="plots")
    return pyplot.subplots(layout="constrained")[1]


def warn(message: str) -> None:
    """Warn, and name the line outside of this package that made the call."""
    # Python 3.12 has warnings.warn(skip_file_prefixes=...), 3.11 has not.
    frame, level = sys._getframe(1), 2
    while frame is not None and _top_package(frame.f_globals) in (PACKAGE, "contextlib"):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level)


def _top_package(names: Mapping[str, Any]) -> str:
    """Return the first part of a module's name; contextlib runs functions of ours it decorates."""
    return names.get("__name__", "").partition(".")[0]
