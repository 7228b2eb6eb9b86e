"""The notebooks as pages of the site: copied, as they were executed, when a build begins.

`notebooks/README.md` is the index of both: its sections become the cards of the tutorials.
"""

import re
from pathlib import Path

import nbformat
from files import write
from sphinx.application import Sphinx

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

SECTION = re.compile(
    r"### \[(?P<title>.+?)\]\((?P<page>\w+)\.ipynb\)\n\n"
    r"(?P<slides>.+)\n\n"
    r'<a .+?><img src="(?P<picture>.+?)".* alt="(?P<alt>.+?)"></a>\n\n'
    r"(?P<text>(?:.+\n)+)"
)
CARD = """
:::{{grid-item-card}} {title}
:link: {page}
:link-type: doc
:img-top: ../../notebooks/{picture}
:img-alt: {alt}

{text}
*{slides}*
:::
"""


def cards(index: str) -> str:
    """Return the sections of the index of the notebooks as a grid of cards."""
    sections = [match.groupdict() for match in SECTION.finditer(index)]
    if len(sections) != index.count("\n### "):
        raise ValueError(f"{NOTEBOOKS / 'README.md'} has a section of another form")
    grid = "".join(CARD.format(**section) for section in sections)
    return f"::::{{grid}} 1 1 2 2\n:gutter: 3\n{grid}::::\n"


def page(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a notebook for the site, without the cell that installs the library."""
    notebook.cells = [c for c in notebook.cells if 'find_spec("lecture_optax")' not in c.source]
    return notebook


def generate(app: Sphinx) -> None:
    """Write the pages and the cards beside `tutorials/index.md`."""
    sources = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    texts = {
        path.name: nbformat.writes(page(nbformat.read(path, as_version=4))) for path in sources
    }
    texts["_cards.md"] = cards((NOTEBOOKS / "README.md").read_text())
    write(Path(app.srcdir, "tutorials"), texts, generated="*.ipynb")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True}
