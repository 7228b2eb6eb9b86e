"""The pages of the matrix: a table, and for every row a page with its faults, ready for an issue.

They are made of the stored certificates alone, so that a build of the site certifies nothing.
"""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lecture_optax.testing.laws import LAWS
from tools.matrix.cells import TITLES
from tools.matrix.certificates import stored
from tools.matrix.packages import PACKAGES
from tools.matrix.rows import Row, rows, without_row
from tools.matrix.words import CHOICES, FAULTS

NUMBERS = sorted({law.number for law in LAWS.values()})


def pages() -> dict[str, str]:
    """Return the text of every generated file by its name."""
    known = rows()
    found = {name: certificate for name in known if (certificate := stored(name))}
    texts = {f"{name}.md": page_of(known[name], found[name]) for name in found}
    return {**texts, "_tables.md": tables(found), "_not_certified.md": not_certified()}


def tables(found: Mapping[str, dict[str, Any]]) -> str:
    """Return a table for each group of rows."""
    parts = []
    for group in dict.fromkeys(row.group for row in rows().values()):
        some = [row for row in rows().values() if row.group == group and row.name in found]
        if some:
            parts.append(f"## {group.replace('`', '')}\n\n{_table(some, found)}")
    return "\n\n".join(parts) + "\n"


def not_certified() -> str:
    """Return why some public functions and packages have no row."""
    lines = [f"| `{name}` | {reason} |" for name, reason in without_row().items()]
    lines += [f"| `{x.requirement}` ({x.authors}) | {x.problem} |" for x in PACKAGES if x.problem]
    return "\n".join(["| name | why it has no row |", "|---|---|", *lines]) + "\n"


def _table(some: list[Row], found: Mapping[str, dict[str, Any]]) -> str:
    laws = "".join(f'<th scope="col">Law {n}</th>' for n in NUMBERS)
    head = f'<th scope="col">Optimizer</th>{laws}'
    head += "".join(f'<th scope="col">{title}</th>' for title in TITLES)
    body = "\n".join(f"<tr>{_cells(row, found[row.name])}</tr>" for row in some)
    return (
        "```{raw} html\n"
        '<div class="lo-matrix" role="region" tabindex="0" aria-label="Certificates"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n```"
    )


def _cells(row: Row, certificate: dict[str, Any]) -> str:
    page = f"generated/{row.name}.html"
    name = f'<th scope="row"><a href="{page}">{html.escape(row.name)}</a></th>'
    if "refused" in certificate:
        width = len(NUMBERS) + len(TITLES)
        return f'{name}<td colspan="{width}">{html.escape(certificate["refused"])}</td>'
    cells = [_law_cell(page, n, certificate["laws"]) for n in NUMBERS]
    measured = [f"<td>{html.escape(certificate['cells'][title])}</td>" for title in TITLES]
    return name + "".join([*cells, *measured])


def _law_cell(page: str, number: int, laws: dict[str, Any]) -> str:
    if "not_measured" in laws:
        return '<td class="open">not measured</td>'
    verdicts = [x["verdict"] for x in laws["laws"].values() if x["law"] == number]
    broken, applies = verdicts.count("broken"), len(verdicts) - verdicts.count("not applicable")
    if not applies:
        return '<td class="open">does not apply</td>'
    if not broken:
        return '<td class="kept">kept</td>'
    words = f"{broken} of {applies} broken" if applies > 1 else "broken"
    return f'<td class="broken"><a href="{page}#law-{number}">{words}</a></td>'


def page_of(row: Row, certificate: dict[str, Any]) -> str:
    """Return the page of a row."""
    head = f"---\norphan: true\nnosearch: true\n---\n\n[The matrix](../index.md)\n\n# {row.name}"
    if "refused" in certificate:
        return f"{head}\n\n`certify` refuses it: {_safe(certificate['refused'])}\n"
    blocks = [head, _what(row, certificate), *_sections(certificate), *_faults(row, certificate)]
    return "\n\n".join(blocks) + "\n"


def _sections(certificate: dict[str, Any]) -> Iterator[str]:
    """Yield what was measured, section by section, in sentences."""
    for title, sentences in certificate["lines"].items():
        yield f"## {title}\n\n" + "\n".join(f"- {_safe(x)}" for x in sentences)


def _what(row: Row, certificate: dict[str, Any]) -> str:
    laws = certificate["laws"]
    counts = "The laws were not measured."
    if "not_measured" not in laws:
        kept, broken = laws["kept"], laws["broken"]
        links = ", ".join(f"[law {n}](#law-{n})" for n in _broken(laws))
        counts = f"It keeps {kept} of the {kept + broken} checks of [the nine laws]"
        counts += "(../../../explanation/laws.md) that apply"
        counts += f"; the others are of {links}." if broken else "."
    values = ", ".join(f"{k}={v!r}" for k, v in certificate["hyperparameters"].items())
    call = f"`{row.code}`" + (f", with {values}" if values else "")
    return f"{counts}\n\nCertified: {call}; {_versions(row, certificate)}."


def _versions(row: Row, certificate: dict[str, Any]) -> str:
    versions = certificate["versions"]
    found = [f"JAX {versions['jax']}", f"Optax {versions['optax']}"]
    if row.package or row.name.startswith("lo."):
        found.insert(0, row.package or f"lecture_optax {versions['lecture_optax']}")
    return ", ".join(found)


def _broken(laws: dict[str, Any]) -> list[int]:
    """Return the numbers of the laws that are broken."""
    return sorted({x["law"] for x in laws["laws"].values() if x["verdict"] == "broken"})


def _faults(row: Row, certificate: dict[str, Any]) -> Iterator[str]:
    """Yield a part for each broken law: its checks, each with the text of an issue."""
    laws = certificate["laws"]
    for number in [] if "not_measured" in laws else _broken(laws):
        yield f"## Law {number}"
        for name, found in laws["laws"].items():
            if found["law"] == number and found["verdict"] == "broken":
                choice = "" if row.name.startswith("lo.") else CHOICES.get(name, "")
                yield f"### {FAULTS[name][0].upper()}{FAULTS[name][1:]}"
                yield f"The check `{name}`: {found['sentence']} {choice}".strip()
                yield _issue(row, certificate, name, found)


def _issue(row: Row, certificate: dict[str, Any], name: str, found: dict[str, Any]) -> str:
    """Return the text of an issue, to be copied as it is."""
    if not found["reproduction"]:
        return f"No short script shows it. `certify` found: {_safe(found['found'])}."
    text = [
        f"### {row.name}: {FAULTS[name]}",
        f"**What happens**\n\n`{found['found'].replace('`', '')}`",
        f"**What is expected**\n\n{found['sentence']}",
        f"**Code**\n\n```python\n{_script(row, found['reproduction'])}\n```",
        f"It prints\n\n```text\n{(found['output'] or '').strip()}\n```",
        f"**Versions**\n\n{_versions(row, certificate)}",
    ]
    return "`````{code-block} markdown\n" + "\n\n".join(text) + "\n`````"


def _script(row: Row, code: str) -> str:
    """Return a script that runs by itself, also where it calls the factory `make`."""
    if re.search(r"\bmake\(", code):
        code = f"import functools\nimport optax\n{row.imports}\n\nmake = {row.code}\n\n{code}"
    return code.strip()


def _safe(text: str) -> str:
    """Return a sentence without what Markdown would take for markup."""
    return re.sub(r"([\\*_<>\[\]$#|])", r"\\\1", text)
