"""Blocks and optimizers for Optax: θ(k+1) = θ(k) - τ(k) D(k+1) v(k+1).

Train

    fit                     Train a model and return it with its history.
    recipe                  Search for the optimizer and the learning rate, and diagnose a run.
    training                Problems, programs, callbacks and results of `fit`.

Optimizers

    sgd                     Gradient descent, with Polyak's or Nesterov's momentum.
    adam                    An averaged gradient, divided by the root mean square of the gradients.
    adamw                   Adam with decoupled weight decay.
    nadam                   Adam with Nesterov's velocity.
    adamax                  Adam with the largest recent gradient in place of the root mean square.
    amsgrad                 Adam with a preconditioner that never grows.
    rmsprop                 The gradient, divided by the root mean square of the recent gradients.
    adagrad                 The gradient, divided by the root of the sum of all squared gradients.
    polyak_tuning           Polyak's best constant momentum and learning rate on quadratics.
    nesterov_tuning         Nesterov's best constant momentum and learning rate on quadratics.

Velocities, v

    trace                   The velocity of SGD with momentum.
    nesterov_trace          The velocity of SGD with Nesterov's momentum.
    first_moment            The velocity of Adam: an exponential moving average of the gradient.
    nesterov_first_moment   The velocity of NAdam.
    optimized_trace         The velocity with the best worst case on smooth convex losses.
    lookahead_readout       Nesterov's iterate x, computed from the look-ahead point θ.
    restart                 Reset a velocity when it points uphill.

Preconditioners, D

    sum_of_squares          The sum of all |g|² (AdaGrad).
    second_moment           An exponential moving average of |g|² (RMSProp, Adam).
    infinity_moment         The largest recent |g| (AdaMax).
    variance                An exponential moving average of |g|², less the square of the average.
    running_max             The largest value of a magnitude so far (AMSGrad).
    inverse_root            From a magnitude c to the diagonal D = 1/sqrt(c).
    inverse                 From a magnitude c to the diagonal D = 1/c.
    full_matrix             AdaGrad's matrix D, for small leaves.
    newton                  Newton's matrix D: the inverse of the second derivative of the loss.
    precondition            D v, from a preconditioner and a velocity.

Learning rates, τ

    schedules               Learning rates that depend on the step.
    scale_by_learning_rate  Multiply by -τ(k).
    current                 Return the step count and the current learning rates of a state.

Averages

    bias_correction         Divide an average by the total weight it has collected.
    average_iterates        Average the parameters over the steps.
    averaged                Return the average that `average_iterates` keeps.

Build and check

    block                   Build a transformation that keeps the contract of this library.
    chain                   Apply transformations from left to right.
    describe                Return the name, the arguments and the members of a transformation.
    described               Let a factory's transformations carry their description.
    energy                  Divide a loss by its number of examples.
    testing                 The laws of this library, as checks for any transformation.
    theory                  The claims of the lecture, measured on the transformations.
"""

import sys
import typing

from . import schedules as schedules
from ._average import average_iterates as average_iterates, averaged as averaged
from ._bias_correction import bias_correction as bias_correction
from ._core import __version__ as __version__, exported as _exported
from ._core.block import block as block
from ._core.chain import chain as chain
from ._core.current import current as current
from ._core.describe import describe as describe, described as described
from ._energy import energy as energy
from ._first_moment import first_moment as first_moment
from ._full_matrix import full_matrix as full_matrix
from ._inverse_root import inverse as inverse, inverse_root as inverse_root
from ._learning_rate import scale_by_learning_rate as scale_by_learning_rate
from ._magnitudes import (
    infinity_moment as infinity_moment,
    running_max as running_max,
    second_moment as second_moment,
    sum_of_squares as sum_of_squares,
)
from ._nesterov import (
    lookahead_readout as lookahead_readout,
    nesterov_first_moment as nesterov_first_moment,
    nesterov_trace as nesterov_trace,
)
from ._newton import newton as newton
from ._optimized_trace import optimized_trace as optimized_trace
from ._precondition import precondition as precondition
from ._restart import restart as restart
from ._trace import trace as trace
from ._variance import variance as variance
from .optimizers import (
    adagrad as adagrad,
    adam as adam,
    adamax as adamax,
    adamw as adamw,
    amsgrad as amsgrad,
    nadam as nadam,
    nesterov_tuning as nesterov_tuning,
    polyak_tuning as polyak_tuning,
    rmsprop as rmsprop,
    sgd as sgd,
)

if typing.TYPE_CHECKING:
    from . import recipe as recipe, testing as testing, theory as theory, training as training
    from ._fit import fit as fit

_LOADED_WHEN_NAMED = ("fit", "recipe", "testing", "theory", "training")


def __dir__() -> list[str]:
    return _exported(globals(), "schedules", *_LOADED_WHEN_NAMED)


def __getattr__(name: str) -> object:
    if name == "fit":
        from ._fit import fit

        return fit
    # `from . import recipe` would ask this function for the module before it loads it
    if name == "recipe":
        from .recipe import __name__ as module
    elif name == "testing":
        from .testing import __name__ as module
    elif name == "theory":
        from .theory import __name__ as module
    elif name == "training":
        from .training import __name__ as module
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return sys.modules[module]
