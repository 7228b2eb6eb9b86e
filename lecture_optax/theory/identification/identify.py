"""`identify`: the method behind a recorded stream of gradients and updates."""

from dataclasses import replace
from typing import Any

import numpy as np

from .chain import chain_of
from .decide import Method
from .fit import deviations, predict
from .naming import name_of, same_as, would_decide
from .result import Deviation, Identification
from .search import Beginning, Search
from .signs import Signs, sign_method
from .stream import Stream, read

_NEAR = 0.1
"""The error below which a method that fits no step is near: relative to the largest update."""
_LEAVES = 12
"""The number of leaves up to which each is searched by itself."""

_NEAR = 0.05
"""A method is shown as the nearest if it is this near to all updates, in parts of the largest, or
if it makes half of them up to rounding."""
_WITHOUT_PARAMS = (
    " (weight decay, as of adamw, was not tried: it needs params, which were not recorded)"
)


def identify(gradients: Any, updates: Any, params: Any = None) -> Identification:
    """Say which velocity, preconditioner and learning rate made a recorded stream of updates.

        θ(k+1) = θ(k) - τ(k) D(k+1) v(k+1)

    Every method in a table is fitted to the stream: τ(k) in closed form, the few other numbers by
    least squares. A method is named only if it makes every recorded number up to rounding, in
    every step, leaf and entry, with numbers of few digits.

    **Arguments**

    - `gradients`: g(k), a tree of arrays whose first axis is the step, or a list of trees. Up to
      50 steps are plenty; gradients of different sizes in different entries tell the most.
    - `updates`: θ(k+1) - θ(k), a tree of the same shapes.
    - `params`: θ(k), before each step. Without it weight decay is not found.

    **Returns** an `Identification`. It prints as two or three sentences and the chain.

    **Raises** `TypeError` or `ValueError` for trees that do not match, or without a step.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo, numpy as np
    >>> gradients = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    >>> tx, updates = lo.adam(1e-3, b2=0.99), []
    >>> state = tx.init(jnp.zeros(8))
    >>> for g in gradients:
    ...     update, state = tx.update(jnp.asarray(g), state)
    ...     updates.append(update)
    >>> found = lo.theory.identify(gradients, updates)
    >>> found.name, found.hyperparameters["b2"], found.schedule
    ('adam', 0.99, 'constant')

    ```
    """
    recorded = read(gradients, updates, params)
    with np.errstate(all="ignore"):  # a trial far off may overflow
        return _identified(recorded)


def _identified(recorded: Stream) -> Identification:
    stream = recorded.first(_finite_steps(recorded))
    refusal = _too_little(recorded, stream)
    if refusal:
        return Identification(None, "", reason=refusal)
    found = _found(stream)
    if stream.steps == recorded.steps:
        return found
    return _cut(found, recorded, stream.steps)


def _found(stream: Stream) -> Identification:
    signs = sign_method(stream)
    if signs is not None:
        return _signed(signs)
    search = Search(stream)
    open_: list[Method] = []
    for group in search.groups():
        methods = search.methods(group)
        if methods and methods[0].shape is not None and not methods[0].vague:
            return _named(methods, stream)
        open_ += methods
    free = [method for method in open_ if not method.vague]
    if free:
        return _named(free, stream)
    if open_:
        return _undecided(open_[0])
    return _none_of_these(search)


def _finite_steps(stream: Stream) -> int:
    arrays = [x for x in (stream.g, stream.u, stream.p) if x is not None]
    finite = np.all([np.isfinite(x).all(1) for x in arrays], axis=0)
    return stream.steps if finite.all() else int(np.argmin(finite))


def _cut(found: Identification, recorded: Stream, step: int) -> Identification:
    """Return what was found before a step with a number that is not finite.

    The table makes finite updates of finite gradients and parameters.
    """
    causes = {"gradient": recorded.g, "parameter": recorded.p, "update": recorded.u}
    finite = {kind: np.isfinite(x[step]) for kind, x in causes.items() if x is not None}
    kind = next(kind for kind, good in finite.items() if not good.all())
    leaf = recorded.names[recorded.leaf[int(np.argmin(finite[kind]))]]
    unused = (
        f"Only steps 0 to {step - 1} were used: the {kind} of step {step} in {leaf} is not finite. "
        "What follows was not compared."
    )
    if kind != "update" or found.name is None:
        return replace(found, unused=unused)
    reason = f"{found.name} makes steps 0 to {step - 1}, but no update that is not finite"
    return replace(
        found, name=None, deviation=Deviation(step, leaf, np.inf), reason=reason, unused=unused
    )


def _too_little(recorded: Stream, stream: Stream) -> str:
    """Return what the stream lacks for any name, or ""."""
    if stream.steps == 0:
        return "the first step already holds a number that is not finite"
    if not stream.g.any():
        return "all gradients are 0, which no method can be told from"
    if not stream.u.any():
        return "all updates are 0"
    if stream.steps < 3:
        cut = stream.steps < recorded.steps
        why = ", since the next holds a number that is not finite" if cut else ""
        return f"{stream.steps} finite steps do not decide a method: record at least 3{why}"
    if stream.u.size < 8:
        return f"{stream.u.size} numbers do not decide a method: record more steps or entries"
    return ""


def _signed(found: Signs) -> Identification:
    decay = {} if found.weight_decay is None else {"weight_decay": found.weight_decay}
    schedule = "free" if found.shape is None else found.shape.name
    several = ("gradients whose averages are near 0, for the decays",) if found.scalars else ()
    return Identification(
        found.name,
        found.chain,
        {**found.scalars, **decay},
        found.rates if found.shape is None else found.shape.values,
        schedule,
        found.intervals,
        would_decide=several,
        error=0.0,
        steps=len(found.rates),
    )


def _named(methods: list[Method], stream: Stream) -> Identification:
    best, *others = methods
    return Identification(
        name_of(
            best.structure, eps_known=best.intervals.get("eps", (1.0,))[0] > 0, ascends=best.ascends
        ),
        _chain(best),
        dict(best.scalars),
        best.rates,
        "free" if best.shape is None else best.shape.name,
        best.intervals,
        same_as(best, others),
        would_decide(best, others),
        _error(best, stream),
        steps=stream.steps,
    )


def _undecided(method: Method) -> Identification:
    """Refuse a name for a stream that leaves the size of a number open."""
    numbers, name = " and ".join(method.vague), name_of(method.structure)
    reason = f"{name} fits, but the stream does not decide {numbers}: record more steps or entries"
    return Identification(None, "", intervals=method.intervals, reason=reason)


def _chain(method: Method) -> str:
    """Return the Python that builds a method."""
    rates = -method.rates if method.ascends else method.rates
    if method.shape is not None:
        rate = method.shape.expression
    elif np.ptp(rates) == 0:
        rate = f"{rates[0]:.6g}"
    else:
        rate = f"lambda k: jnp.asarray({[float(f'{x:.9g}') for x in rates]})[k]"
    chain = chain_of(method.structure, method.scalars, rate)
    return f"lo.chain({chain}, optax.scale(-1.0))" if method.ascends else chain


def _error(method: Method, stream: Stream) -> float:
    u, _ = predict(method.structure, method.scalars, method.rates, stream)
    largest = np.abs(stream.u).max()
    return float(np.abs(u - stream.u).max() / largest)


def _none_of_these(search: Search) -> Identification:
    """Return the method of the longest beginning, those of the leaves, or the nearest method."""
    beginning = search.beginning()
    if beginning is not None and beginning.steps < search.stream.steps:
        return _begun(beginning, search.stream)
    none = "no method in the table made these updates up to rounding"
    if search.stream.p is None:
        none += "; without params, weight decay was not tried"
    if by_leaf := _by_leaf(search.stream):
        each = "; ".join(f"{leaf}: {said}" for leaf, said in by_leaf.items())
        reason = f"{none}. Leaf by leaf: {each}. The leaves differ: a mask, or groups"
        return Identification(None, "", reason=reason, by_leaf=by_leaf)
    nearest = search.nearest()
    if nearest is None or not _error(nearest, search.stream) < _NEAR:
        return Identification(None, "", reason=f"{none}, and none is near")
    return Identification(
        None,
        _chain(nearest),
        dict(nearest.scalars),
        nearest.rates,
        deviation=(deviation := _deviation(nearest, search.stream)),
        steps=deviation.step,
        error=_error(nearest, search.stream),
        reason=none,
    )


def _begun(beginning: Beginning, stream: Stream) -> Identification:
    last = beginning.steps - 1
    found = _named([beginning.method], stream.first(beginning.steps))
    reason = (
        f"{found.name} ({found.numbers}) makes steps 0 to {last} up to rounding, "
        f"and no method that was tried makes step {last + 1} too"
    )
    return replace(
        found,
        name=None,
        would_decide=(),
        same_as=(),
        deviation=_deviation(beginning.whole, stream),
        error=_error(beginning.whole, stream),
        reason=reason,
    )


def _by_leaf(stream: Stream) -> dict[str, str]:
    """Return the method of each leaf by itself; nothing if one has none, or all have the same."""
    leaves, found = np.unique(stream.leaf), {}
    if len(leaves) > _LEAVES:
        return {}
    for leaf in leaves:
        part, name = stream.take(np.flatnonzero(stream.leaf == leaf)), stream.names[leaf]
        if not part.u.any():
            found[name] = "not updated"
            continue
        search = Search(part)
        methods = search.plain(False) or search.plain(True)
        if not methods:
            return {}
        alone = _named(methods, part)
        found[name] = f"{alone.name} with {alone.numbers}"
    return found if len(set(found.values())) > 1 else {}


def _deviation(method: Method, stream: Stream) -> Deviation:
    """Return where a method first differs from a stream."""
    far = deviations(method.structure, method.scalars, method.rates, stream)
    u, _ = predict(method.structure, method.scalars, method.rates, stream)
    far = np.where(np.isnan(far), np.inf, far)
    step = int(np.argmax((far > 1).any(1)))
    entry = int(np.argmax(far[step]))
    size = max(abs(u[step, entry]), 1e-300)
    error = float(abs(stream.u[step, entry] - u[step, entry]) / size)
    return Deviation(step, stream.names[stream.leaf[entry]], error)
