"""The stored certificates: the data of the pages.

They are stored short: a piece of text that many rows share, like a function of a reproduction,
stands once in `texts.json`.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from lecture_optax.testing._certify import certify, lines_of
from lecture_optax.testing.certification.sections import SECTIONS
from lecture_optax.testing.certification.values import decoded
from lecture_optax.testing.laws import LAWS
from tools.imports import ROOT
from tools.matrix.cells import cells_of
from tools.matrix.rows import Row

STORED = ROOT / "docs" / "reference" / "matrix" / "certificates"
TEXTS = STORED / "texts.json"
_LONG = 60
_PIECE = re.compile(r"(?<=[^\n]\n)(?=\n|def |params = |tx = )")
"""Where a script is cut: before an empty line, a function, and what differs from row to row."""


def certified(row: Row) -> dict[str, Any]:
    """Certify a row, and return what is published of it as JSON values.

    What `certify` refuses has the reason as `refused`.
    """
    package = {"package": row.package} if row.package else {}
    try:
        certificate = json.loads(certify(row.make()).to_json())
    except (TypeError, ValueError) as error:
        return {**package, "refused": str(error)}
    return {**package, **published(certificate)}


def published(certificate: dict[str, Any]) -> dict[str, Any]:
    """Return the laws, the cells of the table, and all other sections in sentences.

    Without the sections that time the machine.
    """
    sections = decoded(certificate["sections"])
    others = [name for name in sections if name != "laws" and not SECTIONS[name].timed]
    return {
        "hash": certificate["description"]["hash"],
        "hyperparameters": certificate["description"]["hyperparameters"],
        "versions": certificate["versions"],
        "cells": cells_of(sections),
        "lines": {SECTIONS[name].title: lines_of(name, sections[name]) for name in others},
        "laws": sections["laws"],
    }


def stored(name: str) -> dict[str, Any] | None:
    """Return the stored certificate of a row, None without one."""
    path = STORED / f"{name}.json"
    return _long(json.loads(path.read_text()), texts()) if path.exists() else None


def store(name: str, certificate: dict[str, Any]) -> None:
    """Write the certificate of a row, a section a line."""
    known = texts()
    STORED.mkdir(parents=True, exist_ok=True)
    (STORED / f"{name}.json").write_text(_lines(_short(certificate, known)))
    TEXTS.write_text(json.dumps(known, indent=0, sort_keys=True, ensure_ascii=False) + "\n")


def texts() -> dict[str, str]:
    """Return the shared pieces of text by the first digits of their hash."""
    return json.loads(TEXTS.read_text()) if TEXTS.exists() else {}


def forget_all_but(names: set[str]) -> None:
    """Delete the certificates of other rows, and the texts that none uses."""
    used = ""
    for path in _files():
        if path.stem not in names:
            path.unlink()
        else:
            used += path.read_text()
    kept = {key: text for key, text in texts().items() if key in used}
    TEXTS.write_text(json.dumps(kept, indent=0, sort_keys=True, ensure_ascii=False) + "\n")


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return which cells and which checks of the laws differ, in sentences."""
    old, new = _facts(before), _facts(now)
    return [
        f"{key} is {new.get(key)}, was {old.get(key)}"
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    ]


def _facts(found: dict[str, Any]) -> dict[str, Any]:
    if "refused" in found:
        return {"refused": found["refused"]}
    laws = found["laws"].get("laws", {})
    verdicts = {name: law["verdict"] for name, law in laws.items()}
    return {"hash": found.get("hash"), **found["versions"], **found["cells"], **verdicts}


def _files() -> list[Path]:
    return [path for path in STORED.glob("*.json") if path != TEXTS]


def _short(certificate: dict[str, Any], known: dict[str, str]) -> dict[str, Any]:
    """Return what is written, and add its texts to `known`."""
    short = json.loads(json.dumps(certificate))
    laws = short.get("laws", {}).get("laws", {})
    for name, found in laws.items():
        left_out = (*_OF_A_LAW, *["found"] * bool(found.get("reproduction")))
        laws[name] = {k: _keys(x, known) for k, x in found.items() if k not in left_out}
    return short


_OF_A_LAW = ("law", "sentence", "kind", "choice")
"""What the law itself says. What was found is not stored beside a script that shows it."""


def _long(short: dict[str, Any], known: dict[str, str]) -> dict[str, Any]:
    """Return what was stored as it was certified."""
    section = short.get("laws", {})
    if "laws" in section:
        section["laws"] = {
            name: {
                "law": LAWS[name].number,
                "sentence": LAWS[name].sentence,
                **{key: _text(x, known) for key, x in found.items()},
            }
            for name, found in section["laws"].items()
            if name in LAWS
        }
    return short


def _keys(text: Any, known: dict[str, str]) -> Any:
    """Return the keys of the pieces of a long text, as a list of one string."""
    if not isinstance(text, str) or len(text) < _LONG:
        return text
    pieces = _PIECE.split(text)
    keys = [hashlib.sha256(piece.encode()).hexdigest()[:8] for piece in pieces]
    known.update(zip(keys, pieces, strict=True))
    return [" ".join(keys)]


def _text(stored_text: Any, known: dict[str, str]) -> Any:
    is_list = isinstance(stored_text, list)
    return "".join(known[key] for key in stored_text[0].split()) if is_list else stored_text


def _lines(certificate: dict[str, Any]) -> str:
    """Return JSON with a line for each part."""
    parts = [f'"{name}":{_compact(part)}' for name, part in certificate.items()]
    return "{" + ",\n".join(parts) + "}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
