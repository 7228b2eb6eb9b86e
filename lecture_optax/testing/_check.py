"""The check of a transformation against every law."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import optax

from .._core import validate
from .._core.keywords import bind, check_kinds
from ._law import Law
from ._subject import Subject
from .laws import LAWS


def check(
    make: Callable[..., optax.GradientTransformation],
    *,
    laws: Iterable[str] | None = None,
    **options: Any,
) -> None:
    """Check a transformation against the nine laws of this library, in all pairs of dtypes.

    The pairs are of parameter and gradient in float16, bfloat16, float32, and with x64 float64.
    A law about an option that is not given (a hyperparameter, a reference) is not checked.

    **Arguments**

    - `make`: a factory. `make()` builds the transformation, or `make(**hyperparameters)` if they
      are named below.
    - `laws`: names of the laws to hold, out of `LAWS`. All when not given.
    - `arguments`: keyword arguments that are not data (flags, dtypes), passed to every `make`.
    - `hyperparameters`: numeric arguments that are data, by name: `(value, allowed)`, a value to
      try above 0 and an interval as one writes it, `"[0, 1)"` or `"[0, inf)"` (the default). A
      third entry True says that a schedule may be given too.
    - `needs_params`: the update cannot do without the parameters.
    - `run_compiled`: op by op a step is slow (loops inside are compiled anew each time), so the
      laws run it compiled.
    - `extra_args`: `params -> dict`, the extra arguments that the update cannot do without.
    - `takes`: `"magnitude"` if it acts on magnitudes, which are real and at least 0.
    - `gives`: `"magnitude"` if what leaves it is real, also where gradients are complex;
      `"matrix"` if it has another shape than the gradient.
    - `accumulators`: which argument sets the dtype of which field, `{"mu_dtype": "mu"}`.
    - `unmixed`: dtypes like `"float16"` that it does not take beside others in one tree: the laws
      then leave them out of trees of several leaves.
    - `around`: `member -> transformation`, for what is built around other transformations.
    - `reference`: `(gradients, params, **hyperparameters) -> updates`, the formula in float64
      NumPy, over arrays of shape (steps, entries).
    - `condition`: of the same arguments, how many times each step of the formula magnifies a
      rounding, where that is more than once: float32 need not know more digits.
    - `peer`: a factory of another implementation, to be equal to in float64.
    - `exceptions`: laws that cannot be held, `{name of the law: reason}`. An exception that is not
      needed is an error too.

    **Raises** `AssertionError` that lists every law that is broken: its number and name, the
    dtypes, the leaf, and what was found there. `ValueError` for a law that does not exist,
    `TypeError` for a transformation in place of its factory.

    A researcher's block, and the laws it comes with:

    ```python
    >>> import jax, jax.numpy as jnp, lecture_optax as lo, optax
    >>> def sign(floor=0.5):
    ...     def init_fn(params):
    ...         return optax.EmptyState()
    ...     def update_fn(updates, state, params=None, **extra_args):
    ...         return jax.tree.map(lambda g: g / jnp.maximum(abs(g), floor), updates), state
    ...     return lo.block(init_fn, update_fn)
    >>> lo.testing.check(sign, laws=["a_step_is_pure", "a_complex_zero_is_safe"])
    >>> naive = lambda: optax.scale_by_rms(eps=0.0, eps_in_sqrt=False)
    >>> lo.testing.check(naive, laws=["a_zero_gradient_gives_a_finite_update"])
    ... # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: <lambda>() breaks law 2 (1 check...bfloat16 parameters, bfloat16 gradients...

    ```
    """
    if isinstance(make, optax.GradientTransformation):
        raise TypeError(
            "make must be a factory that builds the transformation, got a transformation: "
            "pass lambda: tx, or better the function that made it."
        )
    validate.function(make=make)
    check_kinds(bind("check", inspect.signature(Subject), (make,), options))
    is_scalar = getattr(laws, "shape", None) == ()
    if isinstance(laws, str) or is_scalar or not isinstance(laws, Iterable | None):
        raise TypeError(
            f"laws must be a list of names, got {laws!r}: a name is {next(iter(LAWS))!r}."
        )
    if laws is not None and not (laws := list(laws)):
        raise ValueError("laws must have at least one name, got none: leave it out to check all.")
    subject = Subject(make, **options)
    for option, names in (("exceptions", subject.exceptions), ("laws", laws or ())):
        for name in names:
            validate.one_of(*LAWS, **{option: name})
    _refuse_what_is_no_factory(subject)
    broken = {name: found for name in laws or LAWS if (found := _broken(LAWS[name], subject))}
    if broken:
        numbers = sorted({LAWS[name].number for name in broken})
        which = f"law{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
        failed = "1 check" if len(broken) == 1 else f"{len(broken)} checks"
        title = f"{subject} breaks {which} ({failed} failed):"
        raise AssertionError("\n\n".join((title, *broken.values())))


def _refuse_what_is_no_factory(subject: Subject) -> None:
    try:
        subject.build()
    except Exception as error:
        raise TypeError(
            f"make must be a factory that takes arguments and hyperparameters, got {subject}: "
            f"{type(error).__name__}: {error}"
        ) from error


def _broken(law: Law, subject: Subject) -> str:
    try:
        law(subject)
    except AssertionError as error:
        return str(error)
    return ""
