"""What is said when a number is not finite, and what is handed over?"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from .._cached import cached
from ..compiled.program import Compiled, Program
from ..compiled.row_order import rows_at
from ..compiled.step import Carry, keys_of, squares
from .run import History

if TYPE_CHECKING:
    from .run import Run


class NonFiniteError(FloatingPointError):
    """A loss, a gradient or an update was not finite.

    `run` stands before that step; or, where the batches cannot be had again, a few seconds before
    it: `run.step` says where. `step` is how many were finite, `quantity` is "loss", "grad_norm",
    "update_norm" or "a parameter".
    """

    def __init__(self, message: str, run: "Run", step: int, quantity: str):
        super().__init__(message)
        self.run, self.step, self.quantity = run, step, quantity


def which_was_not_finite(records: Mapping[str, np.ndarray], good: int) -> str:
    """The first number that was not, in the step after so many good ones."""
    names = ("loss", "grad_norm", "update_norm")
    return next((name for name in names if not np.isfinite(records[name][good])), "a parameter")


def what_was_not_finite(
    history: History, begin: int, records: Mapping[str, np.ndarray], good: int, bad: str
) -> str:
    """That `bad` was not at step `begin + good`, the last finite loss, the rate, what to try."""
    losses = np.concatenate([history.since(begin - 1), records["loss"][: good + 1]])
    finite = losses[np.isfinite(losses)]
    last = f"{finite[-1]:.4g}" if len(finite) else "none"
    rate = records["learning_rate"][good] if "learning_rate" in records else np.nan
    at = f" at learning rate {rate:.3g}" if np.isfinite(rate) else ""
    return (
        f"{bad} was not finite at step {begin + good}{at} (last finite loss: {last}). Try a "
        "learning rate a tenth of it, a warm-up, or optax.clip_by_global_norm(1.0) in front; if it "
        "is the first step, look for inputs out of scale and for log, sqrt or division at 0 in the "
        "loss."
    )


_MOST = 3
"""So many names are enough."""


def blame(program: Program, carry: Carry, data: Any, sample_weight: Any) -> str:
    """A sentence that names the rows, or the leaves of the gradient; nothing if neither is found.

    The rows are looked at in evaluation mode: where only training fails, the leaves are named.
    """
    functions, order = program.problem.functions, keys_of(carry.key)
    size, step = program.batch_size * program.accumulate, jnp.asarray(carry.step)
    rows = np.asarray(rows_at(order[0], step, len(jax.tree.leaves(data)[0]), size))
    batch, own = jax.tree.map(lambda x: x[rows], (data, sample_weight))
    losses = np.asarray(
        jax.jit(functions.examples)(carry.params, carry.model_state, batch)["loss"], np.float64
    )
    if losses.ndim and not np.isfinite(losses).all():
        return _of_rows(rows, losses.reshape(len(rows), -1).sum(1))
    key = jax.random.fold_in(order[1], step)
    gradient = jax.jit(jax.grad(functions.loss, has_aux=True))(
        carry.params, carry.model_state, batch, key, own
    )[0]
    return _of_leaves(gradient)


def leaf_not_finite(params: Any) -> str:
    """The key path of the first leaf with a number that is not finite; "" where there is none."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if not np.isfinite(np.asarray(leaf, np.complex128)).all():
            return jax.tree_util.keystr(path)
    return ""


def first_not_finite(program: Program, carry: Carry) -> tuple[str, str]:
    """What of the step that comes next is not finite, and the key path of the first leaf of it.

    A leaf counts as finite where the sum of its squares is, as in the record of a step. ("", "")
    where all are.
    """
    apart = _taken_apart(program.problem.functions.loss, program.compiled)
    loss, gradient, after = apart(carry, program.problem.train, program.hyperparams)
    leaf = _first(carry.params, gradient)
    if not np.isfinite(loss):
        return ("loss and the gradient", leaf) if leaf else ("loss", "")
    if leaf:
        return "gradient", leaf
    leaf = _first(carry.params, after)
    return ("parameter", leaf) if leaf else ("", "")


@cached
def _taken_apart(loss: Callable[..., Any], compiled: Compiled) -> Callable[..., Any]:
    """The loss of a step; the squares, by leaf, of its gradient and of the parameters after it."""

    def apart(carry, data, hyperparams):
        batch = compiled.take(data, carry.key, carry.step)
        key = jax.random.fold_in(keys_of(carry.key)[1], carry.step)
        gradient_at = jax.value_and_grad(loss, has_aux=True)
        (value, _), gradient = gradient_at(carry.params, carry.model_state, batch, key, None)
        after = compiled.step(carry, batch, None, hyperparams)[0]
        return value, squares(gradient), squares(after.params)

    return jax.jit(apart)


def _first(params: Any, found: list[Any]) -> str:
    """The path of the first leaf whose number is not finite; "" where all are."""
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    bad = [path for path, x in zip(paths, found, strict=True) if not np.isfinite(x)]
    return (jax.tree_util.keystr(bad[0]) or "the parameters") if bad else ""


def _of_rows(rows: np.ndarray, losses: np.ndarray) -> str:
    bad = ~np.isfinite(losses)
    return (
        f" It is the loss of {_some([f'row {row}' for row in rows[bad]])} of the data, "
        f"{int(bad.sum())} of the {len(rows)} in the batch."
    )


def _of_leaves(gradient: Any) -> str:
    bad = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        wrong = int((~np.isfinite(np.asarray(leaf, np.complex128))).sum())
        name = jax.tree_util.keystr(path) or "the parameters"
        bad += [f"{name} ({wrong:,} of {leaf.size:,} entries)"] if wrong else []
    return f" It is the gradient of {_some(bad)}." if bad else ""


def _some(names: list[str]) -> str:
    more = len(names) - _MOST
    return ", ".join(names[:_MOST]) + (f" and {more} more" if more > 0 else "")
