"""Which arms run, and how do they run as one compiled program?

All arms start from the same parameters and see the same rows in the same order with the same
noise: they differ in numbers, and the numbers are data. So one program serves every arm, rung and
length, and differences between arms are paired.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import optax

from ..._average import average_iterates
from ..._core.block import block
from ..._core.chain import chain
from ..._core.describe import describe
from ..._core.types import Scalar, Transformation
from ...optimizers import adam, sgd
from ...schedules import wsd
from ...training._cached import cached
from ..constants import ETA


class Arm(NamedTuple):
    """A family by number, a rate 10^(quarter/4), and from where to where the rate falls to 0."""

    family: int
    quarter: int
    fall: tuple[int, int] | None = None

    @property
    def rate(self) -> float:
        return 10.0 ** (self.quarter / 4)

    @property
    def name(self) -> str:
        """In a journal, and of a file."""
        return "_".join(map(str, (self.family, self.quarter, *(self.fall or ()))))

    def faster(self, quarters: int) -> "Arm":
        return self._replace(quarter=self.quarter + quarters)

    def hyperparams(self, steps: int) -> dict[str, Any]:
        """Its numbers; a rate that never falls falls after the last step."""
        start, end = self.fall or (steps, steps + 1)
        numbers = {"family": self.family, "learning_rate": self.rate}
        return {**numbers, "decay_start": start, "decay_steps": end - start}


Family = Callable[[Any], optax.GradientTransformation]
"""From a rate, which is a schedule, to an optimizer."""

Build = Callable[..., Transformation]


def _adam(rate: Any) -> Transformation:
    return adam(rate)


def _nesterov(rate: Any) -> Transformation:
    return sgd(rate, momentum=0.9, nesterov=True)


_nesterov.gain = 10.0  # type: ignore[attr-defined]


FAMILIES: Mapping[str, Family] = {"adam": _adam, "nesterov": _nesterov}
"""The lecture's two, in the order in which they are tried."""


def arm(
    family: Scalar, learning_rate: Scalar, decay_start: Scalar, decay_steps: Scalar
) -> Transformation:
    """The optimizer of any arm of a search, as one program: every number of it is data.

        τ(k) = learning_rate                      until decay_start
        τ(k) = from there to 0 along a line       over decay_steps

    with an average of the iterates, `average_iterates(8.0)`. Other programs round differently;
    this one gives an arm's bits again: `lo.fit(..., tx=lo.recipe.arm, hyperparams={...})`.

    **Arguments**

    - `family`: 0 is Adam, 1 is SGD + Nesterov with momentum 0.9.
    - `learning_rate`: τ, >= 0.
    - `decay_start`, `decay_steps`: when the rate begins to fall, and for how long.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo, optax
    >>> tx = lo.recipe.arm(family=1, learning_rate=0.1, decay_start=10, decay_steps=5)
    >>> update, state = tx.update(jnp.ones(2), tx.init(jnp.zeros(2)), jnp.zeros(2))
    >>> print(update.round(2))  # g + 0.9 v, times the rate
    [-0.19 -0.19]

    ```
    """
    built = _built(tuple(FAMILIES.items()), None)
    return built(family, learning_rate, decay_start, decay_steps)


def arms(families: Mapping[str, Family] | None = None, around: Any = None) -> Build:
    """The same for families of one's own, and with transformations around each of them.

    **Arguments**

    - `families`: `{"name": rate -> optimizer}`, in the order in which they are tried.
    - `around`: `optimizer -> optimizer`, as
      `lambda tx: optax.chain(optax.clip_by_global_norm(1.0), tx)`.

    **Raises** `TypeError` for what is no mapping of functions, or no function.
    """
    _refuse_what_cannot_be_called(families, around)
    if families is None and around is None:
        return arm
    return _built(tuple((families or FAMILIES).items()), around)


def gain_of(family: Family) -> float | None:
    """How far a step goes for a unit of rate and gradient, its attribute `gain`: 1/(1 - μ) for SGD
    with momentum. None where the gradient's size does not matter, as for Adam."""
    return getattr(family, "gain", None)


def plain(family: Family, around: Any, rate: Any) -> Transformation:
    """One arm by itself, for a loop of one's own."""
    return chain(on_its_own(family, around, rate), average_iterates(ETA))


def on_its_own(family: Family, around: Any, rate: Any) -> optax.GradientTransformation:
    """One family, without the average."""
    tx = _around(family(rate), around)
    describe(tx)  # refuses what is no transformation
    return tx


def _refuse_what_cannot_be_called(families: Any, around: Any) -> None:
    example = '{"adamw": lambda rate: lo.adamw(rate, weight_decay=0.1)}'
    if not isinstance(families, Mapping | None):
        raise TypeError(
            f"families must be {{name: rate -> optimizer}}, got {families!r}: {example}."
        )
    for name, family in (families or {}).items():
        if not callable(family):
            raise TypeError(
                f"families must be functions rate -> optimizer, got {family!r} for {name!r}: "
                f"{example}."
            )
    if around is not None and not callable(around):
        raise TypeError(f"around must be a function optimizer -> optimizer, got {around!r}.")


@cached
def _built(families: tuple[tuple[str, Family], ...], around: Any) -> Build:
    def build(family, learning_rate, decay_start, decay_steps):
        rate = wsd(learning_rate, decay_start=decay_start, decay_steps=decay_steps)
        members = {name: on_its_own(make, around, rate) for name, make in families}
        return chain(_one_of(members, family), average_iterates(ETA))

    return build


def _around(tx: optax.GradientTransformation, around: Any) -> optax.GradientTransformation:
    return tx if around is None else around(tx)


def _one_of(members: Mapping[str, optax.GradientTransformation], which: Any) -> Transformation:
    """The member of that number; the states of the others wait."""
    inner = {name: optax.with_extra_args_support(tx) for name, tx in members.items()}

    def init_fn(params):
        return {name: tx.init(params) for name, tx in inner.items()}

    def update_fn(updates, state, params=None, **extra_args):
        def branch(name):
            update, own = inner[name].update(updates, state[name], params, **extra_args)
            return update, {**state, name: own}

        branches = [functools.partial(branch, name) for name in inner]
        return jax.lax.switch(which, branches) if len(inner) > 1 else branches[0]()

    return block(init_fn, update_fn)
