"""The pages of the matrix: a table, and for every row a page with its faults, ready for an issue.

They are made of the stored certificates alone, so that a build of the site certifies nothing.
"""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lecture_optax.testing.certification.choices import choice
from lecture_optax.testing.certification.sections import SECTIONS
from lecture_optax.testing.laws import LAWS
from tools.matrix.cells import TITLES
from tools.matrix.certificates import stored
from tools.matrix.packages import PACKAGES
from tools.matrix.rows import Row, rows, without_row
from tools.matrix.words import EXPECTED, FAULTS

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
    cells = [_law_cell(row, n, certificate["laws"]) for n in NUMBERS]
    measured = [f"<td>{html.escape(certificate['cells'][title])}</td>" for title in TITLES]
    return name + "".join([*cells, *measured])


def _law_cell(row: Row, number: int, laws: dict[str, Any]) -> str:
    if "not_measured" in laws:
        return '<td class="open">not measured</td>'
    kinds = [
        kind for law, kind in kinds_of(row, laws).items() if laws["laws"][law]["law"] == number
    ]
    found = {kind: kinds.count(kind) for kind in _KINDS if kind in kinds}
    if not found:
        kept = any(x["verdict"] == "kept" for x in laws["laws"].values() if x["law"] == number)
        return '<td class="kept">kept</td>' if kept else '<td class="open">does not apply</td>'
    words = "<br>".join(f"{n} {_KINDS[kind]}" for kind, n in found.items())
    link = f"generated/{row.name}.html#law-{number}"
    return f'<td class="{next(iter(found))}"><a href="{link}">{words}</a></td>'


_KINDS = {"broken": "broken", "choice": "by choice", "unshown": "not shown"}
"""The words of a cell for a check that is not kept, the worst first."""


def kinds_of(row: Row, laws: dict[str, Any]) -> dict[str, str]:
    """Return for each check that is not kept whether it is a fault, a choice, or not shown.

    What no short script shows may be the rounding of one machine: it is no fault here.
    """
    kinds = {}
    for name, found in laws["laws"].items():
        if found["verdict"] == "broken":
            fault = "choice" if _choice(row, name, found) else "broken"
            kinds[name] = fault if found["reproduction"] else "unshown"
    return kinds


def _choice(row: Row, name: str, found: dict[str, Any]) -> str:
    ours = row.name.startswith("lo.")
    return "" if ours else choice(name, found["reproduction"] or "")


def page_of(row: Row, certificate: dict[str, Any]) -> str:
    """Return the page of a row."""
    head = f"---\norphan: true\nnosearch: true\n---\n\n[The matrix](../index.md)\n\n# {row.name}"
    if "refused" in certificate:
        return f"{head}\n\n`certify` refuses it: {_safe(certificate['refused'])}\n"
    blocks = [head, _what(row, certificate), *_sections(certificate), *_faults(row, certificate)]
    return "\n\n".join(blocks) + "\n"


def _sections(certificate: dict[str, Any]) -> Iterator[str]:
    """Yield what was measured, section by section, in sentences."""
    lines, last = certificate["lines"], SECTIONS["identity"].title
    for title, sentences in {**lines, last: lines.get(last, ["Not measured."])}.items():
        yield f"## {title}\n\n" + "\n".join(f"- {_safe(x)}" for x in sentences)


def _what(row: Row, certificate: dict[str, Any]) -> str:
    laws = certificate["laws"]
    counts = "The laws were not measured."
    if "not_measured" not in laws:
        kinds = list(kinds_of(row, laws).values())
        kept = laws["kept"]
        counts = f"It keeps {kept} of the {kept + len(kinds)} checks of [the nine laws]"
        counts += "(../../../explanation/laws.md) that apply."
        parts = [f"{kinds.count(k)} {_COUNTED[k]}" for k in _COUNTED if k in kinds]
        links = ", ".join(f"[law {n}](#law-{n})" for n in _broken(laws))
        counts += f" The others, of {links}: {', '.join(parts)}." if parts else ""
    values = ", ".join(f"{k}={v!r}" for k, v in certificate["hyperparameters"].items())
    call = f"`{row.code}`" + (f", with {values}" if values else "")
    hashed = f"; hash `{certificate['hash']}`" if "hash" in certificate else ""
    return f"{counts}\n\nCertified: {call}; {_versions(row, certificate)}{hashed}."


_COUNTED = {
    "broken": "broken, with a script that shows it",
    "choice": "a choice, of Optax or of this library",
    "unshown": "not shown by a short script",
}


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
    """Yield a part for each law that is not kept: its checks, each fault with an issue's text."""
    laws = certificate["laws"]
    kinds = {} if "not_measured" in laws else kinds_of(row, laws)
    for number in _broken(laws) if kinds else []:
        yield f"## Law {number}"
        for name in (n for n in kinds if laws["laws"][n]["law"] == number):
            found = laws["laws"][name]
            yield f"### {FAULTS[name][0].upper()}{FAULTS[name][1:]}"
            yield f"The check `{name}`: {found['sentence']} {_choice(row, name, found)}".strip()
            yield {"broken": _issue, "choice": _example, "unshown": _unshown}[kinds[name]](
                row, certificate, name, found
            )


def _unshown(row: Row, certificate: dict[str, Any], name: str, found: dict[str, Any]) -> str:
    """Return what was found where nobody can try it."""
    return (
        "Not shown by a short script, so it counts as no fault: it may be the rounding of one "
        f"machine. `certify` found: {_safe(found['found'])}."
    )


def _example(row: Row, certificate: dict[str, Any], name: str, found: dict[str, Any]) -> str:
    """Return a script that shows a choice, and what it prints."""
    script, output = _script(row, found["reproduction"]), (found["output"] or "").strip()
    return f"```python\n{script}\n```\n\n```text\n{output}\n```"


def _issue(row: Row, certificate: dict[str, Any], name: str, found: dict[str, Any]) -> str:
    """Return the text of an issue, to be copied as it is."""
    script, output = _script(row, found["reproduction"]), (found["output"] or "").strip()
    text = [
        f"### {row.name}: {FAULTS[name]}",
        f"**What happens**\n\n{_happens(row, script, name, output)}",
        f"**What is expected**\n\n{EXPECTED.get(name, found['sentence'])}",
        f"**Code**\n\n```python\n{script}\n```",
        f"It prints\n\n```text\n{output}\n```",
        f"**Versions**\n\n{_versions(row, certificate)}",
    ]
    return "`````{code-block} markdown\n" + "\n\n".join(text) + "\n`````"


def _happens(row: Row, script: str, name: str, output: str) -> str:
    """Return the fault as a sentence, and the error in which the script ends."""
    call = re.search(r"^ *(?:tx|make) = (.*)$", script, re.MULTILINE)
    error = re.findall(r"^\w*(?:Error|Exception)\b.*$", output, re.MULTILINE)[-1:]
    fault = f"With `{call[1] if call else row.name}` {FAULTS[name]}."
    return fault + "".join(f" The script ends in `{x.replace('`', '')}`." for x in error)


def _script(row: Row, code: str) -> str:
    """Return a script that runs by itself, also where it calls the factory `make`."""
    if re.search(r"\bmake\(", code):
        head, _, body = code.partition("# make is the factory")  # for which `certify` has no code
        imports = {*head.split("\n"), row.imports, "import optax"} - {""}
        head = "\n".join(["import functools", "", *sorted(imports)])
        code = f"{head}\n\nmake = {row.code}\n{body.partition(chr(10))[2]}"
    return re.sub(r"^(tx = .*\n)(?=def )", r"\1\n", code, flags=re.MULTILINE).strip()


def _safe(text: str) -> str:
    """Return a sentence without what Markdown would take for markup."""
    return re.sub(r"([\\*_<>\[\]$#|])", r"\\\1", text)
