"""The identity of a run: its data, its functions, and the numbers that determine its result.

The functions (model, loss, metrics, initializers) are compared by the hashes of their traced
programs (`program_hash.py`). Another version of JAX, or of the library of the model, may trace the
same function in another way: the hashes cannot be compared then, and a warning says so.
"""

import platform
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._core.describe import describe
from ..._core.dtypes import widen
from ..._core.extras import warn
from .._trees import by_path, checksum, kind_of, n_rows, shapes_of_rows, take_rows
from ..compiled.program import INIT_ROWS, Program
from ..compiled.sharding import on_host
from ..compiled.step import Carry
from ..loop.evaluation import BATCH_ROWS
from ..loop.run import Run
from ..loop.sources import checksum_of
from ..losses import LOSSES
from ..metrics import host_metric, in_order
from ..problem import Problem
from .notes import dict_of, is_anything, is_text, list_of
from .program_hash import hash_of, hash_of_code, hashes_of
from .restore import as_saved

PARTS = ("functions", "described", "versions", "weights", "first")
"""The parts of an identity that are compared in their own way. All else must be equal.

- `functions`: the hashes of the functions. `described`: words for them.
- `versions`: of the libraries that trace the functions.
- `weights`: checksums of the weights that the run may start from, if they were given: by `params=`,
  or by a model that has its own. A resumed run also starts from what it returned, as an nnx model
  does.
- `first`: a checksum of the first batch of an iterable. One that shuffles anew gives others.
"""

LIBRARIES = ("jax", "flax", "equinox", "optax")
"""The libraries whose versions decide how a function is traced. Python compiles what is not."""

LOSS, MODEL, METRIC, START = "loss", "the model", "the metric ", "the initial parameters"
OPTIMIZER = "the optimizer"
"""The names of the functions in an identity."""

ABSENT = "absent"

SETTINGS = ("jax_enable_x64", "jax_default_matmul_precision")
"""The settings of JAX that change how a function is traced."""

MOST = 6
"""The number of differences that an error names."""


def identity_of(run: Run, source: Any, seed: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity of a run of `lo.fit`: all that determines its numbers but the optimizer.

    The optimizer may change while a run is interrupted: its state is restored by name.

    **Arguments**

    - `given`: more arguments of `lo.fit` that determine its result.
    """
    program, names = run.program, ("data", "sample_weight")
    arrays = {**{name: getattr(source, name, None) for name in names}, "valid": run.valid}
    averages = [str(x) for x in describe(program.optimizer).walk() if x.name == "average_iterates"]
    return {
        "seed": int(seed),
        "steps": int(run.steps),
        "batch_size": program.batch_size,
        "accumulate": program.accumulate,
        "average": ", ".join(averages) or ABSENT,
        **given,
        **getattr(source, "kinds", {}),
        **dict(arrays_of(arrays)),
        **identity_of_problem(program.problem, run.carry, program.batch_size, run.valid),
        "first": checksum_of(getattr(source, "first", None)),
    }


def resumed_identity(
    where: str, now: Mapping[str, Any], notes: Mapping[str, Any], evaluations: Sequence[int]
) -> dict[str, Any]:
    """Return the identity of a run that resumes. It may be longer than the saved run.

    Weights at the start that are not the saved ones are added to them: the caller checks that they
    are those that the run returned.

    **Raises** `ValueError` for another run, or a shorter one.
    """
    before, done = notes["identity"], notes["step"]
    made = [line["step"] for line in notes["evaluations"] if line["step"] < done]
    same = {"steps": before.get("steps")}
    if now["steps"] > same["steps"] and made == [step for step in evaluations if step < done]:
        same["evaluations"] = before.get("evaluations")
    functions, weights = dict(now["functions"]), list(before["weights"])
    if now["weights"]:
        functions |= {x: before["functions"][x] for x in [START] if x in before["functions"]}
        weights += [x for x in now["weights"] if x not in weights]
    check_identity(where, {**now, **same, "functions": functions}, {**before, "weights": weights})
    if now["steps"] < before["steps"]:
        raise ValueError(
            f"steps={now['steps']} is less than the {before['steps']} steps of the run in "
            f"checkpoint={where!r}, of which {done} are done: a run can be continued to more "
            "steps, not to fewer. Give more steps, or another folder to start again."
        )
    return {**now, "functions": functions, "weights": weights}


def identity_of_problem(problem: Problem, carry: Carry, rows: int, valid: Any) -> dict[str, Any]:
    """Return the part of an identity that says what a problem computes and where it starts.

    **Arguments**

    - `carry`: the first carry of the problem.
    - `rows`: the number of examples in a batch.
    - `valid`: the validation data, or None.
    """
    parts = dict(zip(("params", "model_state"), problem.start, strict=True))
    state = {name: getattr(carry, name) for name in parts}
    kinds = {path: kind_of(x) for name in parts for path, x in by_path(state[name], name).items()}
    functions, weights = (
        _functions(problem, carry, rows, valid),
        weights_of(problem, *state.values()),
    )
    compared = functions, _described(problem), _versions(), [weights] if weights else []
    return {**kinds, **dict(zip(PARTS[:4], compared, strict=True))}


def weights_of(problem: Problem, params: Any, model_state: Any) -> str | None:
    """Return the numbers of those parts that a problem is given, or None if it is given none."""
    parts = dict(zip(("params", "model_state"), (params, model_state), strict=True))
    given = [x is not None for x in problem.start]
    own = {name: x for (name, x), is_given in zip(parts.items(), given, strict=True) if is_given}
    return numbers_of(own) if own else None


def identity_of_program(program: Program, carry: Carry, valid: Any) -> dict[str, Any]:
    """Return the identity of a problem and of the optimizer that must not change either.

    **Arguments** as for `identity_of_problem`.
    """
    identity = identity_of_problem(program.problem, carry, program.batch_size, valid)
    batch = jax.eval_shape(program.batch, carry)
    step = hash_of(program.compiled.step, carry, batch, None, program.hyperparams)
    functions = {**identity["functions"], OPTIMIZER: step}
    return {"batch_size": program.batch_size, **identity, "functions": functions}


def is_identity(x: Any) -> bool:
    """Whether a value that was read from a file is an identity."""
    texts, weights = dict_of(is_text), list_of(is_text)
    return (
        dict_of(is_anything)(x)
        and all(texts(x.get(part, {})) for part in PARTS[:3])
        and weights(x.get("weights", []))
    )


def _functions(problem: Problem, carry: Carry, rows: int, valid: Any) -> dict[str, str]:
    """Return the hashes of the functions of a problem by name."""
    functions, state = problem.functions, (carry.params, carry.model_state)
    batch = shapes_of_rows(problem.train, rows)
    training = jax.value_and_grad(functions.loss, has_aux=True)
    found = {LOSS: hash_of(training, *state, batch, carry.key)}
    if problem.per_example is not None and functions.predict is not None:
        prediction = jax.eval_shape(functions.predict, *state, batch[0])
        own = hash_of(_with_gradient(problem.per_example), prediction, batch[1])
        found = {LOSS: own, MODEL: found[LOSS]}
    if valid is not None:
        some = shapes_of_rows(valid, min(BATCH_ROWS, n_rows(valid)))
        evaluation = hashes_of(functions.examples, *state, some)
        found |= {METRIC + path[2:-2]: x for path, x in evaluation.items()}
        found |= {
            METRIC + name: _hash_of_metric(problem, f, state, valid) for name, f in problem.metrics
        }
    if functions.init is not None and any(part is None for part in problem.start):
        found[START] = _hash_of_init(problem, functions.init, carry)
    return found


def check_identity(
    where: str, now: Mapping[str, Any], before: Mapping[str, Any], what: str = "run"
) -> None:
    """Raise `ValueError` that says how a saved run differs from this one.

    **Warns** if their functions cannot be compared.
    """
    if words := difference(now, before):
        raise ValueError(
            f"checkpoint={where!r} holds another {what}: {words}. Nothing was changed in it. Pass "
            f"the arguments of the saved {what}, or give another folder to start again."
        )
    versions = _changed(now, before, "versions")
    if versions and _changed(now, before, "functions"):
        warn(
            f"checkpoint={where!r}: {_in_words(versions)}, so the functions of this {what} "
            "cannot be compared with the saved ones. Make sure that the model, the loss and the "
            "metrics are the same."
        )


def difference(now: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    """Return in words how two identities differ, or None."""
    if plain := _changed(now, before):
        return _in_words(plain)
    functions = _changed(now, before, "functions")
    described = _changed(now, before, "described") if functions else {}
    is_comparable = not _changed(now, before, "versions")
    if LOSS not in functions or not (is_comparable or {*described.get(LOSS, ())} <= LOSSES.keys()):
        described.pop(LOSS, None)
    metrics = [", ".join(_metrics_in(x)) or ABSENT for x in (now, before)]
    words = [_in_words(described)] if described else []
    if is_comparable and not described:
        words = _blamed({name: pair for name, pair in functions.items() if ABSENT not in pair})
    words += [f"metrics are {metrics[0]}, were {metrics[1]}"] if metrics[0] != metrics[1] else []
    weights = [x.get("weights", []) for x in (now, before)]
    is_made = not weights[0] and (not weights[1] or START in before.get("functions", {}))
    if not is_made and not {*weights[0]} & {*weights[1]}:
        numbers = [", ".join(x[:1]) or "those of init" for x in weights]
        words += [f"the weights at the start are {numbers[0]}, were {numbers[1]}"]
    return ", ".join(words) or None


def _blamed(functions: Mapping[str, Any]) -> list[str]:
    """Return which functions differ. All metrics differ with the model that they evaluate."""
    if found := [name for name in (LOSS, MODEL) if name in functions][:1]:
        pass
    elif METRIC + LOSS in functions:
        found = ["the evaluation"]
    else:
        found = [name for name in functions if name != START]
    words = [f"{name} is another function than it was" for name in found]
    return words + [f"{name} are computed in another way" for name in functions if name == START]


def _changed(now: Any, before: Any, part: str = "") -> dict[str, tuple[Any, Any]]:
    """Return what differs in a part of two identities, or outside of the parts, by name."""
    one, other = ({**x.get(part, {})} if part else _plain(x) for x in (now, before))
    if part == "versions":  # a library that one of them has not imported traces none of its models
        one, other = _common(one, other), _common(other, one)
    names = {**one, **other}
    pairs = {name: (one.get(name, ABSENT), other.get(name, ABSENT)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _plain(identity: Mapping[str, Any]) -> dict[str, Any]:
    return {name: x for name, x in identity.items() if name not in PARTS}


def _common(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {name: x for name, x in one.items() if name in other}


def _in_words(changed: Mapping[str, tuple[Any, Any]]) -> str:
    words = [f"{name} is {now}, was {before}" for name, (now, before) in changed.items()]
    more = f" and {len(words) - MOST} more" if len(words) > MOST else ""
    return ", ".join(words[:MOST]) + more


def _metrics_in(identity: Mapping[str, Any]) -> list[str]:
    names = [x for x in identity.get("functions", {}) if x.startswith(METRIC)]
    return sorted(name[len(METRIC) :] for name in names if name != METRIC + LOSS)


def arrays_of(trees: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the kind of every array and a checksum: another split gives other examples."""
    for name, tree in trees.items():
        for path, x in by_path(tree, name).items():
            if hasattr(x, "dtype"):
                yield path, f"{kind_of(x)} #{checksum(x):08x}"


def numbers_of(tree: Any) -> str:
    """Return the number of arrays and entries of a tree, and a checksum over all of them."""
    leaves = by_path(on_host(jax.tree.map(as_saved, tree)))
    lines = [f"{path} {kind_of(x)} {checksum(np.asarray(x)):08x}" for path, x in leaves.items()]
    size = sum(x.size for x in leaves.values())
    return f"{size:,} in {len(leaves)} arrays #{zlib.crc32(str(lines).encode()):08x}"


def _hash_of_metric(problem: Problem, function: Any, state: Any, valid: Any) -> str:
    """Return the hash of a metric of all examples at once."""
    if host_metric(function) is not None:
        return hash_of_code(function)
    params, model_state = state
    predict = problem.functions.predict
    try:
        if problem.per_example is None or predict is None:
            return hash_of(function, params, valid)
        prediction = jax.eval_shape(predict, params, model_state, valid[0])
        return hash_of(lambda p, y: in_order(function)(widen(p), y), prediction, valid[1])
    except Exception:  # a function on the host may raise anything
        return hash_of_code(function)


def _hash_of_init(problem: Problem, init: Callable[..., Any], carry: Carry) -> str:
    """Return the hash of those results of `init` that are used.

    An `init` that JAX cannot trace is represented by its numbers.
    """
    used = tuple(f"[{i}]" for i, part in enumerate(problem.start) if part is None)
    try:
        results = hashes_of(init, carry.key, take_rows(problem.train, slice(INIT_ROWS)))
    except Exception:  # a function on the host may raise anything
        return numbers_of((carry.params, carry.model_state))
    return str({path: x for path, x in results.items() if path.startswith(used)})


def _with_gradient(loss: Callable[..., Any]) -> Callable[..., Any]:
    def function(prediction, target):
        value, pull = jax.vjp(lambda x: loss(widen(x), target), prediction)
        return value, pull(jax.tree.map(jnp.ones_like, value))

    return function


def _described(problem: Problem) -> dict[str, str]:
    """Return what has a name, to say how functions differ: it is not compared by itself."""
    loss = problem.per_example
    names = {f: name for name, f in LOSSES.items()}
    found = {} if loss is None else {LOSS: names.get(loss, f"your {_name(loss)}")}
    return {**found, "dtype": str(problem.dtype)} | {
        x: str(getattr(jax.config, x)) for x in SETTINGS
    }


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _versions() -> dict[str, str]:
    imported = (sys.modules.get(name) for name in LIBRARIES)
    versions = {x.__name__: x.__version__ for x in imported if x is not None}
    return {"python": platform.python_version().rpartition(".")[0], **versions}
