"""The public names, with the place where each is defined and what its docstring says.

What the packages and modules export that CONTRIBUTING.md names is public.
"""

import ast
import functools
import importlib
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tools.imports import ROOT

PACKAGES = ["lo", "lo.recipe", "lo.training", "lo.theory", "lo.testing", "lo.schedules"]
MODULES = ["lo.training.problems", "lo.training.callbacks"]


@dataclass(frozen=True)
class Definition:
    """Where a name is defined, and its docstring; of a value, the string below it."""

    module: ModuleType
    node: ast.AST
    docstring: str

    @property
    def path(self) -> Path:
        """The file, below the root of the repository."""
        return Path(str(self.module.__file__)).relative_to(ROOT)


def module_named(name: str) -> ModuleType:
    """Return the module of a name such as "lo.recipe"."""
    return importlib.import_module(name.replace("lo", "lecture_optax", 1))


def names_of(module: ModuleType) -> list[str]:
    """Return the names that an `__init__` exports (`from .x import y as y`), or a module defines.

    They are in the order of the file.
    """
    tree = tree_of(module)
    if hasattr(module, "__path__"):
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        found = [x.name for node in imports for x in node.names if x.asname == x.name]
        return [name for name in found if name != "__version__"]
    return [name for name in definitions(module) if not name.startswith("_")]


@functools.cache
def tree_of(module: ModuleType) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(Path(str(module.__file__)).read_text())


@functools.cache
def definitions(module: ModuleType) -> dict[str, Definition]:
    """Return everything that a module defines."""
    found, body = {}, tree_of(module).body
    for node, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = Definition(module, node, ast.get_docstring(node) or "")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            text = inspect.cleandoc(str(below.value.value)) if is_text else ""
            names = [x.id for x in ast.walk(target) if isinstance(x, ast.Name)]
            found |= {name: Definition(module, node, text) for name in names}
    return found


def definition_of(module: ModuleType, name: str) -> Definition:
    """Return the definition of a name, from the file that has it."""
    if name in definitions(module):
        return definitions(module)[name]
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
            parts = [module.__name__, node.module, None if node.module else name]
            if not hasattr(module, "__path__"):
                parts[0] = module.__name__.rsplit(".", node.level)[0]
            at = importlib.import_module(".".join(part for part in parts if part))
            if not node.module:
                return Definition(at, tree_of(at), ast.get_docstring(tree_of(at)) or "")
            return definition_of(at, name)
    raise LookupError(f"{module.__name__} neither defines nor imports {name}")


def sections() -> dict[str, list[str]]:
    """Return the names of `lo` by the sections that `help(lo)` shows."""
    text = str(module_named("lo").__doc__)
    parts = re.findall(r"^([A-Z].*)\n\n((?: {4}\w.*\n?)+)", text, re.M)
    return {title: re.findall(r"^    (\w+)", lines, re.M) for title, lines in parts}


def schedules() -> list[str]:
    """Return the names of `lo.schedules` that make a schedule."""
    module = module_named("lo.schedules")
    nodes = {name: definition_of(module, name).node for name in names_of(module)}
    return [
        name
        for name, node in nodes.items()
        if isinstance(node, ast.FunctionDef) and ast.unparse(node.returns or node) == "Schedule"
    ]
