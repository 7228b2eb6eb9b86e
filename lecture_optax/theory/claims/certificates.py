"""Claims with a certificate: a proof over all convex losses (PEPit, the extra `theory`)."""

from ..._nesterov import lookahead_readout
from ...optimizers import polyak_tuning, sgd
from ...schedules import momentum_constant, momentum_nesterov, silver
from ..probes import step_matrix, worst_case
from .statement import Finding, statement

N = 10
_SOLVER = 1e-4  # relative; the solver is exact to about 1e-5


@statement(
    "certified-gradient-descent",
    claim="No convex loss is worse for gradient descent than Huber's function",
    slide="Gradient descent",
    source="Drori and Teboulle (2014), theorem 3.1; best constant step: Taylor et al. (2017)",
    needs=("PEPit",),
    picture="worst_cases",
)
def certified_gradient_descent(sgd=sgd):
    yield _equal(worst_case(sgd(1.0), N), 1 / (4 * N + 2), "τ = 1/L")
    yield _equal(worst_case(sgd(1.8341), N), 1 / (4 * N * 1.8341 + 2), "τ = 1.8341/L, the best")


@statement(
    "certified-nesterov",
    claim="No convex loss is worse for Nesterov's method than Huber's function: O(1/N²) is tight",
    slide="Nesterov 1983",
    source="Taylor, Hendrickx and Glineur (2017), table 1",
    needs=("PEPit",),
    picture="worst_cases",
)
def certified_nesterov(sgd=sgd, momentum_nesterov=momentum_nesterov):
    tx = sgd(1.0, momentum_nesterov(), nesterov=True)
    x = worst_case(step_matrix(tx, N, read=lookahead_readout))
    yield _equal(x, 2 / (N**2 + 5 * N + 6), "x(N)")
    yield _equal(worst_case(tx, N), 2 / (N**2 + 7 * N + 4), "y(N), the stored θ")
    yield Finding(x, 2 / (N + 1) ** 2, relation="<=", what="x(N), the slide's bound")


@statement(
    "certified-constant-momentum",
    claim="With momentum 0.9 at τ = 1/L the worst case is 8 times that of gradient descent",
    slide="Nesterov 1983",
    source="ours, by PEPit",
    needs=("PEPit",),
)
def certified_constant_momentum(sgd=sgd):
    nesterov = worst_case(sgd(1.0, momentum=0.9, nesterov=True), N)
    yield _equal(nesterov, 0.2101, "look-ahead, 0.9", 5e-4)
    yield Finding(nesterov, 8 / (4 * N + 2), relation=">=", what="8 times gradient descent")
    yield _equal(worst_case(sgd(0.1, momentum=0.9), N), 0.1833, "heavy ball, 0.9, τ = 0.1/L", 5e-4)


@statement(
    "certified-silver-steps",
    claim="A schedule with some steps above 2/L is 2.16 times better than τ = 1/L after 15 steps",
    slide="Annealing",
    source="Altschuler and Parrilo (2023); the exact value: PEPit",
    needs=("PEPit",),
    picture="worst_cases",
)
def certified_silver_steps(sgd=sgd, silver=silver):
    gap = worst_case(sgd(silver()), 15)
    bound = 1 / (1 + (4 * (1 + 2**0.5) ** 8 - 3) ** 0.5)
    yield _equal(gap, 0.0074692, "N = 15")
    yield Finding(gap, bound, relation="<=", what="the theorem's bound")
    yield _equal(1 / (4 * 15 + 2) / gap, 2.1594, "times better than τ = 1/L", 1e-3)


@statement(
    "certified-strongly-convex",
    claim="On strongly convex losses Nesterov's method is always fast; Polyak's tuning is not",
    slide="Momentum",
    source="Nesterov (2004), section 2.2; Goujaud, Taylor and Dieuleveut (2023)",
    needs=("PEPit",),
)
def certified_strongly_convex(sgd=sgd):
    kappa = 25.0
    mu, root = 1 / kappa, kappa**0.5
    tx = sgd(1.0, momentum_constant(kappa), nesterov=True)
    x = worst_case(step_matrix(tx, N, read=lookahead_readout), mu=mu)
    yield _equal(x, 0.021607, "Nesterov, x(N)")
    yield Finding(x, (1 - 1 / root) ** N * (1 + mu) / 2, relation="<=", what="its bound")
    polyak = sgd(*polyak_tuning(1.0, mu))
    yield Finding(
        worst_case(polyak, N, mu=mu), 4.5, relation=">=", what="heavy ball: 9 times the start"
    )


def _equal(measured: float, predicted: float, what: str, relative: float = _SOLVER) -> Finding:
    return Finding(measured, predicted, relative * predicted, what=what)
