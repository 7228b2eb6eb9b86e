"""θ(k+1) = θ(k) - τ(k) D(k+1) v(k+1): velocities, preconditioners and learning rates for Optax."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from . import schedules as schedules
from ._average import average_iterates as average_iterates, averaged as averaged
from ._bias_correction import bias_correction as bias_correction
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

if TYPE_CHECKING:  # heavy: loaded when they are named
    from . import recipe as recipe, testing as testing, theory as theory, training as training
    from ._fit import fit as fit


_LATER = ("fit", "recipe", "testing", "theory", "training")


def __dir__() -> list[str]:
    return sorted([*(name for name in globals() if name not in ("Any", "TYPE_CHECKING")), *_LATER])


def __getattr__(name: str) -> Any:
    if name in ("recipe", "testing", "theory", "training"):
        return _import_module(f"{__name__}.{name}")
    if name == "fit":
        return _import_module(f"{__name__}._fit").fit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
