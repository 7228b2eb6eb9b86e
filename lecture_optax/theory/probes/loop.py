"""The feedback loop of a method: θ, the state that feeds back on it, and their linear map."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .replay import float64, initial, name_of, stepped

_TOLERANCE = 1e-6
_SETTLED = 1e-12
_FEW_STEPS, _SINGLE_STEPS, _COMPILED_STEPS = 8, 2**8, 2**16


class Loop(NamedTuple):
    """The linear map z(k+1) = A z(k) + B g(k); z is θ and the state that feeds back on it.

    `state` is the whole state at the point of the linearisation, `start` is z.
    """

    transition: np.ndarray
    gain: np.ndarray
    state: Any = None
    start: Any = None

    def closed(self, hessian: np.ndarray) -> np.ndarray:
        """Return the iteration matrix for the gradient g = H θ."""
        matrix = self.transition.copy()
        matrix[:, : len(hessian)] += self.gain @ hessian
        return matrix


class _Point(NamedTuple):
    """θ and the state after k steps."""

    k: int
    params: jax.Array
    state: Any


def settled_loop(tx: Any, size: int) -> Loop:
    """Return the loop of a linear method on `size` entries when it no longer depends on the step.

    A method has settled if its loop is the same after k, k + 1 and 2k steps. Two steps are enough
    for most methods (the first may be special); a bias correction needs more.
    """
    return _settled(_Plain(tx), size)


class Family:
    """Transformations that differ in their numbers only.

    What is computed for `settled_loop` is compiled once for all of them: a loop costs about a
    millisecond.

    - `build(numbers)`: the transformation; the numbers may be traced.
    """

    def __init__(self, build: Callable[[Any], Any]) -> None:
        self.build = build
        self._compiled: dict[Callable[..., Any], Callable[..., Any]] = {}

    def settled_loop(self, numbers: Any, size: int = 1) -> Loop:
        """Return the loop of the member with these numbers."""
        return _settled(_Member(self, numbers), size)

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `(numbers, *arrays) -> function(tx, *arrays)`, compiled."""
        if function not in self._compiled:
            self._compiled[function] = jax.jit(
                lambda numbers, *arrays: function(self.build(numbers), *arrays)
            )
        return self._compiled[function]


class _Plain:
    """Calls functions of one transformation; compiles many steps only."""

    few, explains = _FEW_STEPS, True

    def __init__(self, tx: Any) -> None:
        self.tx = tx
        self.many = jax.jit(functools.partial(_many, tx))

    def __call__(self, function: Callable[..., Any], *arrays: Any) -> Any:
        return function(self.tx, *arrays)


class _Member:
    """Calls functions of one member of a family; all of them are compiled."""

    few, explains = 0, False  # to explain a refusal takes another program

    def __init__(self, family: Family, numbers: Any) -> None:
        self.family, self.numbers = family, numbers
        self.many = functools.partial(self, _many)

    @property
    def tx(self) -> Any:
        return self.family.build(self.numbers)

    def __call__(self, function: Callable[..., Any], *arrays: Any) -> Any:
        return self.family.compiled(function)(self.numbers, *arrays)


_Call = _Plain | _Member


@float64()
def _settled(call: _Call, size: int) -> Loop:
    θ = np.random.default_rng(1).normal(size=size)
    point = _advance(call, _Point(0, jnp.asarray(θ), call(initial, jnp.asarray(θ))), 2)
    loop, step = _loop_at(call, point)
    _refuse_unless_linear(call, loop, step)
    while True:
        soon = _advance(call, point, point.k + 1)
        late = _advance(call, soon, 2 * point.k)
        next_one, later = (_loop_at(call, other)[0] for other in (soon, late))
        gap = max(_distance(loop, next_one), _distance(loop, later))
        if gap <= _SETTLED and (loop.gain.any() or point.k == 2):
            _refuse_unless_it_stays_linear(call, loop, point)
            return loop
        if gap <= _SETTLED or late.k < 2 * point.k or late.k >= _COMPILED_STEPS:
            how = f"by {gap:.1e}" if gap > _SETTLED else "towards 0"
            raise ValueError(
                f"{name_of(call.tx)} has no iteration matrix: its step still changes with the step "
                f"count after {point.k} steps ({how}), as with a schedule. Build it with the "
                "current learning rate, or use step_matrix, which takes any schedule."
            )
        point, loop = late, later


def _advance(call: _Call, point: _Point, k: int) -> _Point:
    """Return the point after k steps along irregular gradients; many of them are compiled."""
    carry = point.params, point.state
    if k - point.k > call.few:
        try:
            return _Point(k, *call.many(point.k, k, carry))
        except Exception:  # a state that only runs in Python
            k = min(k, _SINGLE_STEPS)
    for i in range(point.k, k):
        carry = call(_one, i, carry)
    return _Point(max(k, point.k), *carry)


def _one(tx: Any, k: Any, carry: Any) -> Any:
    params, state = carry
    entries = jnp.arange(1.0, len(params) + 1)
    gradient = jnp.cos((k + 1.0) ** 2 * entries)  # a random number takes long to compile
    return stepped(tx, gradient, state, params)


def _many(tx: Any, start: Any, stop: Any, carry: Any) -> Any:
    return jax.lax.fori_loop(start, stop, functools.partial(_one, tx), carry)


def _loop_at(call: _Call, point: _Point) -> tuple[Loop, Callable[[Any, Any], Any]]:
    """Linearise a step at `point`: return the loop, and steps on several of the loop's numbers."""
    size = len(point.params)
    gradient = np.random.default_rng(2).normal(size=size)
    z, transition, gain = map(np.asarray, call(_linearised, point.params, point.state, gradient))
    inside = feeds_back(transition, gain, size)

    def steps(starts, gradients):
        all_numbers = np.tile(z, (len(starts), 1))
        all_numbers[:, inside] = starts
        return np.asarray(call(_steps, point.state, all_numbers, gradients))[:, inside]

    return Loop(transition[np.ix_(inside, inside)], gain[inside], point.state, z[inside]), steps


def _linearised(tx: Any, params: Any, state: Any, gradient: Any) -> tuple[Any, Any, Any]:
    """Return θ and the numbers of a state, and the Jacobians of a step by them and by g."""
    z = jnp.concatenate([params, _numbers_of(state)[0]])
    return z, *jax.jacfwd(_step(tx, state, len(params)), (0, 1))(z, jnp.asarray(gradient))


def _steps(tx: Any, state: Any, starts: Any, gradients: Any) -> Any:
    return jax.vmap(_step(tx, state, gradients.shape[1]))(starts, gradients)


def _step(tx: Any, state: Any, size: int) -> Callable[[Any, Any], Any]:
    """Return a step as a function of θ and the numbers of a state, and of the gradient."""
    _, unflatten = _numbers_of(state)

    def step(z, gradient):
        params, new = stepped(tx, gradient, unflatten(z[size:]), z[:size])
        return jnp.concatenate([params, _numbers_of(new)[0]])

    return step


def _numbers_of(state: Any) -> tuple[jax.Array, Any]:
    """Return the real numbers of a state as a vector, and the inverse; counts and flags stay."""
    leaves, tree = jax.tree.flatten(state)
    arrays = [jnp.asarray(leaf) if _is_real(leaf) else None for leaf in leaves]
    sizes = [0 if array is None else array.size for array in arrays]
    offsets = np.cumsum([0, *sizes])

    def unflatten(vector):
        new = [
            leaf if array is None else vector[i : i + size].reshape(array.shape).astype(array.dtype)
            for leaf, array, i, size in zip(leaves, arrays, offsets, sizes, strict=False)
        ]
        return jax.tree.unflatten(tree, new)

    vector = [array.ravel().astype(float) for array in arrays if array is not None]
    return jnp.concatenate([jnp.zeros(0), *vector]), unflatten


def _is_real(leaf: Any) -> bool:
    dtype = getattr(leaf, "dtype", None)
    if dtype is None:
        return isinstance(leaf, float)
    return bool(jnp.issubdtype(dtype, jnp.floating))


def feeds_back(transition: np.ndarray, gain: np.ndarray, size: int) -> np.ndarray:
    """Return the indices of θ and of the numbers that θ reaches and that reach θ."""
    edges = (transition != 0).astype(int)
    edges[:, :size] |= (gain != 0).astype(int)  # the gradient is a function of θ
    reach = np.eye(len(edges), dtype=int) | edges
    for _ in range(len(edges).bit_length()):
        reach = ((reach @ reach) > 0).astype(int)
    from_θ, to_θ = reach[:, :size].any(1), reach[:size].any(0)
    return np.flatnonzero((from_θ & to_θ) | (np.arange(len(edges)) < size))


def _refuse_unless_linear(call: _Call, loop: Loop, steps: Callable[[Any, Any], Any]) -> None:
    """Test large and small inputs with both signs: with one, |θ| g/|g| seems to be linear."""
    rng = np.random.default_rng(3)
    entries, size = loop.gain.shape
    scales = np.array([1.0, -1.0, 1e6, -1e6, 1e-6, -1e-6])
    starts = abs(scales[:, None]) * rng.normal(size=(len(scales), entries))
    gradients = scales[:, None] * np.ones(size)
    expected = starts @ loop.transition.T + gradients @ loop.gain.T
    off = np.abs(steps(starts, gradients) - expected).max(1)
    wrong = ~(off <= _TOLERANCE * np.abs(expected).max(1))
    if wrong.any():
        if call.explains:
            _refuse_what_moves_alone(call, size)
        first = wrong.argmax()
        raise _not_linear(call.tx, f"off by {off[first]:.1e} at size {scales[first]:g}")


def _refuse_unless_it_stays_linear(call: _Call, loop: Loop, point: _Point) -> None:
    """Test a few further steps: the derivative of a method that uses only a sign is 0."""
    params, state, z = point.params, point.state, np.asarray(loop.start)
    for gradient in np.random.default_rng(4).normal(size=(_FEW_STEPS, len(params))):
        params, state = call(stepped, jnp.asarray(gradient), state, params)
        z = loop.transition @ z + loop.gain @ gradient
    moved, expected = params - point.params, z[: len(params)] - point.params
    off, size = np.abs(moved - expected).max(), np.abs(moved).max() + np.abs(expected).max()
    if not off <= _TOLERANCE * size + _SETTLED * np.abs(point.params).max():
        raise _not_linear(call.tx, f"off by {off:.1e} after {_FEW_STEPS} steps")


def _not_linear(tx: Any, how: str) -> ValueError:
    return ValueError(
        f"{name_of(tx)} has no iteration matrix: a step is not linear in θ, its state and the "
        f"gradient ({how}). A D, a clip, an accumulation over several steps and a cyclic buffer "
        "are not. For a diagonal D, use curvature_gauge(loss, params, tx, state), which freezes "
        "it; for an accumulation, probe the transformation inside it; for a buffer, try "
        "step_matrix."
    )


def _refuse_what_moves_alone(call: _Call, size: int) -> None:
    """Refuse a method that moves θ away from 0 although all gradients are 0."""
    θ = nothing = jnp.zeros(size)
    state = call(initial, θ + 1)
    for _ in range(3):
        θ, state = call(stepped, nothing, state, nothing)
    if np.any(np.nan_to_num(θ)):
        raise ValueError(
            f"{name_of(call.tx)} has no iteration matrix: it moves without a gradient (it adds "
            "noise, or pulls θ to a stored point). curvature_gauge(loss, params, tx, state) may "
            "still apply: it uses derivatives only."
        )


def _distance(a: Loop, b: Loop) -> float:
    """Return the largest relative difference of the transitions and of the gains."""
    if a.transition.shape != b.transition.shape:
        return np.inf
    parts = ((a.transition, b.transition), (a.gain, b.gain))
    return max(float(np.abs(x - y).max() / (np.abs(x).max() or 1.0)) for x, y in parts)
