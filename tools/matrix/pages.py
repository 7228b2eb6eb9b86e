"""The pages of the matrix: a table, and for every row a page with its faults, ready for an issue.

They are made of the stored certificates alone, so that a build of the site certifies nothing.
"""

import html
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lecture_optax.testing._certify import lines_of
from lecture_optax.testing.certification.sections import SECTIONS
from lecture_optax.testing.laws import LAWS
from tools.matrix.certificates import as_certificate, stored
from tools.matrix.packages import PACKAGES
from tools.matrix.rows import Row, rows, without_row
from tools.matrix.words import CHOICES, FAULTS

NUMBERS = sorted({law.number for law in LAWS.values()})
MEASURED = ("State", "Degree", "Stable up to", "First step", "After a NaN", "Identified as")


def pages() -> dict[str, str]:
    """Return the text of every generated file by its name."""
    found = {name: certificate for name in rows() if (certificate := stored(name))}
    texts = {f"{name}.md": page_of(rows()[name], found[name]) for name in found}
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
    head += "".join(f'<th scope="col">{title}</th>' for title in MEASURED)
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
        width = len(NUMBERS) + len(MEASURED)
        return f'{name}<td colspan="{width}">{html.escape(certificate["refused"])}</td>'
    sections = certificate["sections"]
    cells = [_law_cell(page, n, sections["laws"]) for n in NUMBERS]
    return name + "".join([*cells, *(f"<td>{x}</td>" for x in _measured(sections))])


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


def _measured(sections: dict[str, Any]) -> list[str]:
    """Return the cells of `MEASURED`; a section that was not measured has no number."""
    ways = (_state, _degree, _edge, _first_step, _after_nan, _identity)
    return [html.escape(_known(way, sections)) for way in ways]


def _known(way: Callable[[dict[str, Any]], str], sections: dict[str, Any]) -> str:
    try:
        return way(sections)
    except (KeyError, TypeError):
        return "not measured"


def _state(sections: dict[str, Any]) -> str:
    return f"{sections['state']['bytes_of_a_parameter']:.3g}"


def _after_nan(sections: dict[str, Any]) -> str:
    found = sections["after_a_nan"]
    lost, entries = found["lost_at_the_end"], found["entries"]
    return f"{lost} of {entries} entries lost" if lost else "finite"


def _identity(sections: dict[str, Any]) -> str:
    return sections["identity"]["name"] or "none that is known"


def _degree(sections: dict[str, Any]) -> str:
    ranges = sections["homogeneity"]["loss"]["ranges"]
    at_one = [x["degree"] for x in ranges if x["from"] <= 1 <= x["to"]]
    return f"{at_one[0]:.3g}" if at_one else "none"


def _edge(sections: dict[str, Any]) -> str:
    probes = sections["probes"]
    rate = probes["learning_rate"] or 1
    exact = probes["largest_stable_curvature"].get("value")
    if exact is not None:
        return "every curvature" if math.isinf(exact) else f"{exact * rate:.4g}"
    frozen = probes["frozen_edge"].get("value")
    return "no probe applies" if frozen is None else f"{frozen:.4g}, its D frozen"


def _first_step(sections: dict[str, Any]) -> str:
    times = sections["first_step"]["of_the_learning_rate"]
    return f"{sections['first_step']['largest']:.3g}" if times is None else f"{times:.4g} τ"


def page_of(row: Row, certificate: dict[str, Any]) -> str:
    """Return the page of a row."""
    head = f"---\norphan: true\nnosearch: true\n---\n\n[The matrix](../index.md)\n\n# {row.name}"
    if "refused" in certificate:
        return f"{head}\n\n`certify` refuses it: {_safe(certificate['refused'])}\n"
    sections = as_certificate(certificate).sections
    measured = [
        f"## {SECTIONS[name].title}\n\n"
        + "\n".join(f"- {_safe(x)}" for x in lines_of(name, numbers))
        for name, numbers in sections.items()
        if name != "laws" or "not_measured" in numbers
    ]
    return (
        "\n\n".join([head, _what(row, certificate), *measured, *_faults(row, certificate)]) + "\n"
    )


def _what(row: Row, certificate: dict[str, Any]) -> str:
    laws = certificate["sections"]["laws"]
    counts = "The laws were not measured."
    if "not_measured" not in laws:
        kept, broken = laws["kept"], laws["broken"]
        links = ", ".join(f"[law {n}](#law-{n})" for n in _broken(laws))
        counts = f"It keeps {kept} of the {kept + broken} checks of [the nine laws]"
        counts += "(../../../explanation/laws.md) that apply"
        counts += f"; the others are of {links}." if broken else "."
    values = ", ".join(
        f"{k}={v!r}" for k, v in certificate["description"]["hyperparameters"].items()
    )
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
    laws = certificate["sections"]["laws"]
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
        f"**Code**\n\n```python\n{found['reproduction'].strip()}\n```",
        f"It prints\n\n```text\n{(found['output'] or '').strip()}\n```",
        f"**Versions**\n\n{_versions(row, certificate)}",
    ]
    return "`````{code-block} markdown\n" + "\n\n".join(text) + "\n`````"


def _safe(text: str) -> str:
    """Return a sentence without what Markdown would take for markup."""
    return re.sub(r"([\\*_<>\[\]$#|])", r"\\\1", text)
