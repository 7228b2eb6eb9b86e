"""What SECURITY.md states of the code: no file that is read can name code to run."""

import ast
from pathlib import Path

import lecture_optax as lo

PACKAGE = Path(lo.__file__).parent
FORBIDDEN = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "socket", "urllib"}


def test_no_module_reads_pickles_runs_text_or_opens_a_connection():
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [getattr(node, "module", "") or "", *(x.name for x in node.names)]
                found += [(path.name, x) for x in names if x.partition(".")[0] in FORBIDDEN]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                found += [(path.name, node.func.id)] * (node.func.id in ("eval", "exec"))
            elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                found.append((path.name, "allow_pickle"))
            elif isinstance(node, ast.Constant) and str(node.value).endswith("pickle"):
                found.append((path.name, node.value))
    # text of an address; between the processes of one search; whether a cluster is where the user
    # says; the chain that `identify` has written from numbers; a reproduction, which `certify` has
    # written for the factory that it was given; and the port of the lab
    assert sorted(found) == [
        ("lab.py", "urllib.parse"),
        ("ray_actor.py", "ray.cloudpickle"),
        ("ray_cluster.py", "socket"),
        ("result.py", "eval"),
        ("script.py", "exec"),
        ("server.py", "socket"),
    ]


def test_the_files_that_it_names_exist():
    words = (PACKAGE.parent / "SECURITY.md").read_text().split("`")
    named = [word for word in words if word.startswith("lecture_optax/")]
    assert len(named) == 6 and all((PACKAGE.parent / name).is_file() for name in named)
