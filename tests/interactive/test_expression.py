"""Typed optimizers: which texts are read, that others are refused, and their titles."""

import pytest
from hypothesis import example, given, strategies as st

from lecture_optax.interactive.engine import title_of
from lecture_optax.interactive.expression import MOST_CALLS, MOST_CHARACTERS, MOST_NUMBERS, read
from lecture_optax.interactive.gallery import AVERAGE, METHODS, RATE, SCHEDULES

pytestmark = pytest.mark.usefixtures("standard_promotion")

REFUSED = {
    "code": [
        "__import__('os').system('ls')",
        "lo.adam.__globals__",
        "lo.adam.__globals__['x'](1)",
        "lo.__init__('x')",
        "lo._core.chain.chain()",
        "(lambda: lo.sgd(0.1))()",
        "[lo.sgd(0.1) for _ in range(9)]",
        "lo.sgd(f'{1}')",
        "lo.sgd(x := 1)",
        "lo.sgd(*[0.1])",
        "lo.sgd(**{'learning_rate': 0.1})",
        "lo.sgd(0.1) or lo.adam(0.1)",
        "lo.sgd(0.1); lo.sgd(0.1)",
        "lо.sgd(0.1)",  # a Cyrillic о
        "optax.inject_hyperparams(optax.sgd)(0.1)",
        "lo.precondition(lo.trace(0.9), by=lo.trace(0.9), apply=lo.trace)",
    ],
    "size": [
        "9**9**9",
        "lo.sgd(9**9**9)",
        "lo.sgd(1e999)",
        "lo.sgd(-1e39)",
        f"lo.sgd({'9' * 900})",
        "lo.full_matrix(diagonal_above=99999999999999999999)",
        "lo.sgd(lo.schedules.cosine(0.1, 4294967296))",
        "lo.newton(max_steps=1000000000)",
        "(" * 400 + ")" * 400,
        "[" * 150 + "]" * 150,
        "-" * 990 + "1",
        "a" + ".b" * 480,
        "chain(" * 100 + ")" * 100,
        "#" * (MOST_CHARACTERS + 1),
        f"lo.chain({', '.join(['inverse()'] * MOST_CALLS)})",
        f"sgd(lo.schedules.step(0.1, {list(range(1, MOST_NUMBERS + 1))}))",
    ],
    "kind": [
        "",
        "0.1",
        "lo.sgd",
        "lo.sgd(True)",
        "lo.sgd(1j)",
        "lo.sgd(b'1')",
        "optax.sgd('fast')",
        "optax.adamw(0.1, mask='x')",
        "lo.sgd(...)",
        "lo.sgd(lo.adam(0.1))",
        "lo.sgd(0.1, 0.9, False, None, 1.0)",
        "lo.sgd(0.1, speed=0.9)",
        "lo.sgd(0.1, learning_rate=0.1)",
        "lo.sgd(momentum=0.9, learning_rate=0.1, learning_rate=0.2)",
        "lo.adam(0.1, eps=lo.schedules.cosine(0.1, 10))",
        "lo.chain(lo.schedules.constant(0.1))",
        "lo.schedules.cosine(0.1, 200)",
        "lo.sgd(lo.schedules.cosine(0.1, total_steps=40.5))",
        "lo.trace(0.9, accumulator_dtype='complex64')",
        "lo.trace(0.9, accumulator_dtype='#')",
        "lo.trace(1.5)",
        "lo.sgd(0.1)\0",
        "lo.sgd('\ud800')",
        "lo.sgd(1if 2else 3)",
    ],
}


@pytest.mark.parametrize(
    "text",
    [text for texts in REFUSED.values() for text in texts],
    ids=lambda text: ascii(text[:40]),
)
def test_a_text_that_is_not_a_call_with_numbers_is_refused(text):
    with pytest.raises((ValueError, TypeError)) as caught:
        read(text)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("text", [None, 1, ["lo.sgd(0.1)"], {}])
def test_what_is_not_a_text_is_refused(text, untyped):
    with pytest.raises(TypeError, match="text must be a string"):
        read(text)


@pytest.mark.parametrize(
    ("typed", "near"),
    [("adma(0.1)", "lo.adam"), ("optax.adma(0.1)", "optax.adam"), ("cosine(1.0, 9)", "schedules")],
)
def test_the_refusal_of_an_unknown_name_names_the_nearest(typed, near):
    with pytest.raises(ValueError, match=f"did you mean .*{near}"):
        read(typed)


@pytest.mark.parametrize("typed", ["float(1)", "lo.float(1)", "print()", "a.b()", "getattr(1, 2)"])
def test_a_name_that_is_near_to_none_gets_no_advice(typed):
    with pytest.raises(ValueError, match="is not an optimizer, a block or a schedule that may"):
        read(typed)


def test_a_calculation_is_named_and_the_number_asked_for():
    with pytest.raises(ValueError, match=r"calculation .* got `1 / 10`: write the number"):
        read("lo.sgd(1 / 10)")


def test_the_decays_of_the_blocks_of_adam_have_two_labels():
    labels = [h.label for h in read(METHODS["Adam without bias correction"]).handles]
    assert labels == ["β₁", "β₂", "ε", "learning rate τ"]
    labels = [h.label for h in read(METHODS["Nesterov with restart"]).handles]
    assert labels == ["momentum μ", "learning rate τ"]


FRAGMENTS = (
    *(read(text).text for text in METHODS.values()),
    *("lo.", "optax.", "sgd", "adam", "chain", "schedules.", "cosine", "momentum=", "(", ")"),
    *(
        "[",
        "]",
        ",",
        "=",
        "-",
        "0.1",
        "1e-8",
        "9",
        "True",
        "None",
        "'float32'",
        "_",
        "#",
        " ",
        "\n",
    ),
    *("**", "lambda:", ":=", "ｌｏ", "é", "\0"),
)
TYPED = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(FRAGMENTS)).map("".join))


@given(TYPED)
@example("ｓｇｄ(.1)")
@example("sgd(1_0)# ten")
@example(f"chain({','.join(['inverse()'] * 39)})")
def test_any_text_is_read_or_refused_and_reading_it_again_changes_nothing(text):
    try:
        expression = read(text)
    except (ValueError, TypeError):
        return
    assert read(expression.text) == expression


@pytest.mark.parametrize("text", METHODS.values())
def test_a_handle_is_the_place_of_its_number(text):
    expression = read(text)
    assert expression.text == text
    for handle in expression.handles:
        assert float(text[handle.begin : handle.end]) == handle.value
        assert handle.low <= handle.value <= handle.high


@pytest.mark.parametrize("title", METHODS)
def test_a_title_tells_the_method_its_schedule_and_its_average(title):
    method = METHODS[title]
    rate = next(handle for handle in read(method).handles if handle.name == "learning_rate")
    for schedule, text in SCHEDULES.items():
        scheduled = method[: rate.begin] + text.replace(RATE, f"{rate.value}") + method[rate.end :]
        one, two = (
            title_of(read(text).structure)
            for text in (scheduled, f"lo.chain({scheduled}, {AVERAGE})")
        )
        assert one.partition(", ")[0] == title and (", " in one) == (schedule != "constant")
        assert two == f"{one}, averaged"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("adam(0.1)", "Adam"),
        ("lo.chain(optax.clip(1.0), lo.sgd(0.1))", "clip, Gradient descent"),
        ("lo.chain(lo.trace(0.9), lo.scale_by_learning_rate(0.1))", "trace"),
        ("lo.chain(lo.first_moment(0.9), lo.scale_by_learning_rate(0.1))", "Averaged gradient"),
        ("lo.chain()", "chain"),
        ("sgd(schedules.inverse_time(0.1, decay_rate=0.1))", "Gradient descent, 1/k"),
        ("sgd(schedules.linear(0.1, total_steps=9))", "Gradient descent, linear"),
        (
            "lo.chain(lo.full_matrix(), lo.nesterov_trace(0.9), lo.trace(0.9), lo.sgd(0.1, 0.9))",
            None,
        ),
    ],
)
def test_a_text_that_is_not_in_the_gallery_has_a_title(text, title):
    found = title_of(read(text).structure)
    assert found == title if title else len(found) <= 40


def test_the_title_of_a_chain_that_ends_on_an_average():
    inside = METHODS["Nesterov with restart"].removeprefix("lo.chain(").removesuffix(")")
    structure = read(f"lo.chain({inside}, {AVERAGE})").structure
    assert title_of(structure) == "Nesterov with restart, averaged"
