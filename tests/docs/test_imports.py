"""The import graph of the package, with the imports inside functions, has one direction."""

import ast
import graphlib
from collections import Counter

from tools.imports import imports, sources

FILES = sources()
GRAPH = imports()
CATALOGUES = {"lecture_optax", "lecture_optax.schedules", "lecture_optax.theory.claims"}
IMPORTS_BY_NAME = {
    "lecture_optax._core.extras": "optional dependencies, by `require`",
    "lecture_optax.cli.arguments": "a module of the user, by `lecture-optax train module:function`",
}


def test_no_module_imports_itself_through_others():
    graphlib.TopologicalSorter(GRAPH).prepare()  # a circle is an error that lists it


def test_no_module_imports_the_root_which_imports_all_of_them():
    assert not [module for module, targets in GRAPH.items() if "lecture_optax" in targets]


def test_no_folder_has_more_than_twelve_modules():
    modules = [module for module, path in FILES.items() if path.stem != "__init__"]
    sizes = Counter(module.rpartition(".")[0] for module in modules)
    assert not {at: n for at, n in sizes.items() if n > 12 and at not in CATALOGUES}


def nodes_of(path):
    return ast.walk(ast.parse(path.read_text()))


def names_in(path):
    for node in nodes_of(path):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                yield name


def test_no_module_is_imported_by_a_string():
    found = {m for m, path in FILES.items() if {"import_module", "__import__"} & {*names_in(path)}}
    assert found == IMPORTS_BY_NAME.keys()


def test_only_other_packages_are_required_by_name():
    calls = [
        node for path in FILES.values() for node in nodes_of(path) if isinstance(node, ast.Call)
    ]
    required = [call.args[0] for call in calls if getattr(call.func, "id", None) == "require"]
    words = [ast.unparse(name).removeprefix("f").strip("'\"") for name in required]
    assert words
    assert not [name for name in words if not name[0].isalpha() or name.startswith("lecture_optax")]
