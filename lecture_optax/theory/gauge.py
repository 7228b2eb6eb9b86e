"""The curvature of a loss against the largest curvature at which its optimizer is stable."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from .._core import validate
from .._core.block import refuse_leaves_without_gradient, refuse_other_state
from .._core.current import current
from .lanczos import largest_eigenvalue
from .probes.frozen import frozen, is_in_proportion
from .probes.replay import check_pair, name_of


class Gauge(NamedTuple):
    """The curvature of a loss, the largest stable curvature of the method, and their ratio.

    - `curvature`: the largest eigenvalue of D^½ H D^½ (D = 1 where the method has none).
    - `edge`: the largest curvature that is stable at the current learning rate: 2/τ for gradient
      descent, 38/τ for Adam.
    - `ratio`: curvature / edge. Above 1 the steepest direction grows at every step.
    - `error`: a bound on the error of the ratio, from Lanczos' method.
    - `learning_rate`: the current τ, NaN if the state contains none.
    - `largest_learning_rate`: the largest stable τ at this point, NaN if τ is NaN.
    """

    curvature: float
    edge: float
    ratio: float
    error: float
    learning_rate: float
    largest_learning_rate: float

    @property
    def colour(self) -> str:
        """The colour of the ratio: green below half of the edge, amber below the edge, else red."""
        return "green" if self.ratio < 0.5 else "amber" if self.ratio < 1 else "red"

    def __str__(self) -> str:
        rate = f"τ = {self.learning_rate:.3g} of at most {self.largest_learning_rate:.3g}, "
        return (
            f"{self.colour}: {'' if np.isnan(self.learning_rate) else rate}"
            f"curvature {self.curvature:.3g} of at most {self.edge:.3g} ({self.ratio:.0%})"
        )


def curvature_gauge(
    loss: Any, params: Any, tx: Any, state: Any, *args: Any, iterations: int = 20
) -> Gauge:
    """Compare the largest curvature of a loss with the largest stable one of its optimizer.

        λ_max(D^½ ∇²E(θ) D^½)  against  the edge of this method, with its current D

    The edge of stability is the largest curvature at which the method does not diverge. λ_max comes
    from Lanczos' method on Hessian-vector products, the edge from the transformation itself,
    linearised at a gradient of 0, where the D of Adam and similar methods does not change. (That D
    belongs to the next step: it is larger than the last one by 1/√b2, 0.05 % at 0.999.) Use the
    ratio to explain a run, not to select a learning rate: full-batch training moves to its edge
    and stays there (Cohen et al.), and noise lowers the edge.

    **Arguments**

    - `loss`: `(params, *args) -> loss`, or a tuple that begins with the loss; or an object with
      such a method `.loss`.
    - `params`, `state`: the current parameters and the state of the optimizer.
    - `tx`: the gradient transformation, without a D or with a diagonal one.
    - `args`: arrays that the loss receives after the parameters: the batch.
    - `iterations`: the number of Hessian-vector products, >= 1.

    **Raises** `ValueError` for complex parameters; for a method that mixes entries, ignores the
    size of the gradient (sign descent, normalization), or accumulates several gradients; and for an
    adaptive method before its first step.

    Source: Cohen et al. (2021), (2022), "(Adaptive) gradient descent at the edge of stability".

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> steep = lambda θ: (4 * θ[0] ** 2 + θ[1] ** 2) / 2
    >>> tx, θ = lo.sgd(0.1), jnp.ones(2)
    >>> print(lo.theory.curvature_gauge(steep, θ, tx, tx.init(θ)))
    green: τ = 0.1 of at most 0.5, curvature 4 of at most 20 (20%)

    ```
    """
    validate.steps(iterations=iterations, traced=False)
    validate.function(loss=getattr(loss, "loss", loss))
    check_pair(tx)
    refuse_leaves_without_gradient(params)
    try:
        jax.tree.map(jnp.asarray, params)
    except (TypeError, ValueError) as error:  # shapes without numbers, masked arrays
        raise TypeError(f"params must be a tree of arrays, got {params!r}: {error}") from error
    refuse_other_state(tx.init, state, params)
    if any(map(jnp.iscomplexobj, jax.tree.leaves(params))):
        raise ValueError(
            "curvature_gauge needs real parameters, got complex ones: let the loss take the real "
            "and the imaginary part as two arrays."
        )
    slope, flat, unravel = _slope(loss, params, args)
    try:
        jax.eval_shape(lambda v: slope(v), flat)
    except Exception as error:
        raise ValueError(
            f"loss must be a function of params{', *args' if args else ''} that returns a number: "
            f"{type(error).__name__}: {error}"
        ) from error
    gradient = unravel(slope(jnp.zeros_like(flat))[0])
    with jax.numpy_dtype_promotion("standard"):  # a method may promote dtypes
        method = frozen(tx, params, state)
        in_proportion = is_in_proportion(tx, params, state, gradient, method.first)
    rate, count = _rate_and_count(state)
    if not method.is_linear and count is not None and int(np.asarray(count)) == 0:
        raise ValueError(
            f"{name_of(tx)} has not received a gradient yet, so its D would be 1/ε: take a few "
            "steps first."
        )
    if not in_proportion:
        raise ValueError(
            f"{name_of(tx)} divides a gradient by its own size: all its steps have the same "
            "length, so no curvature makes it diverge and there is no edge. Only a decaying "
            "learning rate makes its steps small."
        )
    root = jnp.asarray(1 / np.sqrt(method.stable), flat.dtype)  # eigenvalue 1 is the edge
    share = largest_eigenvalue(lambda v: root * slope(root * v)[1], flat, iterations)
    edge = _edge(method, 1.0 if np.isnan(rate) else rate)
    ratio = share.value
    largest = rate / ratio if ratio > 0 else np.inf * rate
    return Gauge(ratio * edge, edge, ratio, share.error, rate, largest)


class CurvatureWatch:
    """A hook of `lo.fit` that measures the curvature every few steps.

    `lo.fit` calls it with an object that has a `run` (whose `carry` has `params` and `opt_state`)
    and a `step`. It stores a `Gauge` per measured step and does not change the training.

    **Arguments**

    - `loss`: `params -> loss`, on fixed data, so that the gauges are comparable.
    - `tx`: the transformation that trains.
    - `every`: the smallest number of steps between two measurements, >= 1.

    **Attributes**: `gauges`, `{step: Gauge}`.
    """

    def __init__(self, loss: Callable[[Any], Any], tx: Any, *, every: int = 1) -> None:
        validate.steps(every=every, traced=False)
        validate.function(loss=getattr(loss, "loss", loss))
        check_pair(tx)
        self.loss, self.tx, self.every = loss, tx, every
        self.gauges: dict[int, Gauge] = {}

    def __call__(self, moment: Any) -> None:
        last = max(self.gauges, default=-self.every)
        if moment.step - last >= self.every:
            carry = moment.run.carry
            gauge = curvature_gauge(self.loss, carry.params, self.tx, carry.opt_state)
            self.gauges[int(moment.step)] = gauge


def _slope(loss: Any, params: Any, args: Any) -> Any:
    """Return `v -> (∇E, ∇²E v)` on flat vectors, θ as a flat vector, and the inverse map."""
    function = getattr(loss, "loss", loss)
    flat, unravel = ravel_pytree(params)

    def value(vector, given):
        found = function(unravel(vector), *given)
        return found[0] if isinstance(found, tuple) else found

    @jax.jit
    def product(v, at, given):  # the data are arguments: XLA would fold constants at compile time
        return jax.jvp(lambda x: jax.grad(value)(x, given), (at,), (v,))

    return lambda v: product(v, flat, args), flat, unravel


def _edge(method: Any, rate: float) -> float:
    """Return the edge in units of D^½ H D^½; D τ is the long-run step of a unit gradient."""
    moving = np.flatnonzero(np.isfinite(method.stable))
    i = moving[np.argsort(method.stable[moving])[len(moving) // 2]]
    has_unit = not method.is_linear and np.isfinite(method.long_run[i])
    return float(method.stable[i] * (method.long_run[i] / rate if has_unit else 1))


def _rate_and_count(state: Any) -> tuple[float, Any]:
    """Return the only learning rate in a state, or NaN, and its number of updates, or None."""
    try:
        now = current(state)
    except ValueError:  # the state counts no updates
        return np.nan, None
    rates = list(now.learning_rates.values())
    return float(np.asarray(rates[0])) if len(rates) == 1 else np.nan, now.count
