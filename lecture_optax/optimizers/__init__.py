"""The optimizers of the lecture: choices of τ, D and v in θ(k+1) = θ(k) - τ(k) D(k+1) v(k+1).

Read them side by side: from one method to the next, one block is exchanged. Names, arguments and
defaults are Optax's. Common to all:

- `learning_rate`: τ, a number, array, tracer or schedule. The applied value is in the state:
  `optax.tree.get(state, "learning_rate")`.
- Every other number may be a Python number, an array or a tracer, and is checked when concrete:
  `ValueError` outside its range, `TypeError` for another kind, by the name that was typed.
- An update has the wider precision of its gradient and its parameter; moments are kept in at least
  float32 unless you ask for another dtype.
"""

from .adagrad import adagrad as adagrad
from .adam import (
    adam as adam,
    adamax as adamax,
    adamw as adamw,
    amsgrad as amsgrad,
    nadam as nadam,
)
from .rmsprop import rmsprop as rmsprop
from .sgd import sgd as sgd
from .tuning import (
    Tuning as Tuning,
    nesterov_tuning as nesterov_tuning,
    polyak_tuning as polyak_tuning,
)
