"""A factory that is certified, and what its signature and a few trials say about it."""

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .._subject import Subject
from . import trials
from .factory import Factory, factory_of

_PARAMS = {"w": [[0.5, -1.25, 2.0], [1.0, -3.0, 0.25]], "b": [0.125, -0.5, 1.5]}


@dataclass(frozen=True, eq=False)
class Candidate:
    """A factory, the parameters to try it on, and how it is called.

    - `make`: builds the transformation, called by names; `given`: what the user passed.
    - `params`: a small tree, in float32 unless the user gave another.
    - `subject`: the same as the laws take it, with every numeric default that may be an array as
      a hyperparameter.
    - `rate`: the hyperparameter that is the learning rate, or None.
    - `not_data`: why a numeric argument cannot be an array, by name.
    - `other_trees`: why it takes no other tree than `params`, or "".
    - `notes`: what could not be found out, in sentences.
    - `name`: what was typed, `module:name`, or "" where only the object is known.
    """

    make: Callable[..., optax.GradientTransformation]
    params: Any
    subject: Subject
    given: Any = None
    rate: str | None = None
    not_data: Mapping[str, str] = field(default_factory=dict)
    other_trees: str = ""
    notes: tuple[str, ...] = ()
    name: str = ""

    @functools.cached_property
    def tx(self) -> optax.GradientTransformationExtraArgs:
        """The transformation, with its hyperparameters as typed, as a user builds it."""
        return optax.with_extra_args_support(
            self.make(**self.subject.arguments, **self.subject.typed)
        )

    @property
    def learning_rate(self) -> float | None:
        """The value of the learning rate, or None."""
        return None if self.rate is None else self.subject.typed[self.rate]

    def step(self, gradient: Any, state: Any, params: Any) -> tuple[Any, Any]:
        """Return the update and the state after one step, with the extra arguments it needs."""
        return self.subject.update(self.tx, gradient, state, params)


@contextlib.contextmanager
def ordinary_session() -> Iterator[None]:
    """Run the block as in a new session of JAX, whatever the user has switched on.

    Without float64 and with JAX's promotion of dtypes; warnings are not shown.
    """
    with (
        warnings.catch_warnings(),
        jax.enable_x64(False),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        jax.debug_nans(False),
    ):
        warnings.simplefilter("ignore")
        yield


def candidate_of(make: Any, params: Any = None, name: str = "") -> Candidate:
    """Return a candidate from a factory, a class, or a transformation.

    How it is called is found by trial, on traces where that is enough: which arguments may be
    arrays or schedules, whether a step needs parameters and which extra arguments.

    **Raises** `TypeError` for what builds no transformation, `ValueError` for a factory that
    cannot be called, or whose transformation cannot take a step with any arguments known here.
    """
    with ordinary_session():
        factory = factory_of(make)
        if params is not None:
            return replace(_tried(factory, _tree(params)), name=name)
        try:
            return replace(_tried(factory, _tree(_PARAMS)), name=name)
        except ValueError as error:  # it may be one for matrices
            words = str(error).rstrip(".")
            note = f"With a vector among the parameters {words}. It was tried on a matrix alone."
            matrices = factory._replace(notes=(*factory.notes, note))
            with contextlib.suppress(ValueError):
                return replace(_tried(matrices, _tree({"w": _PARAMS["w"]})), name=name)
            raise


def _tried(factory: Factory, params: Any) -> Candidate:
    required = {} if factory.rate is None else {factory.rate: factory.defaults[factory.rate]}
    required = {name: value for name, value in required.items() if value is not None}
    needs = trials.needs_of(factory.make, required, params)
    plain = Subject(factory.make, required, **needs)
    found, not_data = trials.hyperparameters_of(plain, factory.defaults, params)
    kept = {name: value for name, value in required.items() if name not in found}
    subject = Subject(
        factory.make,
        kept,
        found,
        **needs,
        run_compiled=trials.has_loops(plain, params),
        accumulators=trials.accumulators_of(plain, factory.defaults, params),
        **trials.kinds_of(plain, params),
    )
    other_trees, notes = trials.refusal_of_other_trees(subject), factory.notes
    unmixed, refusal = trials.unmixed_of(subject) if not other_trees else ((), "")
    if unmixed:
        subject = replace(subject, unmixed=unmixed)
        words = (
            f"It refuses a tree with leaves in several dtypes ({refusal}): the laws were checked"
        )
        notes += (f"{words} without {' and '.join(unmixed)} in trees of several leaves.",)
    return Candidate(
        factory.make,
        params,
        subject,
        factory.given,
        factory.rate if factory.rate in found else None,
        not_data,
        other_trees,
        notes,
    )


def _tree(params: Any) -> Any:
    try:
        tree = jax.tree.map(jnp.asarray, params, is_leaf=lambda x: isinstance(x, list) and _flat(x))
    except TypeError as error:
        raise TypeError(
            f"params must be a tree of arrays: {error} Leave out what is no array, as with "
            "equinox.filter(model, equinox.is_array)."
        ) from error
    if not any(np.size(x) for x in jax.tree.leaves(tree)):
        raise ValueError(f"params must have at least one number, got {params!r}.")
    return tree


def _flat(x: list) -> bool:
    """Return whether a list is an array as one types it."""
    with contextlib.suppress(ValueError, TypeError):
        return np.asarray(x).dtype.kind in "fc"
    return False
