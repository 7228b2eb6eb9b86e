"""Execute the notebooks: `NN_name.py`, reviewed as code, becomes `NN_name.ipynb`.

    python notebooks/build.py              execute and write all notebooks
    python notebooks/build.py 02 05        these two
    python notebooks/build.py --check      execute, write nothing, fail if a text differs

Nothing is written to the home directory. What a cell writes to stderr (a warning) is an error.
Cells with the tag "inexact", whose numbers depend on the processor, are executed but not compared.
The first picture of each notebook becomes `pictures/NN.png`, for the index.
"""

import argparse
import difflib
import os
import sys
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from time import perf_counter

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

from tools import REPOSITORY

HERE = Path(__file__).parent
COLAB = "https://colab.research.google.com"
WIDGET = "application/vnd.jupyter.widget-view+json"
SECONDS = 600
"""The time limit of a cell, sufficient on a busy machine."""


def sources(wanted: list[str]) -> list[Path]:
    """Return the notebooks whose names begin with a wanted word, or all of them."""
    found = sorted(HERE.glob("[0-9][0-9]_*.py"))
    unknown = [name for name in wanted if not any(p.name.startswith(name) for p in found)]
    if unknown:
        known = ", ".join(path.stem for path in found)
        sys.exit(f"no notebook begins with {', '.join(unknown)}; there are {known}")
    return [path for path in found if not wanted or path.name.startswith(tuple(wanted))]


def executed(source: Path) -> nbformat.NotebookNode:
    """Execute a source and return its notebook with outputs."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook.metadata["language_info"] = {"name": "python"}
    if REPOSITORY:
        link = f"{COLAB}/github/{REPOSITORY}/blob/main/notebooks/{source.stem}.ipynb"
        badge = f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({link})"
        notebook.cells[0].source += f"\n\n{badge}"
    settings = {"store_widget_state": False, "coalesce_streams": True}
    folder = {"metadata": {"path": HERE}}
    NotebookClient(notebook, timeout=SECONDS, resources=folder, **settings).execute()
    for i, cell in enumerate(notebook.cells):  # equal outputs give equal bytes
        cell.id = f"{source.stem[:2]}-{i}"
        cell.metadata = {k: v for k, v in cell.metadata.items() if k == "tags"}
    compact(notebook)
    leave_pictures(notebook)
    return notebook


def leave_pictures(notebook: nbformat.NotebookNode) -> None:
    """Leave of a widget its picture: without a kernel a notebook says that it has no model."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET, None)


def compact(notebook: nbformat.NotebookNode) -> None:
    """Store each picture with 256 colours: enough for plots, and a third of the bytes."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if png := output.get("data", {}).get("image/png"):
                small = BytesIO()
                picture = Image.open(BytesIO(b64decode(png))).convert("RGB")
                picture.quantize(256).save(small, format="png", optimize=True)
                output.data["image/png"] = b64encode(small.getvalue()).decode()


def complaints(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """Yield what cells wrote to stderr."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.get("name") == "stderr":
                yield output.text


def text_of(notebook: nbformat.NotebookNode) -> list[str]:
    """Return the lines of the cells and of their printed output, without pictures."""
    lines: list[str] = []
    for cell in notebook.cells:
        lines += cell.source.splitlines()
        if "inexact" not in cell.metadata.get("tags", ()):
            lines += "".join(texts_in(cell)).splitlines()
    return lines


def texts_in(cell: nbformat.NotebookNode) -> Iterator[str]:
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        if "image/png" not in data:
            yield output.get("text") or data.get("text/plain", "")


def first_picture(notebook: nbformat.NotebookNode) -> bytes:
    pictures = (
        output.data["image/png"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    )
    return b64decode(next(pictures))


def build(source: Path, check: bool) -> str | None:
    """Execute a notebook, write or compare it, and return what is wrong, or None."""
    began, target = perf_counter(), source.with_suffix(".ipynb")
    try:
        notebook = executed(source)
    except CellExecutionError as error:
        return f"{source.name}: {error}"
    print(f"{source.stem:28}{perf_counter() - began:6.1f} s", flush=True)
    if wrong := "".join(complaints(notebook)):
        return f"{source.name} writes to stderr:\n{wrong}"
    if not check:
        nbformat.write(notebook, target)
        (HERE / "pictures").mkdir(exist_ok=True)
        (HERE / "pictures" / f"{source.name[:2]}.png").write_bytes(first_picture(notebook))
        return None
    if not target.exists():
        return f"{target.name} is missing: run `make notebooks`"
    before, now = text_of(nbformat.read(target, as_version=4)), text_of(notebook)
    words = "\n".join(difflib.unified_diff(before, now, target.name, "now", lineterm="", n=1))
    return words and f"{words}\nrun `make notebooks` if the change is meant"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="prefixes of names, for example 02")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, ThreadPoolExecutor(os.cpu_count()) as pool:
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR"):
            os.environ[name] = home
        results = pool.map(lambda source: build(source, wanted.check), sources(wanted.names))
        wrong = [words for words in results if words]
    sys.exit("\n\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
