"""Metrics that are no means over examples receive all predictions, as their arguments are named."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn import metrics as sk

import lecture_optax as lo
from lecture_optax.training import Problem
from lecture_optax.training.checks.metrics import with_metrics
from lecture_optax.training.loop.evaluation import evaluate_all
from lecture_optax.training.losses import binary_cross_entropy, cross_entropy, loss_named, mse
from lecture_optax.training.metrics import (
    host_arguments,
    host_metric,
    in_order,
    named_metrics,
    takes_logits,
    value_of,
)

from .models import PARAMS, TRAIN, VALID, LinenNet, linen_problem, plain_loss

pytestmark = pytest.mark.usefixtures("untyped")
_random = np.random.default_rng(0)
LOGITS = _random.normal(size=(200, 3)).astype(np.float32)
CLASSES = np.where(_random.random(200) < 0.5, LOGITS.argmax(1), _random.integers(0, 3, 200))
PAIRS, YES = LOGITS[:, :2], (CLASSES > 0).astype(np.int32)
CHANCES = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
YES_CHANCES = 1 / (1 + np.exp(PAIRS[:, 0] - PAIRS[:, 1]))
ONE = LOGITS[:, :1]
MACRO = functools.partial(sk.f1_score, average="macro")
OVR = functools.partial(sk.roc_auc_score, multi_class="ovr")
FLOATS = CLASSES[:, None].astype(np.float32)

VALUES = {
    "classes": (MACRO, cross_entropy, LOGITS, CLASSES, (CLASSES, LOGITS.argmax(1))),
    "one-hot": (MACRO, cross_entropy, LOGITS, np.eye(3)[CLASSES], (CLASSES, LOGITS.argmax(1))),
    "two classes": (sk.f1_score, cross_entropy, PAIRS, YES, (YES, PAIRS.argmax(1))),
    "kappa": (sk.cohen_kappa_score, cross_entropy, LOGITS, CLASSES, (CLASSES, LOGITS.argmax(1))),
    "clusters": (sk.rand_score, cross_entropy, LOGITS, CLASSES, (CLASSES, LOGITS.argmax(1))),
    "scores": (OVR, cross_entropy, LOGITS, CLASSES, (CLASSES, CHANCES)),
    "a score": (sk.roc_auc_score, cross_entropy, PAIRS, YES, (YES, YES_CHANCES)),
    "log loss": (sk.log_loss, cross_entropy, LOGITS, CLASSES, (CLASSES, CHANCES)),
    "brier": (sk.brier_score_loss, cross_entropy, PAIRS, YES, (YES, YES_CHANCES)),
    "hinge": (sk.hinge_loss, cross_entropy, PAIRS, YES, (YES, PAIRS[:, 1] - PAIRS[:, 0])),
    "a sign": (sk.f1_score, binary_cross_entropy, ONE, YES[:, None] * 1.0, (YES, ONE[:, 0] > 0)),
    "a logit": (sk.roc_auc_score, binary_cross_entropy, ONE, YES[:, None], (YES, ONE[:, 0])),
    "sigmoid": (
        sk.log_loss,
        binary_cross_entropy,
        ONE[:, 0],
        YES * 1.0,
        (YES, 1 / (1 + np.exp(-ONE[:, 0]))),
    ),
    "regression": (sk.r2_score, mse, ONE, FLOATS, (FLOATS, ONE)),
    "a column": (sk.r2_score, mse, ONE, FLOATS[:, 0], (FLOATS, ONE)),
    "counts": (sk.r2_score, mse, ONE, CLASSES[:, None], (CLASSES, ONE[:, 0])),
    "several": (sk.r2_score, mse, PAIRS, LOGITS[:, 1:], (LOGITS[:, 1:], PAIRS)),
    "tokens": (
        sk.accuracy_score,
        cross_entropy,
        LOGITS.reshape(50, 4, 3),
        CLASSES.reshape(50, 4),
        (CLASSES, LOGITS.argmax(1)),
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_functions_of_scikit_learn_receive_what_their_arguments_are_named_for(name):
    function, loss, prediction, target, expected = VALUES[name]
    own = host_metric(function)
    given = host_arguments(loss, own.takes, prediction, target)
    np.testing.assert_allclose(function(*given), function(*expected), rtol=1e-5)


def swapped(target, prediction):
    return prediction - 2 * target


@pytest.mark.parametrize(
    "names", ["labels, logits", "y_true, y_pred", "y, y_hat", "actual, preds", "t, p", "y, p"]
)
def test_a_function_whose_names_say_the_other_order_is_called_so(names):
    function = eval(f"lambda {names}: ({names})")
    assert in_order(function)("prediction", "target") == ("target", "prediction")


@pytest.mark.parametrize("names", ["prediction, target", "logits, labels", "p, t", "x, y", "y, t"])
def test_all_others_are_called_with_the_prediction_first(names):
    function = eval(f"lambda {names}: ({names})")
    assert in_order(function) is function
    assert in_order(np.add) is np.add and in_order(optax.squared_error) is optax.squared_error


def test_so_is_a_loss():
    assert in_order(loss_named(swapped))(1.0, 2.0) == swapped(2.0, 1.0)


def decided(problem):
    return with_metrics(problem, *problem.start[:1], {})


def per_example(p, t):
    return jnp.abs(p[:, 0] - t.astype(p.dtype))


def rank(p, t):
    return jnp.argsort(p[:, 0])


def share(p, t):
    return (p.argmax(-1) == t).mean()


def on_the_host(p, t):
    return np.unique(np.asarray(p).argmax(-1)).size


def test_those_with_one_number_per_example_are_means_and_the_others_are_not():
    own = [per_example, rank, share, on_the_host, sk.f1_score]
    found = decided(linen_problem(metrics=["accuracy", *own]))
    assert [name for name, _ in found.metrics] == ["rank", "share", "on_the_host", "f1_score"]
    values = found.functions.examples(PARAMS, {}, VALID)
    assert {name: x.shape for name, x in values.items()} == {
        "loss": (28,),
        "accuracy": (28,),
        "per_example": (28,),
    }


def right(y_true, y_pred):
    return jnp.argmax(y_pred, -1) == y_true


def mean_of_logits(y_true, y_pred):
    return np.mean(np.argmax(y_pred, -1) == y_true)


def mean_of_classes(y_true, y_pred):
    return jnp.mean(y_pred == y_true)


def each_class(y_true, y_pred):
    return y_pred == y_true


def f1(y_true, y_pred):
    return sk.f1_score(y_true, y_pred, average="macro")


def test_your_own_of_y_true_and_y_pred_receive_logits_if_they_take_them_and_else_classes():
    own = ["accuracy", right, mean_of_logits, mean_of_classes, each_class, f1]
    found = decided(linen_problem(metrics=own))
    assert [name for name, _ in found.metrics] == [f.__name__ for f in own[2:]]
    values = evaluate_all(found, PARAMS, {}, VALID)
    names = ["accuracy", "right", "mean_of_logits", "mean_of_classes", "each_class"]
    assert len({round(values[name], 6) for name in names}) == 1
    prediction = np.asarray(found.functions.predict(PARAMS, {}, VALID[0]))
    assert values["f1"] == pytest.approx(f1(VALID[1], prediction.argmax(-1)))
    one, labels = jax.ShapeDtypeStruct((4,), np.float32), np.zeros(4, np.int32)
    assert takes_logits(right, jax.ShapeDtypeStruct((4, 2), np.float32), labels)
    assert not takes_logits(right, one, labels) and not takes_logits(sk.f1_score, one, labels)


def test_of_plain_functions_too():
    metrics = {"each": plain_loss, "all": lambda params, batch: plain_loss(params, batch).max()}
    problem = Problem.from_functions(
        init=lambda key: PARAMS, loss=plain_loss, train=TRAIN, params=PARAMS, metrics=metrics
    )
    found = decided(problem)
    assert [name for name, _ in found.metrics] == ["all"]
    assert found.functions.examples(PARAMS, {}, VALID)["each"].shape == (28,)


def test_a_metric_of_every_pair_of_examples_is_refused():
    def pairs(p, t):
        return p[:, :1] - t.astype(p.dtype)

    with pytest.raises(ValueError, match=r"metrics\['pairs'\] .* an entry for every pair of them"):
        decided(linen_problem(metrics=[pairs]))


def test_a_scorer_of_an_estimator_is_refused():
    with pytest.raises(TypeError, match=r"metrics\['f1'\] must be .* got a scorer"):
        decided(linen_problem(metrics={"f1": sk.get_scorer("f1")}))


@pytest.mark.parametrize("value", ["x", None, 1j, np.ones(7), [], object(), np.ones(2, complex)])
def test_what_is_no_number_is_refused_by_the_name_of_the_metric(value):
    says = r"metrics\['mine'\] must return one number, a dict of"
    with pytest.raises((TypeError, ValueError), match=says):
        value_of("mine", lambda p, t: value, lambda: (LOGITS, CLASSES), 200)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), {"mine": 0.5}),
        (True, {"mine": 1.0}),
        (jnp.bfloat16(0.5), {"mine": 0.5}),
        (np.arange(200), {"mine": 99.5}),
        ({"low": 1, "high": jnp.ones(())}, {"mine_low": 1.0, "mine_high": 1.0}),
    ],
)
def test_numbers_dicts_of_numbers_and_one_per_example_are_taken(value, expected):
    assert value_of("mine", lambda: value, lambda: (), 200) == expected


def test_an_error_of_a_metric_is_told_with_its_name_and_the_shapes():
    says = r"metrics\['f1'\] fails for the arguments of shapes \(200,\) and \(200,\): Target is mul"
    given = host_arguments(cross_entropy, "classes", LOGITS, CLASSES)
    with pytest.raises(ValueError, match=says):
        value_of("f1", sk.f1_score, lambda: given, -1)


NAMES = {
    "no name": ([lambda p, t: p], TypeError, "metrics must have names"),
    "a number": ([3], TypeError, "metrics must be one of"),
    "nothing": ({"a": None}, TypeError, "metrics['a'] must be one of"),
    "a typo": ({"a": "accurcy"}, ValueError, "metrics['a'] must be one of"),
    "twice": (["mse", "mse"], ValueError, "metrics must have different names"),
    "the loss": ({"loss": share}, ValueError, "metrics must have different names"),
    "no string": ({1: share}, TypeError, "metrics must have names that are strings, got 1"),
    "a function": (share, TypeError, "metrics must be a list of names and functions"),
    "a word": ("accuracy", TypeError, 'One metric is ["accuracy"]'),
}


@pytest.mark.parametrize("name", NAMES)
def test_metrics_without_a_good_name_are_refused(name):
    metrics, kind, says = NAMES[name]
    with pytest.raises(kind, match=re.escape(says)):
        linen_problem(metrics=metrics)


def test_fit_evaluates_them_on_all_examples_at_once():
    x = _random.normal(size=(2100, 4)).astype(np.float32)
    y = (x[:, 0] + 2 * (np.arange(2100) > 1900) > 1).astype(np.int32)
    result = lo.fit(
        LinenNet(),
        TRAIN,
        loss="cross_entropy",
        valid=(x, y),
        metrics=["accuracy", sk.f1_score, share],
        tx=lo.adam(1e-2),
        steps=20,
        evaluations=1,
        keep="last",
        progress=False,
    )
    classes = np.asarray(result.predict(x)).argmax(-1)
    line = result.history.evaluations[-1]
    assert line["valid_f1_score"] == sk.f1_score(y, classes) > 0
    np.testing.assert_allclose(line["valid_share"], np.mean(classes == y), rtol=1e-6)
    np.testing.assert_allclose(line["valid_accuracy"], np.mean(classes == y), rtol=1e-6)


@pytest.mark.parametrize("target", [CLASSES, np.eye(3, dtype=np.float32)[CLASSES]])
def test_the_accuracy_of_classes_is_that_of_the_likeliest_one(target):
    ((name, accuracy),) = named_metrics(None, "cross_entropy")
    assert name == "accuracy"
    right = jnp.mean(accuracy(jnp.asarray(LOGITS), jnp.asarray(target)))
    np.testing.assert_allclose(right, np.mean(LOGITS.argmax(1) == CLASSES), rtol=1e-6)


def test_metrics_that_nothing_evaluates_are_warned_of():
    with (
        pytest.warns(UserWarning, match=r"metrics=\['accuracy'\] are not evaluated with"),
        pytest.raises(ValueError, match="steps"),
    ):
        lo.fit(LinenNet(), TRAIN, loss="cross_entropy", metrics=["accuracy"])


def test_an_accuracy_of_every_pair_of_examples_is_refused():
    with pytest.raises(ValueError, match="accuracy needs one class per example"):
        jax.eval_shape(lo.training.losses.accuracy, LOGITS, CLASSES[:, None])
