"""Claims about worst cases on convex losses: O(1/k) and O(1/k²) are attained.

On Huber's function, L t²/2 for |t| <= d and L d |t| - L d²/2 above, the gradient is L d while θ
stays on the slope. A linear method with step matrix H then has θ(N) = R - S d with
S = -L Σ_j H[N, j], and the loss L d (R - S d) - L d²/2. The loss is largest for d = R/(2S + 1),
where it is L R²/(2 (2S + 1)). (Ours, after Drori and Teboulle (2014), section 3.)
"""

import jax.numpy as jnp
import numpy as np
import optax

from ..._core.chain import chain
from ..._first_moment import first_moment
from ..._learning_rate import scale_by_learning_rate
from ..._nesterov import lookahead_readout
from ...optimizers import adagrad, adam, rmsprop, sgd
from ...schedules import inverse_time, momentum_nesterov
from ..probes import step_matrix
from ._descent import Read, descend
from .statement import Finding, statement

N = 10


@statement(
    "gradient-descent-worst-case",
    claim="Gradient descent with τ = h/L ends at L R²/(4 N h + 2) on Huber's function",
    slide="Gradient descent",
    source="Drori and Teboulle (2014), theorem 3.2",
    picture="worst_cases",
)
def gradient_descent_worst_case(sgd=sgd):
    for L, R, steps, h in ((1, 1, N, 1), (3, 2, N, 0.3), (3, 2, 50, 1)):
        left = left_on_huber(sgd(h / L), steps, steps * h, L, R)
        bound = L * R**2 / (4 * steps * h + 2)
        yield Finding(left, bound, 1e-12, what=f"L = {L}, R = {R}, N = {steps}, h = {h}")


@statement(
    "nesterov-worst-case",
    claim="With μ(k) = k/(k + 3) Nesterov's x(N) ends at 2 L R²/(N² + 5N + 6), below 2/(N + 1)²",
    slide="Nesterov 1983",
    source="Nesterov (1983); Taylor, Hendrickx and Glineur (2017), table 1; y(N): ours",
    picture="worst_cases",
)
def nesterov_worst_case(sgd=sgd, momentum_nesterov=momentum_nesterov):
    """Check x(N) and y(N) on Huber's function, whose gradient is 1 on the slope.

    There x(k+1) = y(k) - 1, y(k) = x(k) + (k-1)/(k+2) (x(k) - x(k-1)). The k-th step
    of x is (k + 2)/4, as 1 + (k-2)/(k+1) · (k+1)/4 = (k + 2)/4. Their sum S(x(N)) is
    (N² + 5N + 2)/8, and the look-ahead (N-1)/(N+2) · (N+2)/4 gives S(y(N)) = (N² + 7N)/8.
    """
    tx = sgd(1.0, momentum_nesterov(), nesterov=True)
    for steps in (2, 5, N):
        x = left_on_huber(tx, steps, (steps**2 + 5 * steps + 2) / 8, read=lookahead_readout)
        y = left_on_huber(tx, steps, (steps**2 + 7 * steps) / 8)
        yield Finding(x, 2 / (steps**2 + 5 * steps + 6), 1e-12, what=f"x({steps})")
        yield Finding(y, 2 / (steps**2 + 7 * steps + 4), 1e-12, what=f"y({steps}), the stored θ")
        yield Finding(x, 2 / (steps + 1) ** 2, relation="<=", what=f"x({steps}), the slide's bound")


@statement(
    "any-linear-method-on-hubers-slope",
    claim="A linear method ends at L R²/(2 (2S + 1)), S = -L Σ_j H[N, j], on Huber's slope",
    slide="Nesterov 1983",
    source="ours",
    picture="worst_cases",
)
def any_linear_method(sgd=sgd, first_moment=first_moment):
    methods = {
        "heavy ball": sgd(0.2, momentum=0.4),
        "Nesterov, constant": sgd(0.2, momentum=0.4, nesterov=True),
        "an average": chain(first_moment(0.5), scale_by_learning_rate(0.5)),
        "1/k": sgd(inverse_time(1.0)),
    }
    for name, tx in methods.items():
        S = -step_matrix(tx, N)[-1].sum()
        yield Finding(left_on_huber(tx, N, S), 1 / (2 * (2 * S + 1)), 1e-12, what=name)


@statement(
    "no-method-beats-the-chain",
    claim="No method is below 3 L R²/(32 (k + 1)²) after k steps on Nesterov's chain",
    slide="Nesterov 1983",
    source="Nesterov (2004), theorem 2.1.7; coordinate-wise methods: ours",
    picture="worst_cases",
)
def no_method_beats_the_chain(sgd=sgd, adam=adam, adagrad=adagrad, rmsprop=rmsprop):
    """Check the bound: each gradient reaches one more coordinate, and D v is 0 in the others."""
    k, n = 20, 41
    laplacian = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    minimum = 1 - np.arange(1, n + 1) / (n + 1)

    def loss(x):
        return x @ (jnp.asarray(laplacian) @ x) / 8 - x[0] / 4

    bound = 3 * minimum @ minimum / (32 * (k + 1) ** 2)
    methods = {
        "gradient descent": sgd(1.0),
        "heavy ball": sgd(0.5, momentum=0.9),
        "Nesterov": sgd(1.0, momentum_nesterov(), nesterov=True),
        "Adam": adam(0.05),
        "AdaGrad": adagrad(0.1),
        "RMSProp": rmsprop(0.05),
        "sign": optax.sign_sgd(0.05),
    }
    for name, tx in methods.items():
        path = descend(
            tx, lambda x: (jnp.asarray(laplacian) @ x) / 4 - jnp.eye(1, n)[0] / 4, np.zeros(n), k
        )
        gap = loss(path[-1]) - loss(jnp.asarray(minimum))
        yield Finding(gap, bound, relation=">=", what=name)
        yield Finding((path[-1] != 0).sum(), k, relation="<=", what=f"{name}: entries not 0")


def left_on_huber(
    tx: optax.GradientTransformation,
    steps: int,
    S: float,
    L: float = 1.0,
    R: float = 1.0,
    read: Read | None = None,
) -> float:
    """Return f(θ(steps)) on the Huber function that is worst for a row sum S."""
    d = R / (2 * S + 1)
    path = descend(tx, lambda t: L * jnp.clip(t, -d, d), R, steps, read)
    t = abs(float(path[-1]))
    return L * (t**2 / 2 if t <= d else d * t - d**2 / 2)
