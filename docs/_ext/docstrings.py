"""Docstrings as MyST Markdown: what the generated pages of the reference and the gallery share."""

import ast
import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from tools.public_names import (
    MODULES,
    PACKAGES,
    Definition,
    definition_of,
    module_named,
    names_of,
)

OWNERS = [*PACKAGES, *MODULES, "lo.theory.pictures"]
"""The modules whose names have a page each."""


@functools.cache
def every_name() -> list[str]:
    """Return every public name as a user types it, in the order of the files."""
    return [f"{owner}.{name}" for owner in OWNERS for name in names_of(module_named(owner))]


def parts(dotted: str) -> tuple[str, str]:
    """Return the owner and the last part of a name such as "lo.schedules.cosine"."""
    owner, _, name = dotted.rpartition(".")
    return owner, name


def definition(dotted: str) -> Definition:
    """Return the definition of a name such as "lo.schedules.cosine"."""
    owner, name = parts(dotted)
    return definition_of(module_named(owner), name)


def value(dotted: str) -> Any:
    """Return what a name such as "lo.schedules.cosine" stands for."""
    owner, name = parts(dotted)
    return getattr(module_named(owner), name)


def statement(dotted: str) -> str:
    """Return the first line of the docstring of a name."""
    return definition(dotted).docstring.partition("\n")[0]


def sections_of(docstring: str) -> dict[str, str]:
    """Return the parts of a docstring: its text under "", then each that begins with **Word**.

    A formula is indented, an example is fenced; the example is the last part, "Example".
    """
    text, fence, example = docstring.partition("```python\n")
    found = {"": ""}
    for block in text.split("\n\n"):
        title = re.match(r"\*\*([A-Z]\w+)\*\*|(Source):", block)
        if title:
            found.setdefault(title[1] or title[2], "")
        found[list(found)[-1]] += f"{block}\n\n"
    if fence:
        found["Example"] = fence + example
    return {name: part.strip("\n") for name, part in found.items()}


def as_markdown(docstring: str, link: Callable[[str], str] = str) -> str:
    """Return a docstring as Markdown for Sphinx.

    A line that is bold becomes a heading, a formula is plain text, and an example is a session of
    Python, which the tests execute. `link` replaces words in code style outside of these.
    """
    out = []
    for fence, prose in _blocks(docstring):
        if fence:
            is_session = ">>> " in prose
            start = "% not executed: the tests run it\n```pycon" if is_session else "```text"
            out.append(f"{start}\n{prose.strip(chr(10))}\n```")
        else:
            prose = re.sub(r"^\*\*([A-Z][^*]*)\*\*$", r"## \1", prose, flags=re.M)
            out.append(re.sub(r"`[^`\n]+`", lambda code: link(code[0]), prose))
    return "\n\n".join(out)


def _blocks(docstring: str) -> list[tuple[bool, str]]:
    """Return paragraphs of a docstring; True beside those that are code."""
    found, in_fence = [], False
    for piece in re.split(r"^```\w*$\n?", docstring, flags=re.M):
        if in_fence:
            found.append((True, piece))
        else:
            for block in re.split(r"\n\n+(?=\S)|\n\n(?=    (?! *- ))", piece.strip("\n")):
                is_formula = block.startswith("    ")
                found.append((is_formula, inspect.cleandoc(block) if is_formula else block))
        in_fence = not in_fence
    return [(fence, text) for fence, text in found if text.strip()]


def signature(dotted: str) -> str:
    """Return a name with its arguments as the source has them, in the types that it names."""
    found = definition(dotted)
    return dotted + _call(found.node, found.module)


def methods(dotted: str) -> dict[str, tuple[str, str]]:
    """Return the kind, signature and docstring of each public method of a class, by name."""
    found: dict[str, tuple[str, str, str]] = {}
    for kind in reversed(value(dotted).__mro__):
        if kind.__module__.startswith("lecture_optax"):
            module = inspect.getmodule(kind)
            home = definition_of(module, kind.__name__)
            for node in home.node.body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    decorators = {ast.unparse(x).rpartition(".")[2] for x in node.decorator_list}
                    is_property = bool(decorators & {"property", "cached_property"})
                    words = node.name if is_property else node.name + _call(node, home.module, True)
                    words += _returned(node, home.module) if is_property else ""
                    kind_of = "property" if is_property else "method"
                    found[node.name] = kind_of, words, ast.get_docstring(node) or ""
    return {name: entry for name, entry in found.items() if entry[2]}


def argument_names(node: ast.AST) -> set[str]:
    """Return the names of the arguments of a function, or of the fields of a class."""
    body = node.body if isinstance(node, ast.ClassDef) else []
    fields = {x.target.id for x in body if isinstance(x, ast.AnnAssign)}
    inside = [node, *(x for x in body if isinstance(x, ast.FunctionDef))]
    return fields.union(
        *(
            {a.arg for a in ast.walk(x.args) if isinstance(a, ast.arg)}
            for x in inside
            if isinstance(x, ast.FunctionDef)
        )
    )


def _call(node: ast.AST, module: ModuleType, is_method: bool = False) -> str:
    if isinstance(node, ast.ClassDef):
        own = [x for x in node.body if isinstance(x, ast.FunctionDef) and x.name == "__init__"]
        return _call(own[0], module, True).partition(" ->")[0] if own else _fields(node, module)
    if not isinstance(node, ast.FunctionDef):
        return ""
    a = node.args
    positional = [*a.posonlyargs, *a.args]
    defaults = [*[None] * (len(positional) - len(a.defaults)), *a.defaults]
    words = [_argument(x, d, module) for x, d in zip(positional, defaults, strict=True)]
    if a.posonlyargs:
        words.insert(len(a.posonlyargs), "/")
    if is_method and positional and positional[0].arg in ("self", "cls"):
        words = words[1:]
    if a.vararg:
        words.append(f"*{_argument(a.vararg, None, module)}")
    elif a.kwonlyargs:
        words.append("*")
    pairs = zip(a.kwonlyargs, a.kw_defaults, strict=True)
    words += [_argument(x, d, module) for x, d in pairs]
    if a.kwarg:
        words.append(f"**{_argument(a.kwarg, None, module)}")
    return f"({', '.join(words)}){_returned(node, module)}"


def _fields(node: ast.ClassDef, module: ModuleType) -> str:
    fields = [x for x in node.body if isinstance(x, ast.AnnAssign)]
    public = [x for x in fields if not x.target.id.startswith("_")]
    words = [_word(x.target.id, x.annotation, x.value, module) for x in public]
    return f"({', '.join(words)})" if public else ""


def _argument(x: ast.arg, default: ast.expr | None, module: ModuleType) -> str:
    return _word(x.arg, x.annotation, default, module)


def _word(
    name: str, annotation: ast.expr | None, default: ast.expr | None, module: ModuleType
) -> str:
    typed = f"{name}: {_type(annotation, module)}" if annotation else name
    if default is None:
        return typed
    if isinstance(default, ast.Call):  # the field of a dataclass
        has_default = any(x.arg.startswith("default") for x in default.keywords if x.arg)
        return f"{typed} = ..." if has_default else typed
    source = Path(str(module.__file__)).read_text()
    return f"{typed} = {ast.get_source_segment(source, default)}"


def _returned(node: ast.FunctionDef, module: ModuleType) -> str:
    return f" -> {_type(node.returns, module)}" if node.returns else ""


def _type(annotation: ast.expr, module: ModuleType) -> str:
    """Return a type as it is written; a public class by its public name."""
    return ast.unparse(
        _InPublicNames(module).visit(ast.parse(ast.unparse(annotation), mode="eval"))
    )


@functools.cache
def _classes() -> dict[Any, str]:
    return {value(dotted): dotted for dotted in every_name() if inspect.isclass(value(dotted))}


class _InPublicNames(ast.NodeTransformer):
    """Write public classes by their public names, and a type in quotes without them."""

    def __init__(self, module: ModuleType):
        self.module = module

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if ast.unparse(node.value).endswith("Literal"):
            return node
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str):
            return self.visit(ast.parse(node.value, mode="eval").body)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        dotted = _classes().get(getattr(self.module, node.id, None))
        return ast.parse(dotted, mode="eval").body if dotted else node
