"""Non-finite steps: the error, the first quantity that is not finite, and its cause."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..._core.dtypes import dtype_of
from .._cached import cached
from .._trees import by_path, n_rows, take_rows
from ..compiled.program import Compiled, Program
from ..compiled.row_order import batch_rows
from ..compiled.step import Carry, keys_of, squares
from .run import History, Run


class NonFiniteError(FloatingPointError):
    """The loss, the gradient, the update or a parameter was not finite.

    - `run`: the run before that step. A run on an iterable of batches is returned as it was up to a
      few seconds earlier, because the batches cannot be read again: see `run.step`.
    - `step`: the number of finite steps.
    - `quantity`: "loss", "grad_norm", "update_norm", "a parameter" or "the model state".
    """

    def __init__(self, message: str, run: Run, step: int, quantity: str):
        super().__init__(message)
        self.run, self.step, self.quantity = run, step, quantity


class Failure(NamedTuple):
    """The first step that was not finite: its number, from 1, and what was recorded of it.

    - `quantity`: as in `NonFiniteError`.
    - `leaf`: the key path of a parameter that was not finite after that step, where it is known.
    """

    step: int
    quantity: str
    record: dict[str, float]
    leaf: str = ""

    def doubt(self, interval: int) -> str:
        """Return what is known where steps without a full record cannot be repeated."""
        found = f" It is {self.leaf}." if self.leaf else ""
        if interval == 1:
            return found
        words = "an earlier step may be the first one that was not finite"
        return f"{found} Norms are recorded at every {interval}th step, so {words}."


PARAMETER = "a parameter"
"""The quantity of a failure where the loss, the gradient and the update are finite."""


def first_nonfinite(record: Mapping[str, Any]) -> str:
    """Return the name of the first quantity of a step that is not finite."""
    names = ("loss", "grad_norm", "update_norm")
    return next((name for name in names if not np.isfinite(record[name])), PARAMETER)


ADVICE = (
    "Try a tenth of the learning rate, a warm-up, or optax.clip_by_global_norm(1.0) in front of "
    "the optimizer. If it is the first step, look for inputs out of scale and for log, sqrt or "
    "division at 0 in the loss."
)
"""What to try where a step is at fault, and not an example."""


def nonfinite_message(
    history: History,
    records: Mapping[str, np.ndarray],
    failure: Failure,
    cause: str = "",
    advice: str = ADVICE,
) -> str:
    """Return what was not finite, where, the last finite loss, the cause, and what to try.

    `records` are those of the finite steps since the last ones in `history`.
    """
    losses = [*history.since(max(0, len(history) - 1)), *records["loss"], failure.record["loss"]]
    finite = [loss for loss in losses if np.isfinite(loss)]
    last = f"{finite[-1]:.4g}" if finite else "none"
    rate = failure.record.get("learning_rate", np.nan)
    at = f" at learning rate {rate:.3g}" if np.isfinite(rate) else ""
    return (
        f"{failure.quantity} was not finite at step {failure.step - 1}{at} (last finite loss: "
        f"{last}).{cause} {advice}"
    )


_MOST = 3
"""The most names in a message."""

FEW = 0.25
"""The share of a batch up to which its examples are at fault, and not the step."""

LOOK_AT_ROWS = (
    "The other examples are finite: look for log, sqrt or division at 0 in the loss of these, and "
    "for numbers out of scale."
)


def nonfinite_cause(
    program: Program, carry: Carry, data: Any, sample_weight: Any
) -> tuple[str, str]:
    """Return which rows, or leaves of the gradient, are not finite, and what to try.

    The rows are evaluated without dropout. Where only the training step fails, the sentence names
    the leaves. It is empty where neither is found.
    """
    functions, order = program.problem.functions, keys_of(carry.key)
    size, step = program.batch_size * program.accumulate, jnp.asarray(carry.step)
    rows = np.asarray(batch_rows(order[0], step, n_rows(data), size))
    batch, own = take_rows((data, sample_weight), rows)
    examples = jax.jit(functions.examples)(carry.params, carry.model_state, batch)
    losses = np.asarray(examples["loss"], np.float64)
    if losses.ndim and not np.isfinite(losses).all():
        bad = ~np.isfinite(losses.reshape(len(rows), -1).sum(1))
        return _of_rows(rows, bad), ADVICE if bad.mean() > FEW else LOOK_AT_ROWS
    key = jax.random.fold_in(order[1], step)
    gradient = jax.jit(jax.grad(functions.loss, has_aux=True))(
        carry.params, carry.model_state, batch, key, own
    )[0]
    return _of_leaves(gradient), ADVICE


def first_nonfinite_leaf(params: Any) -> str:
    """Return the key path of the first leaf with a number that is not finite, or ""."""
    wide = ((path, np.asarray(x, np.complex128)) for path, x in by_path(params).items())
    return next((path for path, x in wide if not np.isfinite(x).all()), "")


STATE = "the model state"
"""The quantity of a failure where the loss is finite and the state of the model is not."""


class StateWatch:
    """Tells which leaf of a model's state is not finite, though the loss may be.

    BatchNorm trains with the statistics of the batch, and only an evaluation reads its state.
    Entries that are infinite at the start are allowed: the -inf of a mask, or of a maximum.
    """

    def __init__(self, model_state: Any):
        found = _floats(model_state)
        self._allowed = [None] * len(found)
        if self.fault(model_state):
            self._allowed = [jnp.isinf(x) for x in found.values()]

    def fault(self, model_state: Any) -> str:
        """Return the path of the first leaf that is not finite, or ""."""
        found = _floats(model_state)
        if not found:
            return ""
        finite = jax.device_get(_are_finite(list(found.values()), self._allowed))
        return next((path for path, x in zip(found, finite, strict=True) if not x), "")


@jax.jit
def _are_finite(leaves: list[Any], allowed: list[Any]) -> jax.Array:
    def is_finite(x, mask):
        finite = jnp.isfinite(x)
        return jnp.all(finite if mask is None else finite | (mask & jnp.isinf(x)))

    return jnp.stack(list(map(is_finite, leaves, allowed)))


def _floats(tree: Any) -> dict[str, Any]:
    leaves = by_path(tree).items()
    return {path: x for path, x in leaves if jnp.issubdtype(dtype_of(x), jnp.inexact)}


def state_message(leaf: str, step: int, loss: float) -> str:
    """Return which leaf of the state was not finite after so many steps, and what to look for."""
    return (
        f"{STATE} {leaf} was not finite at step {step}, while the loss was ({loss:.4g}): a "
        "training step need not read the state that an evaluation reads. Look for inputs out of "
        "scale, and for an overflow or log, sqrt or division at 0 where the model updates its "
        "state."
    )


def last_finite(
    advance: Callable[[Carry, int], Carry], carry: Carry, end: int, watch: StateWatch
) -> Carry:
    """Return the last carry before step `end` whose model state is finite, as that of `carry` is.

    `advance` takes a copy of a carry to a step.
    """
    while end - int(np.asarray(carry.step)) > 1:
        middle = (end + int(np.asarray(carry.step))) // 2
        trial = advance(carry, middle)
        if watch.fault(trial.model_state):
            end = middle
        else:
            carry = trial
    return carry


def inspect_step(program: Program, carry: Carry) -> tuple[str, str]:
    """Return what is not finite in the next step, and the key path of the first such leaf.

    A leaf counts as finite where the sum of its squares is, as in the record of a step. Returns
    ("", "") where everything is finite.
    """
    parts = _parts_of_step(program.problem.functions.loss, program.compiled)
    loss, gradient, after = parts(carry, program.problem.train, program.hyperparams)
    leaf = _first(carry.params, gradient)
    if not np.isfinite(loss):
        return ("loss and the gradient", leaf) if leaf else ("loss", "")
    if leaf:
        return "gradient", leaf
    leaf = _first(carry.params, after)
    return ("parameter", leaf) if leaf else ("", "")


@cached
def _parts_of_step(loss: Callable[..., Any], compiled: Compiled) -> Callable[..., Any]:
    """Return the loss of a step, and the squares of its gradient and its new parameters by leaf."""

    def parts(carry, data, hyperparams):
        batch = compiled.take(data, carry.key, carry.step)
        key = jax.random.fold_in(keys_of(carry.key)[1], carry.step)
        gradient_at = jax.value_and_grad(loss, has_aux=True)
        (value, _), gradient = gradient_at(carry.params, carry.model_state, batch, key, None)
        after = compiled.step(carry, batch, None, hyperparams)[0]
        return value, squares(gradient), squares(after.params)

    return jax.jit(parts)


def _first(params: Any, found: list[Any]) -> str:
    """Return the path of the first leaf whose number is not finite, or ""."""
    by_leaf = zip(by_path(params), found, strict=True)
    return next((path or "the parameters" for path, x in by_leaf if not np.isfinite(x)), "")


def _of_rows(rows: np.ndarray, bad: np.ndarray) -> str:
    return (
        f" It is the loss of {_some([f'row {row}' for row in rows[bad]])} of the data, "
        f"{int(bad.sum())} of the {len(rows)} in the batch."
    )


def _of_leaves(gradient: Any) -> str:
    bad = []
    for path, leaf in by_path(gradient).items():
        if wrong := int((~np.isfinite(np.asarray(leaf, np.complex128))).sum()):
            bad.append(f"{path or 'the parameters'} ({wrong:,} of {leaf.size:,} entries)")
    return f" It is the gradient of {_some(bad)}." if bad else ""


def _some(names: list[str]) -> str:
    more = len(names) - _MOST
    return ", ".join(names[:_MOST]) + (f" and {more} more" if more > 0 else "")
