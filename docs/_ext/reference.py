"""The reference: a page for every public name, in the sections that `help(lo)` shows.

The pages are written when a build begins, from the source: to `docs/reference/generated`, which
git ignores. `docs/reference/index.md` includes `_sections.md`.
"""

import re
from pathlib import Path
from types import ModuleType

import docstrings
from files import write
from sphinx.application import Sphinx

from tools.public_names import names_of, sections

FOLDER = "reference/generated"


def pages() -> dict[str, str]:
    """Return the name of the page of every public name."""
    found: dict[str, str] = {}
    for dotted in docstrings.every_name():
        page = dotted.removeprefix("lo.")
        if page.lower() in map(str.lower, found.values()):  # a disk may know one case only
            page += "-class" if isinstance(docstrings.value(dotted), type) else "-function"
        found[dotted] = page
    return found


def linked_in(dotted: str, own: set[str]) -> str:
    """Return a function that links `adam` in the docstring of a name to the page of `lo.adam`."""
    owner = dotted if dotted in docstrings.OWNERS else docstrings.parts(dotted)[0]
    known = set(docstrings.every_name())

    def link(code: str) -> str:
        name = code.strip("`")
        for full in (f"{owner}.{name}", f"lo.{name}"):
            if full in known and full != dotted and name not in own:
                return f"{{py:obj}}`{name} <{full}>`"
        return code

    return link


def page_of(dotted: str) -> str:
    """Return the page of a public name as Markdown."""
    thing, found = docstrings.value(dotted), docstrings.definition(dotted)
    link = linked_in(dotted, docstrings.argument_names(found.node))
    first, _, rest = found.docstring.partition("\n")
    kind, words = "data", dotted
    if isinstance(thing, ModuleType):
        kind = "module"
    elif isinstance(thing, type):
        kind, words = "class", docstrings.signature(dotted)
    elif callable(thing) and not hasattr(thing, "__origin__"):
        kind, words = "function", docstrings.signature(dotted)
    blocks = [
        f"---\norphan: true\n---\n\n{_place(dotted)}\n\n# {dotted}",
        docstrings.as_markdown(first, link),
        f"```{{py:{kind}}} {words}\n```",
        docstrings.as_markdown(rest, link),
    ]
    if kind == "module":
        blocks.append(_table([f"{dotted}.{x}" for x in names_of(thing)]))
    if kind == "class":
        blocks += _methods(dotted, link)
    source = Path(*[".."] * (2 + FOLDER.count("/")), found.path)
    blocks.append(f"Source: {{download}}`{found.path} <{source}>`")
    return "\n\n".join(block for block in blocks if block.strip()) + "\n"


def _place(dotted: str) -> str:
    """Return links to what a page is a part of. A name is in no table of contents: a sidebar with
    all of them would be long, and takes most of the time of a build."""
    owner = docstrings.parts(dotted)[0]
    return "[Reference](../index.md)" + (f" › `{owner}`" if owner != "lo" else "")


def _methods(dotted: str, link) -> list[str]:
    blocks = []
    for kind, words, docstring in docstrings.methods(dotted).values():
        text = re.sub("^## (.*)$", r"**\1**", docstrings.as_markdown(docstring, link), flags=re.M)
        blocks.append(f"````{{py:{kind}}} {dotted}.{words}\n\n{text}\n````")
    return ["## Methods and properties", *blocks] if blocks else []


def _table(dotted: list[str]) -> str:
    """Return names with their statements."""
    rows = [f"| `{x}` | {docstrings.statement(x).replace('|', chr(92) + '|')} |" for x in dotted]
    return "\n".join(["| name | what it does |", "|---|---|", *rows]) if rows else ""


def _sections() -> str:
    """Return the sections of `lo`, each with its names."""
    return "\n\n".join(
        f"## {title}\n\n{_table([f'lo.{name}' for name in listed])}"
        for title, listed in sections().items()
    )


def generate(app: Sphinx) -> None:
    """Write the pages."""
    texts = {f"{page}.md": page_of(dotted) for dotted, page in pages().items()}
    write(Path(app.srcdir, FOLDER), {**texts, "_sections.md": _sections()})


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for pages."""
    app.config.python_use_unqualified_type_names = True
    app.config.python_maximum_signature_line_length = 60
    app.config.toc_object_entries_show_parents = "hide"
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
