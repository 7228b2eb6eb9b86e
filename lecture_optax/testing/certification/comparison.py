"""What differs between two certificates, number by number."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .sections import SECTIONS

_RELATIVE, _ABSOLUTE = 1e-3, 1e-5
"""Another processor sums in another order: float32 numbers differ in the last digits."""

_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")


_MOST, _LONGEST = 14, 200
_FIRST = ("first_step.", "identity.", "state.")


def shortened(found: Sequence[str]) -> list[str]:
    """Return the most useful sentences, and how many more there are.

    First what was certified and the laws that are newly broken or kept, then the first step, the
    identity and the state.
    """
    ordered = sorted(found, key=_rank)
    shown = [x if len(x) <= _LONGEST else f"{x[: _LONGEST - 3]}..." for x in ordered[:_MOST]]
    more = len(found) - len(shown)
    return [*shown, f"And {more} more differences: --json prints all."] if more else shown


def _rank(sentence: str) -> int:
    path = sentence.partition(" ")[0]
    if "." not in path or path.startswith(("versions.", "description.")):
        return 0
    if path.startswith("laws."):
        return 1 if path.endswith(".verdict") else 4
    return 2 if path.startswith(_FIRST) else 3


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what differs between two certificates, in sentences.

    The hash of the description is compared first. Measured times are never compared, numbers
    within rounding, and sentences up to the numbers in them.
    """
    ours, theirs = (x["description"]["hash"] for x in (now, before))
    found = [] if ours == theirs else [f"The hash of what was certified is {ours}, was {theirs}."]
    for part in ("versions", "description"):  # exactly: a number in code is part of the rule
        for key in dict.fromkeys((*before[part], *now[part])):
            ours, theirs = (x[part].get(key) for x in (now, before))
            if key != "hash" and ours != theirs:
                found.append(f"{part}.{key} is {ours}, was {theirs}.")
    before, now = before["sections"], now["sections"]
    for name in dict.fromkeys((*before, *now)):
        timed = SECTIONS[name].timed if name in SECTIONS else ()
        pairs = _compared(name, before.get(name, {}), now.get(name, {}), timed)
        found += [f"{path} {problem}" for path, problem in pairs]
    return tuple(found)


def _compared(path: str, before: Any, now: Any, left_out: Sequence[str] = ()) -> Iterator[Any]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*before, *now)):
            if key in left_out:
                continue
            if key not in before or key not in now:
                yield f"{path}.{key}", "is new." if key in now else "is missing."
            else:
                yield from _compared(f"{path}.{key}", before[key], now[key])
    elif _is_list(before) and _is_list(now) and len(before) == len(now):
        for i, pair in enumerate(zip(before, now, strict=True)):
            yield from _compared(f"{path}[{i}]", *pair)
    elif not _same(before, now):
        yield path, f"is {_shown(now)}, was {_shown(before)}."


def _shown(x: Any) -> str:
    return f"{x:.6g}" if isinstance(x, float) else str(x)


def _is_list(x: Any) -> bool:
    return isinstance(x, list | tuple)


def _same(before: Any, now: Any) -> bool:
    if isinstance(before, str) and isinstance(now, str):
        return _NUMBER.sub("#", before) == _NUMBER.sub("#", now)
    if isinstance(before, bool) or isinstance(now, bool) or before is None or now is None:
        return before is now
    if isinstance(before, int | float) and isinstance(now, int | float):
        both_nan = math.isnan(before) and math.isnan(now)
        return both_nan or math.isclose(before, now, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
    return before == now
