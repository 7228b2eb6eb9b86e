"""The imports of a Python package, read from its source."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def sources(package: str = "lecture_optax") -> dict[str, Path]:
    """Return the file of every module of a package, by the module's name."""
    files = sorted((ROOT / package).rglob("*.py"))
    parts = {path: path.relative_to(ROOT).with_suffix("").parts for path in files}
    return {".".join(parts[path]).removesuffix(".__init__"): path for path in files}


@functools.cache
def imports(package: str = "lecture_optax") -> dict[str, set[str]]:
    """Return the modules of a package that each of its modules imports.

    An import inside a function or under `TYPE_CHECKING` counts like any other.
    """
    files = sources(package)
    return {
        module: {target for target in _targets(module, path, files) if target != module}
        for module, path in files.items()
    }


def _targets(module: str, path: Path, files: dict[str, Path]) -> Iterator[str]:
    home = module.split(".") if path.stem == "__init__" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        elif isinstance(node, ast.ImportFrom):
            start = home[: len(home) - node.level + 1] if node.level else []
            source = ".".join([*start, *filter(None, [node.module])])
            if source in files:
                members = (f"{source}.{alias.name}" for alias in node.names)
                yield from (member if member in files else source for member in members)
