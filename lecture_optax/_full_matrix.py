"""A matrix D for small leaves: the inverse root of Σ g gᴴ, full-matrix AdaGrad."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ._core import validate
from ._core.block import block
from ._core.describe import described
from ._core.dtypes import as_array, full_like_magnitude, scale, zeros_like
from ._core.entries import entries
from ._core.numerics import abs_squared, reciprocal, rounding
from ._core.types import Scalar, Transformation
from ._inverse_root import diagonal


class FullMatrixState(NamedTuple):
    """The sum G(k): per leaf a square matrix over its entries, or their squares alone."""

    nu: optax.Updates


@described(show=("diagonal_above",))
def full_matrix(
    eps: Scalar = 1e-8,
    eps_root: Scalar = 0.0,
    *,
    initial: Scalar = 0.0,
    diagonal_above: int = 128,
) -> Transformation:
    """Sum g gᴴ over the entries of each leaf, and take the inverse root: AdaGrad's matrix D.

        G(k+1) = G(k) + g(k) g(k)ᴴ,    G(0) = initial I
        D(k+1) = ((G(k+1) + eps_root I)^(1/2) + eps I)^(-1),    and 0 where that has no inverse

    For `precondition(velocity, by=full_matrix())`. Turn the parameters, and the iterates turn with
    them; a diagonal D, which is this one's diagonal model, depends on the axes. A leaf of one
    entry is `chain(sum_of_squares(initial=...), inverse_root(eps, eps_root))`, and so is a leaf of
    more than `diagonal_above` entries: n entries cost n² numbers and n³ operations a step.

    **Arguments**

    - `eps`, `eps_root`: ε outside and inside the root, >= 0, as in `inverse_root`.
    - `initial`: G(0) on the diagonal, >= 0.
    - `diagonal_above`: the most entries of a leaf that gets a matrix. Always printed.

    An eigenvalue of G + eps_root I below the rounding of the largest (10 ulp) counts as 0, and a
    denominator below its root too: D is 0 in directions that no gradient has pointed to. In
    float32 those are all where gradients are 1,000 times smaller than elsewhere in the leaf. If
    they should move: a larger `initial` or `eps_root`, or float64.

    **Raises** `ValueError` or `TypeError` for a concrete value out of its range, and `TypeError`
    for a traced `diagonal_above`.

    Source: the lecture, slide "The general update", D(k+1); Duchi, Hazan and Singer (2011).

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo, optax
    >>> tx = lo.precondition(optax.identity(), by=lo.full_matrix(eps=0.0))
    >>> update, _ = tx.update(jnp.array([3.0, 4.0]), tx.init(jnp.zeros(2)))
    >>> [f"{u:.3f}" for u in update]  # g/|g|; the diagonal D makes [1, 1] of it
    ['0.600', '0.800']
    >>> lo.full_matrix()
    full_matrix(diagonal_above=128)

    ```
    """
    validate.non_negative(eps=eps, eps_root=eps_root, initial=initial)
    validate.sizes(diagonal_above=diagonal_above)

    def has_matrix(leaf):
        return 0 < leaf.size <= diagonal_above

    def start(zero):
        if has_matrix(zero):
            return scale(initial, jnp.eye(zero.size, dtype=zero.dtype))
        return full_like_magnitude(zero, initial)

    def squares(g):
        return outer_square(entries(g)) if has_matrix(g) else abs_squared(g)

    def inverse_root(c, g):
        if has_matrix(g):
            return matrix_inverse_root(c + scale(eps_root, jnp.eye(g.size, dtype=c.dtype)), eps)
        return diagonal(c, eps, eps_root)

    def init_fn(params):
        return FullMatrixState(jax.tree.map(start, zeros_like(params)))

    def update_fn(updates, state, params=None, **extra_args):
        nu = jax.tree.map(lambda c, g: c + squares(g), state.nu, updates)
        return jax.tree.map(inverse_root, nu, updates), FullMatrixState(nu)

    return block(init_fn, update_fn)


def outer_square(g: jax.Array) -> jax.Array:
    """Return G = g gᴴ."""
    return g[:, None] * g.conj()[None, :]


def matrix_inverse_root(m: jax.Array, eps: Scalar) -> jax.Array:
    """Return D = (m^(1/2) + eps I)^(-1), m Hermitian and >= 0; D is 0 where no inverse exists."""
    return _matrix_inverse_root(m, jnp.asarray(eps, jnp.finfo(m.dtype).dtype))


@jax.custom_jvp
def _matrix_inverse_root(m: jax.Array, eps: jax.Array) -> jax.Array:
    _, d, vectors = _spectrum(m, eps)
    return _turn(jnp.diag(d), vectors)


# By hand: the derivative of `eigh` divides by the differences of eigenvalues. With r = √λ and
# d = 1/(r + ε), that of D has the divided differences of d instead (Daleckii and Krein),
#
#     (d_i - d_j)/(λ_i - λ_j) = -d_i d_j/(r_i + r_j),    and d_i/λ_i where D leaves out λ_j = 0;
#
# where both λ are 0 it is 0, since g gᴴ moves them in second order only.
@_matrix_inverse_root.defjvp
def _derivative(primals, tangents):
    root, d, vectors = _spectrum(*primals)
    dm, deps = tangents
    over_roots = reciprocal(root[:, None] + root[None, :])
    one, other = d[:, None], d[None, :]
    one_is_left_out = (one == 0) | (other == 0)
    slope = jnp.where(one_is_left_out, (one + other) * over_roots**2, -one * other * over_roots)
    inner = as_array(slope, dm.dtype) * _turn(dm, vectors.conj().T)
    value, by_eps = jnp.diag(d), as_array(jnp.diag(d**2 * deps), dm.dtype)
    return _turn(value, vectors), _turn(inner - by_eps, vectors)


def _spectrum(m: jax.Array, eps: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return √λ, 1/(√λ + ε) and the eigenvectors. Rounding counts as 0; NaN stays NaN."""
    values, vectors = jnp.linalg.eigh(m)
    noise = rounding(jnp.max(values, initial=0))
    root = jnp.sqrt(jnp.where(values <= noise, 0, values))
    is_zero = root + eps <= jnp.sqrt(noise)
    return root, jnp.where(is_zero, 0, 1 / jnp.where(is_zero, 1, root + eps)), vectors


def _turn(x: jax.Array, vectors: jax.Array) -> jax.Array:
    """Return V x Vᴴ."""
    product = jnp.matmul(vectors, as_array(x, vectors.dtype), precision="highest")
    return jnp.matmul(product, vectors.conj().T, precision="highest")
