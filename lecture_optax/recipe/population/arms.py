"""Arms, and the optimizers that they run as one compiled program.

Arms differ in numbers only (which optimizer, learning rate, decay), and the numbers are data: one
program serves every arm and length.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import optax

from ..._average import average_iterates
from ..._core import validate
from ..._core.block import block
from ..._core.chain import chain
from ..._core.describe import picklable
from ..._core.types import Transformation
from ...optimizers import adam, sgd
from ...schedules import wsd
from ...training._cached import cached
from ..constants import ETA

REFIT = -1
"""The fold of an arm that trains on all examples."""


class Arm(NamedTuple):
    """An optimizer by number, a learning rate 10^(quarter_decades/4), and a decay.

    - `decay`: the step at which the learning rate starts to decay, and the one at which it is 0.
    - `fold`: the part of all examples, training and validation ones, that it does not train on and
      is evaluated on (`folds.py`); `REFIT` if it trains on all; None with the validation set.
    """

    optimizer: int
    quarter_decades: int
    decay: tuple[int, int] | None = None
    fold: int | None = None

    @property
    def rate(self) -> float:
        return 10.0 ** (self.quarter_decades / 4)

    @property
    def begin(self) -> int:
        """The step at which it branches from the arm with a constant learning rate, or 0."""
        return self.decay[0] if self.decay else 0

    @property
    def name(self) -> str:
        """The name of the arm in a save and of its file."""
        name = "_".join(map(str, (self.optimizer, self.quarter_decades, *(self.decay or ()))))
        return name if self.fold is None else f"{name}_fold{self.fold}"

    @classmethod
    def named(cls, name: str) -> "Arm":
        """Return the arm of a name."""
        name, _, fold = name.partition("_fold")
        optimizer, quarter_decades, *decay = map(int, name.split("_"))
        steps = (decay[0], decay[1]) if decay else None
        return cls(optimizer, quarter_decades, steps, int(fold) if fold else None)

    def shifted(self, quarters: int) -> "Arm":
        """Return the arm with a learning rate that is so many quarter decades larger."""
        return self._replace(quarter_decades=self.quarter_decades + quarters)

    def hyperparams(self, steps: int) -> dict[str, Any]:
        """Return its hyperparameters. Without a decay, one starts after the last step."""
        start, end = self.decay or (steps, steps + 1)
        numbers = {"optimizer": self.optimizer, "learning_rate": self.rate}
        return {**numbers, "decay_start": start, "decay_steps": end - start}


def step_at(fraction: float, steps: int) -> int:
    """Return the step at a fraction of a run."""
    return max(1, round(fraction * steps))


OptimizerFactory = Callable[[Any], optax.GradientTransformation]
"""A function from a learning rate, which is a schedule, to an optimizer."""

Build = Callable[..., Transformation]


@dataclass(frozen=True)
class FactoryWithGain:
    """An `OptimizerFactory` whose update is `gain` times learning rate times gradient in the end.

    That is 1/(1 - μ) for SGD with momentum. Adam, whose update does not depend on the gradient's
    size, has no gain.
    """

    build: OptimizerFactory
    gain: float

    def __call__(self, learning_rate: Any) -> optax.GradientTransformation:
        return self.build(learning_rate)


OPTIMIZERS: Mapping[str, OptimizerFactory] = {
    "adam": adam,
    "nesterov": FactoryWithGain(functools.partial(sgd, momentum=0.9, nesterov=True), gain=10.0),
}
"""The lecture's two, in the order in which they are tried."""


def arm_optimizer(
    optimizers: Mapping[str, OptimizerFactory] | None = None, wrap: Any = None, average: Any = None
) -> Build:
    """Return the function that builds the optimizer of any arm of a search.

        τ(k) = learning_rate                           until decay_start
        τ(k) = linearly from learning_rate to 0        over decay_steps

    with an average of the iterates. All its arguments are data, so one
    program serves every arm. A run of this program has an arm's bits; other programs round
    differently.

    **Arguments**

    - `optimizers`: `{"name": learning_rate -> optimizer}`, in the order in which they are tried. By
      default Adam, and SGD + Nesterov with momentum 0.9.
    - `wrap`: `optimizer -> optimizer`, applied to each of them, as
      `lambda tx: optax.chain(optax.clip_by_global_norm(1.0), tx)`.
    - `average`: the average of the iterates, by default `average_iterates(8.0)`. False is the
      default too, as arms are compared by their averages.

    **Returns** `build(optimizer, learning_rate, decay_start, decay_steps)`: the index of the
    optimizer, τ >= 0, the step at which the learning rate begins to decay, and the steps that the
    decay takes.

    **Raises** `TypeError` if `optimizers` is not a mapping of functions, or `wrap` not a function.

    ```python
    >>> import jax.numpy as jnp
    >>> from lecture_optax.recipe.population.arms import arm_optimizer
    >>> build = arm_optimizer()
    >>> tx = build(optimizer=1, learning_rate=0.1, decay_start=10, decay_steps=5)
    >>> update, state = tx.update(jnp.ones(2), tx.init(jnp.zeros(2)), jnp.zeros(2))
    >>> print(update.round(2))  # g + 0.9 v, times the learning rate
    [-0.19 -0.19]

    ```
    """
    _check_callable(optimizers, wrap)
    factories = tuple((OPTIMIZERS if optimizers is None else optimizers).items())
    return _built(factories, wrap, None if isinstance(average, bool) else average)


def gain_of(optimizer: OptimizerFactory) -> float | None:
    """Return the gain of an optimizer, or None where it has none."""
    return optimizer.gain if isinstance(optimizer, FactoryWithGain) else None


def standalone_optimizer(
    optimizer: OptimizerFactory, wrap: Any, rate: Any, average: Any = None
) -> optax.GradientTransformation:
    """Return the optimizer of one arm, for your own training loop; `average=False`: without one."""
    tx = without_average(optimizer, wrap, rate)
    if average is False:
        return tx
    return chain(tx, average_iterates(ETA) if average in (None, True) else average)


def arm_members(
    optimizers: Mapping[str, OptimizerFactory] | None, wrap: Any, steps: int
) -> dict[str, optax.GradientTransformation]:
    """Return the optimizer of every kind of arm, without the average of the weights."""
    rate = wsd(Arm(0, 0).rate, decay_start=steps, decay_steps=1)
    return {
        name: without_average(make, wrap, rate) for name, make in (optimizers or OPTIMIZERS).items()
    }


def without_average(
    optimizer: OptimizerFactory, wrap: Any, rate: Any
) -> optax.GradientTransformation:
    """Return the optimizer of one arm, without the average of the weights."""
    tx = optimizer(rate)
    validate.transformation(**{"what optimizers build": tx})
    if wrap is None:
        return tx
    tx = wrap(tx)
    validate.transformation(**{"what wrap returns": tx})
    return tx


def _check_callable(optimizers: Any, wrap: Any) -> None:
    example = '{"adamw": lambda learning_rate: lo.adamw(learning_rate, weight_decay=0.1)}'
    if not isinstance(optimizers, Mapping | None):
        raise TypeError(
            "optimizers must be {name: learning_rate -> optimizer}, got "
            f"{optimizers!r}: {example}."
        )
    if optimizers is not None and not optimizers:
        raise ValueError(f"optimizers must have at least one entry, got {optimizers!r}: {example}.")
    for name, optimizer in (optimizers or {}).items():
        if not callable(optimizer):
            raise TypeError(
                f"optimizers must be functions learning_rate -> optimizer, got {optimizer!r} for "
                f"{name!r}: {example}."
            )
        named: dict[str, Any] = {f"optimizers[{name!r}]": optimizer}
        validate.function(takes=1, **named)
    if wrap is not None and not callable(wrap):
        raise TypeError(f"wrap must be a function optimizer -> optimizer, got {wrap!r}.")
    if wrap is not None:
        validate.function(takes=1, wrap=wrap)


@cached
def _built(optimizers: tuple[tuple[str, OptimizerFactory], ...], wrap: Any, average: Any) -> Build:
    def build(optimizer, learning_rate, decay_start, decay_steps):
        rate = wsd(learning_rate, decay_start=decay_start, decay_steps=decay_steps)
        members = {name: without_average(make, wrap, rate) for name, make in optimizers}
        last = average_iterates(ETA) if average is None else average
        return chain(switch_optimizers(members, optimizer), last)

    return build


def switch_optimizers(
    members: Mapping[str, optax.GradientTransformation], which: Any
) -> Transformation:
    """Return the optimizer of index `which`; the states of the others do not change."""
    inner = {name: optax.with_extra_args_support(tx) for name, tx in members.items()}

    def init_fn(params):
        return {name: tx.init(params) for name, tx in inner.items()}

    def update_fn(updates, state, params=None, **extra_args):
        def branch(name):
            update, own = inner[name].update(updates, state[name], params, **extra_args)
            return update, {**state, name: own}

        branches = [functools.partial(branch, name) for name in inner]
        return jax.lax.switch(which, branches) if len(inner) > 1 else branches[0]()

    return picklable(block(init_fn, update_fn), switch_optimizers, members, which)
