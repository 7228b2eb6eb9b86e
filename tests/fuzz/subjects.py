"""Every public callable with a small valid call, made of a table of valid arguments by name."""

import functools
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

import lecture_optax as lo
from lecture_optax._core.types import Transformation
from lecture_optax.training import Problem, problems

X = np.linspace(-1, 1, 32, dtype=np.float32).reshape(16, 2)
Y = X[:, :1].copy()
PARAMS = {"b": jnp.ones(()), "w": jnp.array([[1.0, -2.0]])}
GRADIENT = {"b": jnp.float32(0.5), "w": jnp.array([[0.0, 3.0]])}
STATE = lo.adam(0.1).init(PARAMS)
VALUE = {"value": jnp.float32(1.0), "value_fn": lambda p: p["b"] ** 2 + (p["w"] ** 2).sum()}


def users_init(key):
    return jnp.zeros((2, 1))


def users_loss(params, batch):
    return ((batch[0] @ params - batch[1]) ** 2).sum(1)


def users_predict(params, x):
    return x @ params


VALID = X[12:], Y[12:]
PROBLEM = Problem.from_functions(
    init=users_init, loss=users_loss, train=(X[:12], Y[:12]), valid=VALID, predict=users_predict
)
ADAM = lo.adam(0.1)
MODEL = nn.Dense(1)


@functools.cache
def fitted_model():
    settings = {"steps": 3, "batch_size": 4, "evaluations": 1, "progress": False}
    return lo.fit(MODEL, (X[:12], Y[:12]), loss="mse", tx=ADAM, **settings)


@functools.cache
def fitted():
    return lo.fit(PROBLEM, tx=ADAM, steps=3, batch_size=4, evaluations=1, progress=False)


@functools.cache
def program():
    return lo.training.Program.of(PROBLEM, ADAM, batch_size=4)


@functools.cache
def carry():
    return program().init()


@functools.cache
def searched():
    return lo.recipe.run(PROBLEM, steps=8, batch_size=4, budget=1, progress=False)


@functools.cache
def swept():
    grid = {"optimizers": ["adam"], "schedules": ["constant"], "rates": [0.1]}
    return lo.recipe.sweep(PROBLEM, **grid, steps=3, batch_size=4, evaluations=1, progress=False)


@functools.cache
def nnx_model():
    from flax import nnx

    return nnx.Linear(2, 1, rngs=nnx.Rngs(0))


@functools.cache
def equinox_module():
    import equinox as eqx

    return eqx.nn.Linear(2, 1, key=jax.random.key(0))


NAMED: Mapping[str, Callable[[], Any]] = {
    "learning_rate": lambda: 0.1,
    "decay": lambda: 0.5,
    "init_value": lambda: 0.1,
    "peak_value": lambda: 0.1,
    "total_steps": lambda: 10,
    "period": lambda: 4,
    "decay_rate": lambda: 0.5,
    "condition_number": lambda: 10.0,
    "smoothness": lambda: 2.0,
    "strong_convexity": lambda: 1.0,
    "warmup_steps": lambda: 2,
    "boundaries": lambda: [2],
    "factor": lambda: 0.5,
    "schedule": lambda: lo.schedules.constant(0.1),
    "schedules": lambda: [lo.schedules.constant(0.1), lo.schedules.linear(0.1, 3)],
    "velocity": optax.identity,
    "by": lambda: lo.sum_of_squares(),
    "state": lambda: STATE,
    "params": lambda: PARAMS,
    "init_fn": lambda: optax.identity().init,
    "update_fn": lambda: optax.identity().update,
    "transformations": lambda: (ADAM,),
    "tx": lambda: ADAM,
    "per_example_loss": lambda: lambda params, batch: params * batch,
    "steps": lambda: 3,
    "batch_size": lambda: 4,
    "seed": lambda: 0,
    "progress": lambda: False,
    "evaluations": lambda: 1,
    "model": lambda: PROBLEM,
    "problem": lambda: PROBLEM,
    "loss": lambda: "mse",
    "train": lambda: (X, Y),
    "monitor": lambda: "valid_loss",
    "target": lambda: 0.5,
    "act": lambda: lambda record: None,
    "curves": lambda: 0.9 ** np.arange(40),
    "rates": lambda: [0.1],
    "curvature": lambda: 1.0,
    "method": lambda: lo.sgd(0.5),
    "n": lambda: 2,
    "x": lambda: X,
    "data": lambda: (X, Y),
    "measured": lambda: 1.0,
    "predicted": lambda: 1.0,
}
"""A valid value of an argument, by its name; arguments with a default are left out otherwise."""

OF = {
    "lo.fit": {"tx": lambda: ADAM, "loss": None, "params": None, "data": None},
    "lo.lab": {"optimizers": lambda: (ADAM,)},
    "lo.precondition": {},
    "lo.averaged": {
        "state": lambda: lo.average_iterates().init(PARAMS),
    },
    "lo.lookahead_readout": {
        "tx": lambda: lo.chain(lo.nesterov_trace(0.5), lo.scale_by_learning_rate(0.1)),
        "state": lambda: lo.chain(lo.nesterov_trace(0.5), lo.scale_by_learning_rate(0.1)).init(
            PARAMS
        ),
    },
    "lo.block": {
        "init_fn": lambda: optax.with_extra_args_support(optax.identity()).init,
        "update_fn": lambda: optax.with_extra_args_support(optax.identity()).update,
    },
    "lo.described": {"factory": lambda: lambda: optax.with_extra_args_support(optax.identity())},
    "lo.schedules.wsd": {"total_steps": lambda: 10},
    "lo.schedules.plot": {},
    "lo.training.callbacks.stop_at": {},
    "lo.training.Problem.from_linen": {"module": lambda: MODEL, "params": None},
    "lo.training.Problem.from_nnx": {"model": nnx_model, "params": None},
    "lo.training.Problem.from_equinox": {"model": equinox_module, "params": None},
    "lo.training.Problem.from_functions": {
        "init": lambda: users_init,
        "loss": lambda: users_loss,
        "params": None,
    },
    "lo.training.Program.init": {},
    "lo.training.Program.step": {"carry": carry, "batch": lambda: (X[:4], Y[:4])},
    "lo.training.Program.batch": {"carry": carry},
    "lo.training.Program.export": {"carry": carry},
    "lo.recipe.run": {
        "budget": lambda: 1,
        "steps": lambda: 8,
        "seed": lambda: 0,
        "loss": None,
        "data": None,
    },
    "lo.recipe.sweep": {
        "optimizers": lambda: ["adam"],
        "schedules": lambda: ["constant"],
        "loss": None,
        "data": None,
    },
    "lo.recipe.RayExecutor": {
        "resources_per_arm": lambda: {"GPU": 1},
        "runtime_env": lambda: {"env_vars": {}},
    },
    "lo.recipe.fork": {"state": fitted, "loss": None, "data": None},
    "lo.theory.curvature_gauge": {
        "loss": lambda: VALUE["value_fn"],
        "tx": lambda: lo.sgd(0.1),
        "state": lambda: lo.sgd(0.1).init(PARAMS),
    },
    "lo.theory.CurvatureWatch": {"loss": lambda: VALUE["value_fn"]},
    "lo.theory.run": {"only": lambda: "rotations"},
    "lo.theory.statement": {
        "name": lambda: "a-name",
        "claim": lambda: "A claim.",
        "slide": lambda: "",
        "source": lambda: "ours",
    },
    "lo.theory.response": {"tx": lambda: lo.sgd(0.1), "steps": lambda: 3},
    "lo.theory.step_matrix": {"tx": lambda: lo.sgd(0.1)},
    "lo.theory.contraction": {"tx": lambda: lo.sgd(0.1)},
    "lo.theory.iteration_matrix": {"tx": lambda: lo.sgd(0.1)},
    "lo.theory.stability_edge": {"tx": lambda: lo.sgd(0.1)},
    "lo.theory.largest_stable_curvature": {"tx": lambda: lo.sgd(0.1)},
    "lo.theory.stationary_variance": {"tx": lambda: lo.sgd(0.1)},
    "lo.theory.worst_case": {"certify": lambda: False, "n": lambda: 2},
    "lo.theory.identify": {
        "gradients": lambda: np.linspace(-1, 1, 12).reshape(4, 3),
        "updates": lambda: np.linspace(-1, 1, 12).reshape(4, 3) / -4,
        "params": lambda: None,
    },
    "lo.theory.Identification": {"name": lambda: None, "chain": lambda: ""},
    "lo.theory.lower_bound": {"n": lambda: 2},
    "lo.testing.certify": {"make": lambda: lo.sgd, "sections": lambda: ["first_step"]},
    "lo.testing.check": {
        "make": lambda: lo.sgd,
        "hyperparameters": lambda: {"learning_rate": (0.1, "[0, inf)")},
        "laws": lambda: ["a_step_is_pure"],
    },
    "lo.training.problems.problem_named": {"problem": lambda: "softmax"},
    "lo.training.problems.patches": {"x": lambda: np.ones((1, 4, 4, 1))},
}
"""What differs for one callable; None leaves an argument out."""

ALSO = {
    "lo.training.Program": program,
    "lo.training.Result": fitted_model,
    "lo.recipe.Result": searched,
    "lo.recipe.SweepResult": swept,
}
"""Objects whose methods are called too."""

RECORDS = {
    "lo.schedules.Schedule": "built by the factories of schedules",
    "lo.training.Carry": "a record of arrays",
    "lo.training.Event": "a record that hooks receive",
    "lo.training.History": "a record of a run",
    "lo.training.NonFiniteError": "raised, not built",
    "lo.training.Problem": "built by from_linen, from_nnx, from_equinox and from_functions",
    "lo.training.Program": "built by of",
    "lo.training.Record": "a record of arrays",
    "lo.training.Result": "returned by fit",
    "lo.training.Run": "a record of a run",
    "lo.training.problems.BuiltIn": "a record of the library",
    "lo.recipe.Arm": "a record of a search",
    "lo.recipe.ArmRecord": "a record of a search",
    "lo.recipe.Diagnosis": "returned by diagnose",
    "lo.recipe.Explanation": "a record of a search",
    "lo.recipe.Fork": "returned by fork",
    "lo.recipe.Result": "returned by run",
    "lo.recipe.Row": "a record of a sweep",
    "lo.recipe.SweepResult": "returned by sweep",
    "lo.theory.Gauge": "returned by curvature_gauge",
    "lo.theory.Statement": "built by statement",
    "lo.testing.Certificate": "returned by certify",
    "lo.testing.Law": "built by the library",
    "lo.testing.Subject": "built by check",
    "lo.testing.Hyperparameter": "a record",
}
"""Classes that the library builds, not a user."""


class Subject(NamedTuple):
    """A callable, the name under which a user calls it, and a small valid call of it."""

    name: str
    function: Callable[..., Any]
    valid: Mapping[str, Callable[[], Any]]
    names: frozenset[str]
    trains: bool = False

    @property
    def parameters(self) -> list[inspect.Parameter]:
        return list(inspect.signature(self.function).parameters.values())

    def call(self, **replaced: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call: the positional ones as they stand in the signature."""
        given = {name: make() for name, make in self.valid.items()} | replaced
        args: list[Any] = []
        parameters = inspect.signature(self.function).parameters
        for i, p in enumerate(parameters.values()):
            if p.kind is p.VAR_POSITIONAL and p.name in given:
                args += [given.pop(name) for name in list(parameters)[:i] if name in given]
                several = given.pop(p.name)
                args += several if isinstance(several, tuple) else (several,)
            elif p.kind is p.POSITIONAL_ONLY:
                args.append(given.pop(p.name))
        return tuple(args), given


class NoValidCall(LookupError):
    """The tables have no valid value for a required argument of a public callable."""


def subjects() -> Iterator[Subject]:
    for name, function in public_callables():
        yield _subject(name, function)
        if inspect.signature(function).return_annotation is Transformation:
            yield from _steps(name, function)


def public_callables() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every public function, constructor and method by the name that a user types."""
    seen: set[int] = set()
    modules = {
        "lo": lo,
        "lo.schedules": lo.schedules,
        "lo.training": lo.training,
        "lo.training.callbacks": lo.training.callbacks,
        "lo.training.problems": problems,
        "lo.recipe": lo.recipe,
        "lo.theory": lo.theory,
        "lo.testing": lo.testing,
    }
    for prefix, module in modules.items():
        for word in dir(module):
            value, name = getattr(module, word), f"{prefix}.{word}"
            foreign = isinstance(value, types.ModuleType) or not callable(value)
            if word[0] == "_" or foreign or id(value) in seen or not _is_ours(value):
                continue
            if prefix.endswith(("callbacks", "problems")) and value.__module__ != module.__name__:
                continue
            seen.add(id(value))
            if not isinstance(value, type):
                yield name, value
                continue
            if name not in RECORDS:
                yield name, value
            statics = [
                n for n, x in vars(value).items() if isinstance(x, staticmethod) and n[0] != "_"
            ]
            yield from ((f"{name}.{n}", getattr(value, n)) for n in statics)
            if name in ALSO:
                for n, method in inspect.getmembers(ALSO[name](), inspect.ismethod):
                    if n[0] != "_" and id(method.__func__) not in seen:
                        seen.add(id(method.__func__))
                        yield f"{name}.{n}", method


def _is_ours(value: Any) -> bool:
    return getattr(value, "__module__", "").startswith("lecture_optax")


def _subject(name: str, function: Callable[..., Any]) -> Subject:
    signature, own = inspect.signature(function), OF.get(name, {})
    valid: dict[str, Callable[[], Any]] = {}
    for p in signature.parameters.values():
        if p.name in own:
            if own[p.name] is not None:
                valid[p.name] = own[p.name]
        elif p.kind is p.VAR_KEYWORD or (p.kind is p.VAR_POSITIONAL and p.name not in NAMED):
            continue
        elif p.default is p.empty or name in SMALL:
            if p.name in NAMED:
                valid[p.name] = NAMED[p.name]
            elif p.default is p.empty:
                raise NoValidCall(f"{name}({p.name}=...): add a valid value to NAMED or OF.")
    valid |= {k: v for k, v in own.items() if v is not None and k not in valid}
    names = frozenset(
        {*signature.parameters, name.rpartition(".")[2], f"{name.rpartition('.')[2]}.__init__"}
    )
    return Subject(name, function, valid, names, name in TRAINS)


SMALL = {"lo.fit", "lo.recipe.run", "lo.recipe.sweep", "lo.recipe.fork", "lo.training.Program.of"}
TRAINS = {
    "lo.theory.run",
    "lo.theory.worst_case",
    "lo.recipe.Result.report",
    "lo.fit",
    "lo.recipe.run",
    "lo.recipe.sweep",
    "lo.recipe.fork",
    "lo.testing.certify",
    "lo.testing.check",
    "lo.training.Problem.from_functions",
    "lo.training.Problem.from_linen",
    "lo.training.Problem.from_nnx",
    "lo.training.Problem.from_equinox",
}


def _steps(name: str, function: Callable[..., Any]) -> Iterator[Subject]:
    """Yield init and update of the transformation that a factory builds."""
    args, kwargs = _subject(name, function).call()
    tx = function(*args, **kwargs)
    state = tx.init(PARAMS)
    valid = {
        "updates": lambda: GRADIENT,
        "state": lambda: state,
        "params": lambda: PARAMS,
        **{k: (lambda v=v: v) for k, v in VALUE.items()},
    }
    names = frozenset({"updates", "gradient", "state", "params", "value", "value_fn"})
    shown = f"{name}({', '.join(kwargs)})"

    def init(params):
        return tx.init(params)

    def update(updates, state, params, value, value_fn):
        return tx.update(updates, state, params, value=value, value_fn=value_fn)[0]

    yield Subject(f"{shown}.init", init, {"params": valid["params"]}, names)
    yield Subject(f"{shown}.update", update, valid, names)


def use(result: Any) -> Any:
    """Do with a result what a user does next."""
    if isinstance(result, optax.GradientTransformation):
        tx = optax.with_extra_args_support(result)
        state = tx.init(PARAMS)
        update, state = tx.update(GRADIENT, state, PARAMS, **VALUE)
        return update
    if isinstance(result, lo.schedules.Schedule):
        return [result(k) for k in (0, 1, 5)]
    if isinstance(result, Problem) and not _is_built_in(result):
        return lo.fit(result, tx=ADAM, steps=2, batch_size=4, progress=False).params
    if isinstance(result, lo.recipe.Diagnosis | lo.recipe.Fork):
        return str(result)
    if isinstance(result, lo.training.Result | lo.recipe.Result):
        return result.params
    if inspect.isfunction(result):
        names = list(inspect.signature(result).parameters)
        if names == ["record"]:
            return result({"step": 1, "history": fitted().history})
        if names[:2] == ["params", "batch"]:
            return result(2.0, jnp.ones(3))
        if not names or names == ["args", "kwargs"]:
            made = result()
            return use(made) if isinstance(made, optax.GradientTransformation) else made
    return result


def _is_built_in(problem: Problem) -> bool:
    return any(np.shape(x)[:1] > (len(X),) for x in jax.tree.leaves(problem.train)[:1])
