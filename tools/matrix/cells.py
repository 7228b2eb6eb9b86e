"""The cells of a row of the matrix that are no law, from the sections of a certificate."""

import math
from collections.abc import Callable
from typing import Any


def cells_of(sections: dict[str, Any]) -> dict[str, str]:
    """Return the text of each cell by the title of its column."""
    return {title: _known(way, sections) for title, way in _WAYS.items()}


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


_WAYS = {
    "State": _state,
    "Degree": _degree,
    "Stable up to": _edge,
    "First step": _first_step,
    "After a NaN": _after_nan,
    "Identified as": _identity,
}
TITLES = tuple(_WAYS)
"""The titles of the columns."""
