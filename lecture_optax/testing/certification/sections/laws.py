"""Which laws a transformation keeps, and for each that it breaks a script that shows it."""

import re
from collections.abc import Mapping
from typing import Any

from ..._law import Law, keys
from ...laws import LAWS
from ..candidate import Candidate
from ..choices import KINDS, choice, kind_of
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

_OF_A_SCHEDULE = (
    "the_rate_in_the_state_is_the_one_applied",
    "current_reads_it_through_wrappers",
)

_MOSTLY_KEPT = (1, 4, 5, 8, 9)
"""The laws that most optimizers keep; many break 2, 3 and 6 at ε = 0 and for complex numbers."""


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
        return {**numbers, "verdict": "broken", "found": _short(words), **_as_numbers(name, shown)}
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
    rate = candidate.subject.hyperparameters.get("learning_rate")
    if law.name in _OF_A_SCHEDULE and rate is not None and not rate.schedule:
        return "its learning rate takes no schedule"
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


def _as_numbers(name: str, shown: Reproduction | None) -> dict[str, Any]:
    code, output = shown or (None, None)
    kind = kind_of(name, code)
    why = {"choice": choice(name, code or "")} if kind == "choice" else {}
    return {"kind": kind, **why, "reproduction": code, "output": output}


def _short(words: str) -> str:
    """Return what a law found, without its name, the sentence, and addresses in memory."""
    words = words.split(": ", 1)[-1].rsplit("\n(", 1)[0]
    words = re.sub(r" at (0x[0-9a-f]+|\S+\.py:\d+)", "", " ".join(words.split()))
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 3]}..."


def _lines(numbers: dict[str, Any]) -> list[str]:
    kept, broken, other = (numbers[name] for name in ("kept", "broken", "not_applicable"))
    lines = [f"{kept} checks are kept, {broken} are broken, {other} do not apply."]
    lines += numbers["notes"]
    for kind, words in {"fault": "A fault", "not shown": "Not shown by a short script"}.items():
        for name, law in broken_of(numbers["laws"], kind).items():
            lines.append(f"{words}: law {law['law']}, {name}: {_sentence(law['found'])}")
    choices: dict[str, list[str]] = {}
    for name, law in broken_of(numbers["laws"], "choice").items():
        choices.setdefault(law["choice"].rstrip("."), []).append(f"{name} (law {law['law']})")
    lines += [f"{choice}: {', '.join(names)}." for choice, names in choices.items()]
    return lines + [f"{name} is not data: {why}." for name, why in numbers["not_data"].items()]


def broken_of(laws: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the checks that are broken: those that are a "fault", a "choice", or "not shown".

    First those that most optimizers keep: a mistake shows there.
    """
    found = [(name, law) for name, law in laws.items() if law.get("kind") == kind]
    return dict(sorted(found, key=lambda pair: pair[1]["law"] not in _MOSTLY_KEPT))


def _sentence(words: str) -> str:
    return words if words.endswith((".", "!")) else f"{words}."


def _table(numbers: dict[str, Any]) -> Any:
    rows = []
    for number in sorted({law["law"] for law in numbers["laws"].values()}):
        checks = {n: law for n, law in numbers["laws"].items() if law["law"] == number}
        found = [law.get("kind", law["verdict"]) for law in checks.values()]
        counts = [str(found.count(kind)) for kind in ("kept", *KINDS, "not applicable")]
        faults = ", ".join(broken_of(checks, "fault")).replace("_", " ")
        rows.append((str(number), *counts, faults))
    return ("law", "kept", *KINDS.values(), "not applicable", "what is at fault"), rows


def _folded(numbers: dict[str, Any]) -> dict[str, str]:
    """Return what was found for each law that is broken, and the script that shows it."""
    return {
        f"{kind.capitalize()}: law {law['law']}, {name.replace('_', ' ')}": _as_script(law)
        for kind in KINDS
        for name, law in broken_of(numbers["laws"], kind).items()
    }


def _as_script(law: dict[str, Any]) -> str:
    parts = [
        law["sentence"],
        law.get("choice"),
        f"Found: {law['found']}",
        law["reproduction"],
        law["output"],
    ]
    return "\n\n".join(filter(None, parts))


LAWS_KEPT = Section("laws", "The laws", _measure, _lines, _table, _folded)
