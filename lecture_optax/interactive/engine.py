"""What the page asks, and what the library answers.

A request and an answer are JSON values; the answer to `run` has arrays of float32 beside it. The
server and the widget transport both; the static page has the same requests, and answers them by
exported programs.

    page     the landscapes, the methods, the schedules, the slides, the first state and the limits
    read     a typed optimizer: its normalized text and its handles, or an error
    run      a state: the paths and the curves of its methods
    field    a landscape with its controls: its loss on a grid
    region   a form of a method: its spectral radius over τλ and the momentum
"""

import ast
import functools
import re
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from .._core import validate
from .expression import parsed, read
from .gallery import AVERAGE, FIRST, METHODS, RATE, SCHEDULES
from .landscapes import (
    EXAMPLES,
    LANDSCAPES as OF_TWO_PARAMETERS,
    Landscape,
    curvature_at_minimum,
    grid_on,
)
from .networks import NETWORK, on_a_plane
from .readings import FORMS, MOMENTA, PRODUCTS, readings_of, region
from .simulation import MOST_STEPS, Cancelled, Programs, Report, silent
from .slides import NAMED, SLIDES, state_on

MOST_METHODS = 3
GRID = 81
"""Points of a side of the grid on which the loss is drawn."""

FARTHEST = 1e3
"""The largest coordinate of a start."""

LANDSCAPES = {**OF_TWO_PARAMETERS, NETWORK.name: NETWORK}

Arrays = dict[str, np.ndarray]


class Engine:
    """Answers the requests of one page."""

    def __init__(self, programs: Programs | None = None) -> None:
        self.programs = programs or Programs()

    def answer(
        self, request: Mapping[str, Any], report: Report = silent
    ) -> tuple[dict[str, Any], Arrays]:
        """Return the answer to a request: JSON values and arrays; `error` says what went wrong.

        A run that takes long calls `report(progress)` with a fraction and a text. It ends early
        if `report` raises `Cancelled`, which passes through.
        """
        questions: dict[str, Callable[[Mapping[str, Any]], tuple[dict[str, Any], Arrays]]] = {
            "page": self._page,
            "read": self._read,
            "run": functools.partial(self._run, report=report),
            "field": self._field,
            "region": self._region,
        }
        try:
            validate.one_of(*questions, ask=request.get("ask"))
            return questions[request["ask"]](request)
        except Cancelled:
            raise
        except (ValueError, TypeError) as error:
            return {"error": str(error)}, {}
        except Exception as error:  # of Optax or JAX, in a chain that they cannot run
            return {"error": f"{type(error).__name__}: {error}"}, {}

    def _page(self, request):
        return {
            "landscapes": [_landscape_record(each) for each in LANDSCAPES.values()],
            "methods": [{"title": title, "text": text} for title, text in METHODS.items()],
            "schedules": [{"title": title, "text": text} for title, text in SCHEDULES.items()],
            "average": AVERAGE,
            "slides": [slide.record() for slide in SLIDES],
            "first": first_state(),
            "most": {"steps": MOST_STEPS, "methods": MOST_METHODS, "batch": EXAMPLES},
        }, {}

    def _read(self, request):
        expression = read(request.get("text"))
        return {
            "text": expression.text,
            "structure": expression.structure,
            "title": title_of(expression.structure),
            "handles": [handle.record() for handle in expression.handles],
        }, {}

    def _run(self, request, report):
        begin, state = time.perf_counter(), checked(request.get("state"))
        landscape = LANDSCAPES[state["landscape"]]
        expressions = [read(text) for text in state["methods"]]
        traces, methods, arrays = [], [], {}
        for i, expression in enumerate(expressions):
            title = title_of(expression.structure)
            trace = self.programs.run(
                expression,
                landscape,
                state["controls"],
                landscape.initial(state["seed"]) if landscape.initial else state["start"],
                batch=state["batch"],
                seed=state["seed"],
                steps=state["steps"],
                report=_one_of(len(expressions), i, title, report),
            )
            readings = readings_of(expression, landscape, state["controls"], state["batch"], trace)
            traces.append(trace)
            methods.append({"title": title, "text": expression.text, **readings.record})
            arrays |= {f"{name}.{i}": array for name, array in readings.arrays.items()}
        answer: dict[str, Any] = {"methods": methods}
        if landscape.is_network:
            traces, answer["field"], arrays["field"] = on_a_plane(traces)
        for i, trace in enumerate(traces):
            arrays |= {f"{name}.{i}": array for name, array in trace._asdict().items()}
        answer["compilations"] = self.programs.compilations
        answer["milliseconds"] = 1e3 * (time.perf_counter() - begin)
        return answer, arrays

    def _field(self, request):
        validate.one_of(*OF_TWO_PARAMETERS, landscape=request.get("landscape"))
        landscape = OF_TWO_PARAMETERS[request["landscape"]]
        controls = _controls(landscape, request.get("controls"))
        curvature = curvature_at_minimum(landscape, controls)
        return {
            "box": landscape.box,
            "grid": GRID,
            "minimum": curvature.minimum.tolist(),
            "eigenvalues": curvature.values.tolist(),
            "eigenvectors": curvature.vectors.T.tolist(),
        }, {"field": np.asarray(_field_of(landscape.name)(controls))}

    def _region(self, request):
        validate.one_of(*FORMS, form=request.get("form"))
        return {
            "products": PRODUCTS.tolist(),
            "momenta": MOMENTA.tolist(),
        }, {"radius": region(request["form"])}


def first_state(
    methods: Sequence[str] = tuple(METHODS[title] for title in FIRST),
    landscape: str = "quadratic",
) -> dict[str, Any]:
    """Return the state with which a page opens."""
    return state_on(LANDSCAPES[landscape], methods)


def checked(state: Any) -> dict[str, Any]:
    """Return a state as its requests need it, or raise an error that says what is not allowed."""
    validate.mapping(state=state)
    if missing := [name for name in first_state() if name not in state]:
        raise ValueError(f"state must have {', '.join(first_state())}, got no {missing[0]}.")
    validate.one_of(*LANDSCAPES, landscape=state["landscape"])
    landscape, methods = LANDSCAPES[state["landscape"]], state["methods"]
    validate.several(methods=methods, start=state["start"])
    if not 1 <= len(methods) <= MOST_METHODS:
        raise ValueError(f"methods must be one to {MOST_METHODS} texts, got {len(methods)}.")
    if len(state["start"]) != 2:
        raise ValueError(f"start must be two numbers, got {len(state['start'])}.")
    return {
        "landscape": landscape.name,
        "controls": _controls(landscape, state["controls"]),
        "start": [_within(-FARTHEST, FARTHEST, start=x) for x in state["start"]],
        "batch": _whole(1, EXAMPLES, batch=state["batch"]),
        "seed": _whole(0, 2**31 - 1, seed=state["seed"]),
        "steps": _whole(1, MOST_STEPS, steps=state["steps"]),
        "methods": list(methods),
    }


def _controls(landscape: Landscape, given: Any) -> dict[str, float]:
    """Return the controls of a landscape in their ranges."""
    validate.mapping(controls=given)
    handles = {handle.name: handle for handle in landscape.controls}
    if given.keys() != handles.keys():
        names = ", ".join(handles) or "nothing"
        raise ValueError(
            f"controls of {landscape.name!r} must have {names}, got {', '.join(map(str, given))}."
        )
    return {
        name: _within(handle.low, handle.high, **{name: given[name]})
        for name, handle in handles.items()
    }


def _within(low: float, high: float, **argument: Any) -> float:
    """Return a number from `low` to `high`. A slider may miss its end by a rounding error."""
    ((name, value),) = argument.items()
    validate.number(**argument)
    near = min(max(value, low), high)
    if not abs(value - near) <= 1e-9 * max(1.0, abs(near)):
        raise ValueError(f"{name} must be from {low:g} to {high:g}, got {value!r}.")
    return float(near)


def _whole(low: int, high: int, **argument: Any) -> int:
    """Return a whole number from `low` to `high`."""
    ((name, value),) = argument.items()
    validate.number(**argument)
    if not (low <= value <= high and value == int(value)):
        raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value!r}.")
    return int(value)


_SCHEDULE = re.compile(r"lo\.schedules\.(\w+)\([^()]*\)")
_AVERAGED = re.compile(r"lo\.chain\((.+), lo\.average_iterates\(#?\)\)")


def title_of(structure: str) -> str:
    """Return a title: of the gallery, with the schedule and the average beside it."""
    if averaged := _AVERAGED.fullmatch(structure):
        inner = averaged[1]
        is_chain = isinstance(parsed(inner.replace("#", "_")), ast.Tuple)
        return f"{title_of(f'lo.chain({inner})' if is_chain else inner)}, averaged"
    schedule = ""
    while found := _SCHEDULE.search(structure):  # from the innermost outwards
        name = _schedule_titles().get(found[1], found[1].replace("_", " "))
        structure, schedule = structure.replace(found[0], "#"), f", {name}"
    outer = structure.partition("(")[0]
    title = _titles().get(structure) or _titles().get(outer)
    return f"{title or _members(structure)}{schedule}"


def _members(structure: str) -> str:
    """Return the titles of the members of a chain, shortened; or the name of another factory."""
    node: Any = parsed(structure.replace("#", "_"))
    name = ast.unparse(node.func).rpartition(".")[2].replace("_", " ")
    if name != "chain":
        return name
    titles = (title_of(re.sub(r"\b_\b", "#", ast.unparse(part))) for part in node.args)
    named = ", ".join(title for title in titles if title != "scale by learning rate")
    return textwrap.shorten(named or name, 40, placeholder=" …")


@functools.cache
def _schedule_titles() -> dict[str, str]:
    """Return the titles of the schedules by the names of their factories."""
    return {
        text.partition("(")[0].rpartition(".")[2]: title
        for title, text in SCHEDULES.items()
        if text != RATE
    }


@functools.cache
def _titles() -> dict[str, str]:
    """Return the titles by structure; and of a factory that has one method only, by its name."""
    by_structure = {read(text).structure: title for title, text in (METHODS | NAMED).items()}
    names = [structure.partition("(")[0] for structure in by_structure]
    of_one = {
        name: title
        for name, title in zip(names, by_structure.values(), strict=True)
        if names.count(name) == 1
    }
    return by_structure | of_one


def _one_of(count: int, i: int, title: str, report: Report) -> Report:
    """Return the report of run i, which is a part of the whole."""

    def report_part(progress: dict[str, Any]) -> None:
        report(
            {
                "fraction": (i + progress["fraction"]) / count,
                "text": f"{title}: {progress['text']}",
            }
        )

    return report_part


@functools.cache
def _field_of(name: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return the compiled function of a landscape's controls that draws it."""
    landscape = OF_TWO_PARAMETERS[name]
    points = grid_on(landscape.box, GRID)

    @jax.jit
    def field(controls):
        return jax.vmap(lambda θ: landscape.loss(θ, controls))(points).reshape(GRID, GRID)

    return field


def _landscape_record(landscape: Landscape) -> dict[str, Any]:
    return {
        "name": landscape.name,
        "title": landscape.title,
        "formula": landscape.formula,
        "box": landscape.box,
        "start": landscape.start,
        "controls": [handle.record() for handle in landscape.controls],
        "has_examples": landscape.has_examples,
        "is_quadratic": landscape.is_quadratic,
        "is_network": landscape.is_network,
    }
