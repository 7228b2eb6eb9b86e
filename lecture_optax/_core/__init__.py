"""The version of this library, and the names that `dir` of a public package shows."""

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

__version__ = "0.1.0"


def exported(namespace: Mapping[str, Any], *modules: str) -> list[str]:
    """Return the public names of a package, for its `__dir__`.

    Python puts every submodule that is imported into the namespace of its package. Those that are
    public are listed in `modules`.
    """
    names = (name for name, value in namespace.items() if not isinstance(value, ModuleType))
    public = {name for name in names if name[0] != "_" or name.startswith("__")}
    return sorted(public | {*modules})


def no_attribute(module: str, name: str, names: Iterable[str], elsewhere: ModuleType) -> Exception:
    """Return the error for a name that a module lacks, with the nearest name or Optax's own."""
    from .validate import nearest

    known = list(names)
    near = name.lower() if name.lower() in known else nearest(name, known)
    advice = f" Did you mean {near!r}?" if near else ""
    if hasattr(elsewhere, name):
        advice = f" Optax has it: {elsewhere.__name__}.{name}."
    return AttributeError(f"module {module!r} has no attribute {name!r}.{advice}")
