"""What the engine answers: a state is checked, and each error names what is allowed."""

import json
import re

import numpy as np
import pytest

from lecture_optax.interactive.engine import LANDSCAPES, Engine, checked, first_state
from lecture_optax.interactive.gallery import METHODS

pytestmark = pytest.mark.usefixtures("standard_promotion", "untyped")

ENGINE = Engine()
STATE = first_state(["lo.sgd(0.1)", "lo.adam(0.1)"])


def error_of(**request):
    answer, arrays = ENGINE.answer(request)
    assert answer.keys() == {"error"} and not arrays
    return answer["error"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"landscape": "quadratc"}, "landscape must be one of .* Did you mean 'quadratic'?"),
        ({"landscape": ["quadratic"]}, "landscape must be one of"),
        ({"landscape": None}, "landscape must be one of"),
        ({"controls": {}}, "controls of 'quadratic' must have condition, rotation, got"),
        ({"controls": None}, "controls must be a dict, got None"),
        ({"controls": {"condition": 9.0}}, "must have condition, rotation, got condition"),
        ({"controls": {"condition": 9.0, "rotation": 0.0, "tilt": 1.0}}, "got .*tilt"),
        ({"controls": {"condition": 0.5, "rotation": 0.0}}, "condition must be from 1 to 1000"),
        ({"controls": {"condition": np.nan, "rotation": 0.0}}, "condition must be from 1 .* nan"),
        ({"controls": {"condition": "9", "rotation": 0.0}}, "condition must be a number, got '9'"),
        ({"start": [1.0]}, "start must be two numbers, got 1"),
        ({"start": 1.0}, "start must be a list, got 1.0"),
        ({"start": [1.0, np.inf]}, "start must be from -1000 to 1000, got inf"),
        ({"start": [1.0, 1e4]}, "start must be from -1000 to 1000, got 10000.0"),
        ({"start": [True, 1.0]}, "start must be a number, got True"),
        ({"batch": 0}, "batch must be a whole number from 1 to 64, got 0"),
        ({"batch": 65}, "batch must be a whole number from 1 to 64, got 65"),
        ({"batch": 1.5}, "batch must be a whole number from 1 to 64, got 1.5"),
        ({"seed": -1}, "seed must be a whole number from 0 to 2147483647, got -1"),
        ({"seed": 2**31}, "seed must be a whole number from 0 to 2147483647, got 2147483648"),
        ({"seed": 10**400}, "seed must be a number"),
        ({"steps": 2001}, "steps must be a whole number from 1 to 2000, got 2001"),
        ({"steps": np.nan}, "steps must be a whole number from 1 to 2000, got nan"),
        ({"steps": None}, "steps must be a number, got None"),
        ({"methods": []}, "methods must be one to 3 texts, got 0"),
        ({"methods": ["lo.sgd(0.1)"] * 4}, "methods must be one to 3 texts, got 4"),
        ({"methods": "lo.sgd(0.1)"}, "methods must be a list, got 'lo.sgd"),
        ({"methods": [0.1]}, "text must be a string, got 0.1"),
        ({"methods": ["lo.sgd(-0.1)"]}, "learning_rate must be a finite number >= 0"),
    ],
)
def test_the_error_of_a_state_names_the_argument_the_value_and_what_is_allowed(change, words):

    assert re.search(words, error_of(ask="run", state={**STATE, **change}))


@pytest.mark.parametrize("name", STATE)
def test_a_state_without_an_entry_is_refused(name):
    state = {key: value for key, value in STATE.items() if key != name}
    assert f"got no {name}" in error_of(ask="run", state=state)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "ask must be one of"),
        ({"ask": "everything"}, "ask must be one of"),
        ({"ask": ["run"]}, "ask must be one of"),
        ({"ask": "read"}, "text must be a string, got None"),
        ({"ask": "run"}, "state must be a dict, got None"),
        ({"ask": "field"}, "landscape must be one of"),
        ({"ask": "field", "landscape": "digits", "controls": {}}, "landscape must be one of"),
        ({"ask": "field", "landscape": "quadratic"}, "controls must be a dict, got None"),
        ({"ask": "region", "form": "Adam"}, "form must be one of 'heavy ball', 'Nesterov'"),
    ],
)
def test_the_error_of_a_request_says_what_is_missing(request_, words):
    assert words in error_of(**request_)


def test_a_slider_may_miss_its_end_by_a_rounding_error():
    state = checked({**STATE, "controls": {"condition": 1000.0000000001, "rotation": -1e-12}})
    assert state["controls"] == {"condition": 1000.0, "rotation": 0.0}


def test_a_state_is_what_json_makes_of_it():
    state = json.loads(json.dumps({**STATE, "batch": 8.0, "seed": 0.0}))
    assert checked(state) == {**checked(STATE)}
    assert [type(checked(state)[name]) for name in ("batch", "seed", "steps")] == [int] * 3


@pytest.mark.parametrize("name", [name for name in LANDSCAPES if name != "digits"])
@pytest.mark.parametrize("rate", [0.5, 100.0])
def test_every_answer_is_json_without_nan_and_has_its_arrays(name, rate):
    methods = [f"lo.sgd({rate}, momentum=0.9)", f"lo.chain(lo.sgd({rate}), lo.average_iterates())"]
    state = {**first_state(methods, name), "steps": 300}
    answer, arrays = ENGINE.answer({"ask": "run", "state": state})
    json.dumps(answer, allow_nan=False)
    assert [method["has_average"] for method in answer["methods"]] == [False, True]
    steps = {"learning_rate": 300, "update": 300, "ratio": 300, "batch_loss": 300}
    points = {"path": 301, "average": 301, "modes": 301, "loss": 301, "average_loss": 301}
    for i in range(2):
        for array, length in (steps | points).items():
            assert len(arrays[f"{array}.{i}"]) == length
    assert len(arrays) == 2 * len(steps | points)


def test_the_page_and_the_other_questions_are_json():
    page, _ = ENGINE.answer({"ask": "page"})
    json.dumps(page, allow_nan=False)
    assert [method["title"] for method in page["methods"]] == list(METHODS)
    reading, _ = ENGINE.answer({"ask": "read", "text": "adam(.1)"})
    json.dumps(reading, allow_nan=False)
    assert reading["title"] == "Adam" and reading["text"] == "lo.adam(0.1)"
    region, arrays = ENGINE.answer({"ask": "region", "form": "Nesterov"})
    json.dumps(region, allow_nan=False)
    assert arrays["radius"].shape == (len(region["momenta"]), len(region["products"]))


def test_the_field_is_the_loss_row_by_row_from_the_bottom_left():
    controls = {"condition": 4.0, "rotation": 0.0}
    field, arrays = ENGINE.answer({"ask": "field", "landscape": "quadratic", "controls": controls})
    left, right, bottom, top = field["box"]
    x, y = np.linspace(left, right, field["grid"]), np.linspace(bottom, top, field["grid"])
    np.testing.assert_allclose(arrays["field"], (x**2 / 4 + y[:, None] ** 2) / 2, atol=1e-6)
    assert field["minimum"] == [0.0, 0.0] and field["eigenvalues"] == [0.25, 1.0]
    assert np.abs(field["eigenvectors"]).tolist() == [[1.0, 0.0], [0.0, 1.0]]
