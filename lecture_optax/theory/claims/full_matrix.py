"""A claim about full-matrix AdaGrad: D(k+1) is a matrix built from gradients."""

import numpy as np
import optax
from scipy.linalg import sqrtm

from ..._full_matrix import full_matrix
from ..._precondition import precondition
from ._descent import updates_along
from .statement import Finding, statement
from .symmetry import rotation

SIZE, STEPS = 6, 9


@statement(
    "full-matrix-adagrad",
    claim="Full-matrix AdaGrad steps by (δI + Σ g gᵀ)^(-1/2) g and is rotation invariant",
    slide="The general update",
    source="Duchi, Hazan and Singer (2011), section 1.1; here SciPy's root",
)
def full_matrix_adagrad(full_matrix=full_matrix):
    """Check the step, and that it rotates with g: U g makes the sum U (Σ g gᵀ) Uᵀ."""
    gradients = np.random.default_rng(9).normal(size=(STEPS, SIZE))
    U = rotation(SIZE, 10)
    for name, eps, eps_root, initial in (
        ("ε = δ = 0", 0.0, 0.0, 0.0),
        ("δ = .3", 0.0, 0.1, 0.2),
        ("ε = .3", 0.3, 0.0, 0.2),
    ):
        tx = precondition(optax.identity(), by=full_matrix(eps, eps_root, initial=initial))
        found, turned = updates_along(tx, gradients, gradients @ U.T)
        exact = last_steps(gradients, eps, eps_root + initial)
        off = np.abs(found[SIZE:] - exact).max()
        yield Finding(off, 0, 1e-9, what=f"{name}: off SciPy's")
        yield Finding(
            np.abs(turned - found @ U.T).max(), 0, 1e-9, what=f"{name}: change by a rotation U"
        )
    diagonal = precondition(optax.identity(), by=full_matrix(diagonal_above=0))
    found, turned = updates_along(diagonal, gradients, gradients @ U.T)
    seen = np.abs(turned - found @ U.T).max()
    yield Finding(seen, 1e-2, relation=">=", what="the diagonal: change by U")


def last_steps(gradients: np.ndarray, eps: float, at_start: float) -> np.ndarray:
    """Return ((at_start I + Σ_j g(j) g(j)ᵀ)^(1/2) + eps I)⁻¹ g(k) for all k >= SIZE."""
    sums = at_start * np.eye(SIZE) + np.cumsum(gradients[:, :, None] * gradients[:, None], axis=0)
    roots = [np.real(np.asarray(sqrtm(total))) + eps * np.eye(SIZE) for total in sums[SIZE:]]
    return np.linalg.solve(roots, gradients[SIZE:, :, None])[..., 0]
