"""Which laws a transformation keeps, and for each that it breaks a script that shows it."""

import re
from typing import Any

from ..._law import Law, keys
from ...laws import LAWS
from ..candidate import Candidate
from ..reproductions.script import Reproduction, reproduce
from ..reproductions.templates import TEMPLATES
from ..section import Section

_LONGEST = 400
_RATE = "no argument is called learning_rate"
_FORMULA = "no formula in NumPy was given (`reference` of `lo.testing.check`)"
_PEER = "no other implementation was given (`peer` of `lo.testing.check`)"
_NEEDS = {
    "an_accumulator_has_the_dtype_it_was_told": ("accumulators", "no argument sets its dtype"),
    "extra_arguments_are_passed_on": ("around", "it is not built around other transformations"),
    "it_is_the_formula": ("reference", _FORMULA),
    "it_is_the_formula_at_the_lowest_values": ("reference", _FORMULA),
    "it_is_the_formula_while_a_hyperparameter_moves": ("reference", _FORMULA),
    "in_float64_it_is_the_peer": ("peer", _PEER),
    "what_is_left_out_is_what_the_peer_leaves_out": ("peer", _PEER),
}
"""The option without which a law says nothing, and the reason in words."""

_OF_A_RATE = (
    "the_rate_in_the_state_is_the_one_applied",
    "the_rate_in_the_state_is_a_record",
    "current_reads_it_through_wrappers",
)


def _measure(candidate: Candidate) -> dict[str, Any]:
    found = {name: verdict_of(name, candidate) for name in LAWS}
    number = {
        verdict: sum(x["verdict"] == verdict for x in found.values())
        for verdict in ("kept", "broken", "not applicable")
    }
    return {
        "kept": number["kept"],
        "broken": number["broken"],
        "not_applicable": number["not applicable"],
        "not_data": dict(candidate.not_data),
        "notes": list(candidate.notes),
        "laws": found,
    }


def verdict_of(name: str, candidate: Candidate) -> dict[str, Any]:
    """Return whether a law is kept, broken or not applicable, and what shows it."""
    law = LAWS[name]
    numbers = {"law": law.number, "sentence": law.sentence}
    reason = _why_not(law, candidate)
    if reason:
        return {**numbers, "verdict": "not applicable", "reason": reason}
    try:
        law(candidate.subject)
    except AssertionError as error:
        words = str(error)
        shown = _shown(candidate, law.name, words)
        return {**numbers, "verdict": "broken", "found": _short(words), **_as_numbers(shown)}
    return {**numbers, "verdict": "kept"}


def _why_not(law: Law, candidate: Candidate) -> str:
    """Return why a law does not apply, or ""."""
    if candidate.other_trees:
        return f"it takes no other tree than the one that was given ({candidate.other_trees})"
    option, reason = _NEEDS.get(law.name, ("", ""))
    if option and not getattr(candidate.subject, option):
        return reason
    if law.name in _OF_A_RATE and "learning_rate" not in candidate.subject.hyperparameters:
        return _RATE
    if law.name == "a_random_key_is_used_once" and not keys(candidate.tx.init(candidate.params)):
        return "its state holds no key of random numbers"
    if law.number == 3 and not candidate.subject.hyperparameters:
        return "it has no numeric argument that could be an array"
    return ""


def _shown(candidate: Candidate, name: str, words: str) -> Reproduction | None:
    expected = {"AssertionError", *re.findall(r"\b(\w+(?:Error|Exception)): ", words)}
    if "INVALID_ARGUMENT" in words:  # of a donated buffer: the name depends on how JAX calls it
        expected |= {"ValueError", "JaxRuntimeError"}
    for template, cases in TEMPLATES.get(name, []):
        tried = cases(candidate.subject, words)
        shown = reproduce(candidate, template, tried, expected)
        if shown is not None:
            return shown
    return None


def _as_numbers(shown: Reproduction | None) -> dict[str, Any]:
    if shown is None:
        return {"reproduction": None, "output": None}
    return {"reproduction": shown.code, "output": shown.output}


def _short(words: str) -> str:
    """Return what a law found, without its name, the sentence, and addresses in memory."""
    words = words.split(": ", 1)[-1].rsplit("\n(", 1)[0]
    words = re.sub(r" at (0x[0-9a-f]+|\S+\.py:\d+)", "", " ".join(words.split()))
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 3]}..."


def _lines(numbers: dict[str, Any]) -> list[str]:
    kept, broken, other = (numbers[name] for name in ("kept", "broken", "not_applicable"))
    lines = [f"{kept} laws are kept, {broken} are broken, {other} do not apply.", *numbers["notes"]]
    lines += [f"{name} is not data: {reason}." for name, reason in numbers["not_data"].items()]
    for name, law in numbers["laws"].items():
        if law["verdict"] == "broken":
            shown = "" if law["reproduction"] else " No short script shows it."
            lines.append(f"Law {law['law']}, {name}, is broken: {law['found']}{shown}")
    return lines


def _table(numbers: dict[str, Any]) -> Any:
    rows = []
    for number in sorted({law["law"] for law in numbers["laws"].values()}):
        checks = {n: law for n, law in numbers["laws"].items() if law["law"] == number}
        found = [law["verdict"] for law in checks.values()]
        counts = [str(found.count(word)) for word in ("kept", "broken", "not applicable")]
        broken = [n for n, law in checks.items() if law["verdict"] == "broken"]
        rows.append((str(number), *counts, ", ".join(broken).replace("_", " ")))
    return ("law", "kept", "broken", "not applicable", "broken checks"), rows


def _folded(numbers: dict[str, Any]) -> dict[str, str]:
    """Return what was found for each law that is broken, and the script that shows it."""
    return {
        f"Law {law['law']}, {name.replace('_', ' ')}": _as_script(law)
        for name, law in numbers["laws"].items()
        if law["verdict"] == "broken"
    }


def _as_script(law: dict[str, Any]) -> str:
    parts = [law["sentence"], f"Found: {law['found']}", law["reproduction"], law["output"]]
    return "\n\n".join(filter(None, parts))


LAWS_KEPT = Section("laws", "The laws", _measure, _lines, _table, _folded)
