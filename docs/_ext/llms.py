"""Plain text for language models: `llms.txt`, an index, and `llms-full.txt`, the whole API.

The form of `llms.txt` is that of https://llmstxt.org.
"""

from pathlib import Path

import docstrings
from docutils import nodes
from reference import pages
from sphinx.application import Sphinx

import lecture_optax as lo
from tools.public_names import sections

FOLDERS = ["start", "howto", "coming_from", "gallery", "explanation", "tutorials"]


def index(app: Sphinx) -> str:
    """Return the index: a line for every page, and for every public name of `lo`."""
    out = ["# lecture_optax", f"> {_summary()}"]
    out.append(
        "`lo` is `import lecture_optax as lo`. [Every docstring in one page](llms-full.txt)."
    )
    for folder in FOLDERS:
        listed = app.env.toctree_includes.get(f"{folder}/index", [])
        lines = [_line(app, page) for page in [f"{folder}/index", *listed]]
        out += [f"## {app.env.titles[f'{folder}/index'].astext()}", "\n".join(lines)]
    of_name = pages()
    for title, names in sections().items():
        lines = [
            f"- [lo.{name}](reference/generated/{of_name[f'lo.{name}']}.html): "
            f"{docstrings.statement(f'lo.{name}')}"
            for name in names
        ]
        out += [f"## Reference: {title}", "\n".join(lines)]
    return "\n\n".join(out) + "\n"


def whole() -> str:
    """Return the docstring of every public name, with its signature."""
    out = [f"# lecture_optax {lo.__version__}: every public name", _summary()]
    for dotted in docstrings.every_name():
        is_called = callable(docstrings.value(dotted))
        out.append(f"## {docstrings.signature(dotted) if is_called else dotted}")
        out.append(docstrings.definition(dotted).docstring)
        if isinstance(docstrings.value(dotted), type):
            for _, words, text in docstrings.methods(dotted).values():
                out += [f"### {dotted}.{words}", text]
    return "\n\n".join(out) + "\n"


def _summary() -> str:
    return str(lo.__doc__).partition("\n")[0]


def _line(app: Sphinx, page: str) -> str:
    """Return a link to a page with its first sentence."""
    paragraphs = app.env.get_doctree(page).findall(nodes.paragraph)
    first = " ".join(next((x.astext() for x in paragraphs), "").split())
    sentence = first.partition(". ")[0].rstrip(".:")
    return f"- [{app.env.titles[page].astext()}]({page}.html)" + (f": {sentence}." if first else "")


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write both files beside the pages."""
    if exception is None and app.builder.format == "html":
        Path(app.outdir, "llms.txt").write_text(index(app))
        Path(app.outdir, "llms-full.txt").write_text(whole())


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the files after the pages."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
