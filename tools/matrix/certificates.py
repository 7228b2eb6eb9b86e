"""The stored certificates: the data of the pages.

They are stored short: checks that are kept are left out, a number has five digits, and a piece of
text that many rows share, like a function of a reproduction, stands once in `texts.json`.
"""

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

from lecture_optax.testing._certify import Certificate, certify
from lecture_optax.testing.certification.comparison import differences
from lecture_optax.testing.certification.sections import SECTIONS
from lecture_optax.testing.laws import LAWS
from tools.imports import ROOT
from tools.matrix.rows import Row

STORED = ROOT / "docs" / "reference" / "matrix" / "certificates"
TEXTS = STORED / "texts.json"
DIGITS = 5
"""Significant digits of a stored number: two more than a comparison allows to differ."""

_LONG = 60
_PIECE = re.compile(r"(?<=[^\n]\n)(?=\n|def |params = |tx = )")
"""Where a script is cut: before an empty line, a function, and what differs from row to row."""


def certified(row: Row) -> dict[str, Any]:
    """Certify a row, and return JSON values without what the machine decides.

    What `certify` refuses has the reason as `refused`.
    """
    package = {"package": row.package} if row.package else {}
    try:
        certificate = json.loads(certify(row.make()).to_json())
    except (TypeError, ValueError) as error:
        return {**package, "refused": str(error)}
    return {**package, **without_times(certificate)}


def without_times(certificate: dict[str, Any]) -> dict[str, Any]:
    """Return a certificate with rounded numbers, without sections that time the machine.

    Also without the degrees of each decade, of which the ranges are the summary.
    """
    sections = certificate["sections"]
    kept = {name: x for name, x in sections.items() if not SECTIONS[name].timed}
    for scaled in ("loss", "params"):
        kept.get("homogeneity", {}).get(scaled, {}).pop("decades", None)
    return _rounded({**certificate, "sections": kept})


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
    """Return what differs between two certificates of a row, in sentences."""
    if "refused" in before or "refused" in now:
        was, is_now = (x.get("refused", "certified") for x in (before, now))
        return [] if was == is_now else [f"was {was}, is {is_now}"]
    old, new = (vars(as_certificate(x)) for x in (before, now))
    return list(differences(old, new))


def as_certificate(found: dict[str, Any]) -> Certificate:
    """Return a stored certificate as `certify` returns it, without times."""
    kept = {key: value for key, value in found.items() if key != "package"}
    return Certificate.from_json(json.dumps(kept))


def _files() -> list[Path]:
    return [path for path in STORED.glob("*.json") if path != TEXTS]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(x) for key, x in value.items()}
    if isinstance(value, list):
        return [_rounded(x) for x in value]
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{DIGITS}g}")
    return value


def _short(certificate: dict[str, Any], known: dict[str, str]) -> dict[str, Any]:
    """Return what is written, and add its texts to `known`."""
    short = json.loads(json.dumps(certificate))
    laws = short.get("sections", {}).get("laws", {}).get("laws", {})
    for name, found in list(laws.items()):
        if found["verdict"] == "kept":
            del laws[name]
        else:
            laws[name] = {k: _keys(x, known) for k, x in found.items() if k not in _OF_A_LAW}
    return short


_OF_A_LAW = ("law", "sentence")
"""What the law itself says."""


def _long(short: dict[str, Any], known: dict[str, str]) -> dict[str, Any]:
    """Return what was stored as it was certified."""
    section = short.get("sections", {}).get("laws", {})
    if "laws" in section:
        section["laws"] = {
            name: {
                "law": law.number,
                "sentence": law.sentence,
                **{k: _text(x, known) for k, x in section["laws"].get(name, _KEPT).items()},
            }
            for name, law in LAWS.items()
        }
    return short


_KEPT = {"verdict": "kept"}


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
    """Return JSON with a line for each section."""
    sections = certificate.get("sections", {})
    lines = ",\n".join(f'"{name}":{_compact(numbers)}' for name, numbers in sections.items())
    text = _compact({**certificate, "sections": {}}) if sections else _compact(certificate)
    return text.replace('"sections":{}', f'"sections":{{\n{lines}}}') + "\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
