"""Blocks and optimizers for Optax: θ(k+1) = θ(k) - τ(k) D(k+1) v(k+1)."""

import sys
import typing

import optax as _optax

from . import schedules as schedules
from ._average import average_iterates as average_iterates, averaged as averaged
from ._bias_correction import bias_correction as bias_correction
from ._core import __version__ as __version__, exported as _exported, no_attribute as _no_attribute
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
    from ._lab import lab as lab
    from .linting.lint import lint as lint

_LOADED_WHEN_NAMED = {
    "fit": "Train a model and return it with its history.",
    "lint": "Find likely mistakes in a transformation, whoever wrote it.",
    "lab": "Show optimizers on a loss of two parameters, with a handle for every number.",
    "recipe": "Search for the optimizer and the learning rate, and diagnose a run.",
    "training": "Problems, programs, callbacks and results of `fit`.",
    "testing": "The laws of this library, as checks for any transformation.",
    "theory": "The claims of the lecture, measured on the transformations.",
}
_SECTIONS = {
    "Train": "fit recipe training",
    "Optimizers": "sgd adam adamw nadam adamax amsgrad rmsprop adagrad "
    "polyak_tuning nesterov_tuning",
    "Velocities, v": "trace nesterov_trace first_moment nesterov_first_moment optimized_trace "
    "lookahead_readout restart",
    "Preconditioners, D": "sum_of_squares second_moment infinity_moment variance running_max "
    "inverse_root inverse full_matrix newton precondition",
    "Learning rates, τ": "schedules scale_by_learning_rate current",
    "Averages": "bias_correction average_iterates averaged",
    "Build and check": "block chain describe described lint energy lab testing theory",
}


def _line(name: str) -> str:
    text = _LOADED_WHEN_NAMED.get(name) or globals()[name].__doc__ or ""
    return f"\n    {name:23} {text.partition(chr(10))[0]}"


for _title, _names in _SECTIONS.items():
    __doc__ = f"{__doc__ or ''}\n\n{_title}\n{''.join(map(_line, _names.split()))}"


def __dir__() -> list[str]:
    return _exported(globals(), "schedules", *_LOADED_WHEN_NAMED)


def __getattr__(name: str) -> object:
    if name == "fit":
        from ._fit import fit

        return fit
    if name == "lab":
        from ._lab import lab

        return lab
    if name == "lint":
        from .linting.lint import lint

        return lint
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
        raise _no_attribute(__name__, name, __dir__(), _optax)
    return sys.modules[module]
