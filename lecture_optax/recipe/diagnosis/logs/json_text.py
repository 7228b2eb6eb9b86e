"""Logs in JSON: our lines, Hugging Face's `trainer_state.json`, and dumped histories."""

import json
from typing import Any

from .table import Table, table_of, table_of_objects

SUMMARY = "train_runtime"
"""The last row of Hugging Face's history has this key; its `train_loss` is the mean of the run."""


def read_json(name: str, text: str) -> list[Table]:
    """Return the run of a JSON document or of lines of JSON objects.

    **Raises** `ValueError` for a line that is not an object, and for a document of another form.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return [table_of_objects("", "JSON lines", _lines(name, text))]
    if isinstance(found, dict) and isinstance(found.get("log_history"), list):
        return [_history("Hugging Face log_history", found["log_history"])]
    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        return [_history("JSON list", found)]
    if isinstance(found, dict):
        lists = {key: x for key, x in found.items() if isinstance(x, list)}
        if lists and len({len(x) for x in lists.values()}) == 1:
            cells = list(zip(*lists.values(), strict=True))
            return [table_of("", "JSON of lists", list(lists), cells)]
        if "loss" in found or "step" in found:
            return [table_of_objects("", "JSON lines", [found])]
    raise ValueError(
        f"{name} must have a log_history (trainer_state.json of Hugging Face), a list of objects, "
        f"or lists of one length by name, got {_keys(found)}."
    )


def _history(source: str, rows: list[Any]) -> Table:
    kept = [row for row in rows if isinstance(row, dict) and SUMMARY not in row]
    return table_of_objects("", source, kept)


def _lines(name: str, text: str) -> list[dict[str, Any]]:
    """Return the objects, without a last line that was cut off when the run was killed."""
    lines = text.splitlines()
    if lines and not text.endswith("\n"):
        lines = lines[:-1] if _object(lines[-1]) is None else lines
    found = [_object(line) for line in lines if line.strip()]
    if None in found:
        bad = next(i for i, x in enumerate(lines, 1) if x.strip() and _object(x) is None)
        raise ValueError(
            f'every line of {name} must be {{"step": ..., "loss": ...}}, as in lo.fit(log=...), '
            f"got {lines[bad - 1][:60]!r} in line {bad}."
        )
    return [line for line in found if line is not None]


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _keys(found: Any) -> str:
    return f"the keys {', '.join(map(str, found))[:200]}" if isinstance(found, dict) else "a list"
