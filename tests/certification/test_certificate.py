"""A certificate: its JSON, its hash, what `verify` says, and its page."""

import json
from importlib import resources

import jax
import jax.numpy as jnp
import jsonschema
import numpy as np
import optax
import pytest

import lecture_optax as lo
from lecture_optax.testing import Certificate, certification
from lecture_optax.testing.certification.candidate import candidate_of, ordinary_session
from lecture_optax.testing.certification.comparison import shortened
from lecture_optax.testing.certification.description import description_of
from lecture_optax.testing.certification.sections import SECTIONS


def sign(floor=0.5):
    """A block of a user: the sign of a gradient, but proportional to it when it is small."""

    def update_fn(updates, state, params=None):
        return jax.tree.map(lambda g: -g / jnp.maximum(jnp.abs(g), floor), updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update_fn)


@pytest.fixture(scope="module")
def certificate():
    return lo.testing.certify(sign, sections=[name for name in SECTIONS if name != "identity"])


def test_every_section_is_measured_or_says_why(certificate):
    for name, numbers in certificate.sections.items():
        assert numbers, name
        assert "not_measured" not in numbers, (name, numbers)
    text = str(certificate)
    for words in ("test_certificate:sign", "The first step", "optax.sgd", certificate.verdict):
        assert words in text


def test_it_cannot_be_changed(certificate):
    with pytest.raises(AttributeError):
        certificate.sections = {}
    with pytest.raises(TypeError):
        certificate.sections["first_step"]["largest"] = 0.0


def test_its_json_round_trips_and_is_of_the_schema(certificate):
    text = certificate.to_json()
    again = Certificate.from_json(text)
    assert again.to_json() == text
    assert str(again) == str(certificate)
    schema = resources.files(certification).joinpath("certificate.schema.json").read_text("utf-8")
    jsonschema.Draft202012Validator.check_schema(json.loads(schema))
    jsonschema.validate(json.loads(text), json.loads(schema))
    broken = json.loads(text)
    broken["sections"]["first_step"]["largest"] = "one"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, json.loads(schema))


def test_numbers_that_are_not_finite_survive_json(certificate):
    numbers = {"first_step": {"largest": float("inf"), "descends": float("nan"), "text": "NaNs"}}
    mine = Certificate(certificate.description, certificate.versions, numbers)
    again = Certificate.from_json(mine.to_json()).sections["first_step"]
    assert again["largest"] == float("inf") and np.isnan(again["descends"])
    assert again["text"] == "NaNs"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 2, "more": 2}'])
def test_another_text_is_refused(text):
    with pytest.raises(ValueError, match="text must be the JSON of a certificate"):
        Certificate.from_json(text)


def test_the_hash_is_of_the_update_rule():
    def scaled(by):
        return lambda: optax.scale(by)

    def hash_of(make):
        with ordinary_session():
            return description_of(candidate_of(make))["hash"]

    assert hash_of(scaled(-0.1)) == hash_of(scaled(-0.1))
    assert hash_of(scaled(-0.1)) != hash_of(scaled(-0.2))
    assert hash_of(lambda: optax.adam(0.1)) != hash_of(lambda: optax.adam(0.1, nesterov=True))
    array = {by: hash_of(lambda by=by: optax.scale(jnp.full(3, by)[0])) for by in (0.1, 0.2)}
    assert array[0.1] != array[0.2]  # a number that is an array of the closure


QUICK = ["first_step", "cost"]


def test_verify_finds_a_changed_rule_and_names_its_hash_first():
    certificate = lo.testing.certify(sign, sections=QUICK)
    assert [*certificate.sections] == QUICK
    assert certificate.verify(sign) == ()
    found = certificate.verify(lambda: optax.scale_by_learning_rate(0.01))
    assert found[0].startswith("The hash of what was certified is ")
    assert any(line.startswith("first_step.largest is 0.01, was 1.") for line in found)
    assert not any("seconds" in line or "ratio" in line for line in found)


def test_a_long_list_of_differences_is_shortened_and_the_useful_come_first():
    many = [f"laws.laws.law_{i}.output is #, was ##." for i in range(400)]
    useful = ["The hash of what was certified is 1, was 2.", "laws.laws.l.verdict is broken."]
    found = shortened([*many, *reversed(useful)])
    assert found[:2] == useful and len(found) == 15
    assert found[-1] == "And 388 more differences: --json prints all."
    assert shortened(useful) == useful


def test_a_section_that_raises_costs_no_other(monkeypatch):
    def raises(candidate):
        raise RuntimeError("of another author")

    monkeypatch.setitem(SECTIONS, "first_step", SECTIONS["first_step"]._replace(measure=raises))
    sections = lo.testing.certify(sign, sections=QUICK).sections
    assert sections["first_step"] == {"not_measured": "RuntimeError: of another author"}
    assert sections["cost"]["parameters"] > 1e6


def test_sections_are_named():
    with pytest.raises(ValueError, match="Did you mean 'first_step'"):
        lo.testing.certify(sign, sections=["firststep"])
    with pytest.raises(TypeError, match="sections must be a list of names"):
        lo.testing.certify(sign, sections="laws")
    assert "not among the sections" in lo.testing.certify(sign, sections=["state"]).verdict


def test_its_page_is_one_file_in_two_widths(certificate):
    text = certificate.page()
    assert text.count("<svg class=wide") == text.count("<svg class=narrow") == 1
    for words in (certificate.verdict, certificate.description["hash"], "optax.sgd"):
        assert words in text
    assert "http" not in text.replace("Content-Security-Policy", "").replace("http-equiv", "")
