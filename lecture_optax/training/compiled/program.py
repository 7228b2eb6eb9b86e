"""The compiled step of a problem and an optimizer, alone and in chunks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.extend.core import ClosedJaxpr, Jaxpr
from jax.sharding import Mesh, PartitionSpec, Sharding

from ..._core import validate
from ..._core.block import refuse_leaves_without_gradient
from ..._core.describe import describe
from ..._core.dtypes import default_float
from ..._core.validate import in_words
from .._cached import cached
from .._trees import check_same_tree, is_stream, n_rows, strong, strong_copies, take_rows
from ..adapters.model import Functions
from ..checks.arguments import check_mesh, check_optimizer_arguments, check_seed
from ..checks.optimizer import start_optimizer
from ..problem import Problem
from .processes import Processes
from .row_order import batch_rows
from .settings import on_automatic_axes, own_placement, specs_of, to_the_context
from .sharding import (
    automatic,
    home_of,
    mesh_in,
    place,
    shard_batch,
    shardings_of_state,
    with_automatic_axes,
)
from .step import Carry, Record, keys_of, step_of

CHUNK = 1024
"""The most steps in one call of the compiled loop, whose records are kept on the device."""

INIT_ROWS = 64
"""The examples that the model's `init` sees, for their shapes."""

COLUMNS = ("loss", "grad_norm", "update_norm", "update_ratio", "learning_rate", "finite")

NORMS = ("grad_norm", "update_norm", "update_ratio")
"""The columns that cost a pass over all parameters each."""

UNKNOWN = -1.0
"""What a table has for norms that were not computed, and for an optimizer without a learning rate;
`jax_debug_nans` forbids NaN."""


class Compiled(NamedTuple):
    """The jitted functions of a program; the same ones for the same arguments.

    - `build`: `hyperparams -> optimizer`; a function of keywords, not jitted.
    - `start`: `(params, hyperparams) -> opt_state`.
    - `step`: `(carry, batch, sample_weight, hyperparams) -> (carry, record)`; pure, not jitted.
    - `take`: `(data, key, step) -> batch`; pure, not jitted.
    - `chunk`: `(carry, data, sample_weight, hyperparams, steps) -> progress`, up to `steps` steps.
    - `once`: `(carry, table, i, data, sample_weight, hyperparams) -> progress`, one step.
    - `given`: the same, on one batch and its weights in place of all the data.
    - `record`: `(carry, data, sample_weight, hyperparams) -> (row, leaf_ratios)` of the next step,
      which is not taken; `record_given` on one batch.

    Progress is (carry, table of records, finite, leaf_ratios of the last step). All three donate
    the carry. With `norms=False` they record the learning rate and the loss, and of `finite` the
    loss alone.
    """

    build: Callable[..., Any]
    start: Callable[..., Any]
    step: Callable[..., Any]
    take: Callable[..., Any]
    chunk: jax.stages.Wrapped
    once: Callable[..., Any]
    given: Callable[..., Any]
    record: Callable[..., Any]
    record_given: Callable[..., Any]


@dataclass(frozen=True)
class Program:
    """The pure step of a problem and an optimizer, and what your own loop needs around it.

    The step is `(carry, batch) -> (carry, record)`, as `jax.lax.scan` takes it.

    With linen (nnx, Equinox and plain functions differ in the first line only):

    ```python
    >>> import flax.linen as nn, jax, jax.numpy as jnp, lecture_optax as lo
    >>> from lecture_optax.training import Problem, Program
    >>> x = jnp.linspace(-1, 1, 64)[:, None]
    >>> problem = Problem.from_linen(nn.Dense(1), (x, 3 * x), loss="mse")
    >>> program = Program.of(problem, lo.sgd(0.1), batch_size=16)
    >>> def body(carry, _):
    ...     return program.step(carry, program.batch(carry))
    >>> carry, record = jax.jit(lambda c: jax.lax.scan(body, c, length=200))(program.init(seed=0))
    >>> model = program.export(carry)  # bound: model(x)
    >>> bool(record.loss[-1] < 1e-4)
    True

    ```

    nnx: `Problem.from_nnx(model, (x, y), loss="mse")`; `export` updates `model` and returns it.

    ```python
    >>> from flax import nnx
    >>> model = nnx.Linear(1, 1, rngs=nnx.Rngs(0))
    >>> program = Program.of(Problem.from_nnx(model, (x, 3 * x), loss="mse"), lo.sgd(0.1))
    >>> carry, record = program.step(program.init(seed=0), (x, 3 * x))
    >>> program.export(carry) is model
    True

    ```

    Equinox: `Problem.from_equinox(module, (x, y), loss="mse")`; `export` returns a new module.

    ```python
    >>> import equinox as eqx
    >>> module = eqx.nn.Linear(1, 1, key=jax.random.key(0))
    >>> problem = Problem.from_equinox(module, (x, 3 * x), loss="mse")
    >>> program = Program.of(problem, lo.sgd(0.1))
    >>> carry, record = program.step(program.init(seed=0), (x, 3 * x))
    >>> type(program.export(carry)).__name__
    'Linear'

    ```

    Plain functions: `Problem.from_functions(init=, loss=, train=)`; `carry.params` is the result.

    ```python
    >>> problem = Problem.from_functions(
    ...     init=lambda key: jnp.zeros(1),
    ...     loss=lambda θ, batch: (batch["x"] @ θ - batch["y"]) ** 2,
    ...     train={"x": x, "y": 3 * x[:, 0]},
    ... )
    >>> program = Program.of(problem, lo.sgd(0.1))
    >>> carry, record = program.step(program.init(seed=0), problem.train)

    ```
    """

    problem: Problem
    compiled: Compiled = field(repr=False)
    batch_size: int
    accumulate: int
    hyperparams: Any = field(default_factory=dict)
    optimizer: Any = None
    home: Sharding | None = None

    @staticmethod
    @own_placement()
    def of(
        problem: Problem,
        tx: Any,
        *,
        batch_size: int | None = None,
        accumulate: int = 1,
        hyperparams: Mapping[str, Any] | None = None,
        mesh: Mesh | None = None,
    ) -> "Program":
        """Return the program of a problem and an optimizer.

        **Arguments**

        - `tx`: a gradient transformation; or, with `hyperparams`, a function that builds it:
          `tx(**hyperparams)`. The numbers are then data, and one program serves all of them.
        - `batch_size`: the examples in a batch, by default min(64, all).
        - `accumulate`: the number of batches that make one update, with the gradient of all.
        - `mesh`: the devices that share a batch, along all axes of the mesh. By default those of
          `jax.set_mesh`, or those that hold the data or the given parameters.

        **Raises** `ValueError` where the devices of `mesh` do not divide a batch equally, and
        `TypeError` for a problem on an iterable.
        """
        validate.instance(
            Problem, "Build one by Problem.from_linen, from_nnx, ...", problem=problem
        )
        check_optimizer_arguments(tx, hyperparams, None)
        if hyperparams is None:
            validate.transformation(tx=tx)
        if is_stream(problem.train):
            raise TypeError(
                f"train must be arrays, got an iterable of batches "
                f"({type(problem.train).__name__}), which only lo.fit takes. In your own loop, "
                "build the problem on a first batch, and call program.step(carry, batch)."
            )
        optimizer = tx if hyperparams is None else tx(**hyperparams)
        describe(optimizer)  # refuses what is not a transformation
        build = _given(tx) if hyperparams is None else tx
        size = default_batch_size(n_rows(problem.train)) if batch_size is None else batch_size
        validate.steps(of="examples", batch_size=size)
        validate.steps(of="batches", accumulate=accumulate)
        check_mesh(mesh)
        train, start = with_automatic_axes((problem.train, problem.start))
        problem = replace(problem, train=train, start=start)
        given = {"data": train, "params": start[0], "the model's state": start[1]}
        home = home_of(given, mesh)
        shares = _shares(
            None if mesh is None else automatic(mesh), mesh_in(home), size * accumulate
        )
        compiled = compile_of(problem.functions, build, size, accumulate, shares)
        numbers = jax.tree.map(strong, dict(hyperparams or {}))
        return Program(problem, compiled, size, accumulate, numbers, optimizer, home)

    @property
    def mesh(self) -> Mesh | None:
        """The devices that hold the arrays, if they are several."""
        return mesh_in(self.home)

    @property
    def processes(self) -> Processes:
        """The processes that own those devices."""
        return Processes(self.mesh)

    def init(self, seed: int = 0) -> Carry:
        """Return the first carry. The model's `init` is called with `jax.random.key(seed)`."""
        with own_placement():
            carry = self._first(seed)
        return to_the_context(carry)

    def _first(self, seed: int) -> Carry:
        check_seed(seed=seed)
        key, (params, model_state) = jax.random.key(seed), self.problem.start
        init = self.problem.functions.init
        if params is None or model_state is None:
            assert init is not None  # a problem without init has a start
            first = init(key, take_rows(self.problem.train, slice(INIT_ROWS)))
            if params is not None:
                self._check_given(params, first[0], first[1], key)
            params = first[0] if params is None else params
            model_state = first[1] if model_state is None else model_state
        given = self.problem.start[0] is not None
        refuse_leaves_without_gradient(params, "params" if given else "what init returns, params")
        copies = strong_copies(params), jax.tree.map(jnp.array, model_state)
        params, model_state = place(copies, self.home)
        opt_state = start_optimizer(partial(first_opt_state, self), params, self.hyperparams)
        carry = Carry(params, model_state, opt_state, key, jnp.zeros((), jnp.int32))
        return place(carry, self.home)

    def _check_given(self, params: Any, own: Any, state: Any, key: Any) -> None:
        """Refuse parameters of another tree than the model's own, unless functions take them."""
        try:
            check_same_tree(own, params)
        except ValueError as error:
            if self.problem.per_example is not None:
                raise
            batch = take_rows(self.problem.train, slice(INIT_ROWS))
            try:
                jax.eval_shape(self.problem.loss, params, state, batch, key)
            except Exception:
                raise error from None

    def __reduce__(self) -> tuple[Callable, tuple]:  # arrays are pickled without their devices
        parts = self.problem, self.compiled.build, self.batch_size, self.accumulate
        return _program_again, (*parts, self.hyperparams, self.optimizer)

    def step(self, carry: Carry, batch: Any) -> tuple[Carry, Record]:
        """Take one step on `batch`: pure, for `jax.jit`, `jax.lax.scan` or `jax.vmap`.

        The optimizer receives the conjugate of JAX's gradient, for complex parameters: that is the
        direction in which the loss increases most.
        """
        _check_carry(carry)
        if jax.tree.structure(batch) != (own := jax.tree.structure(self.problem.train)):
            raise TypeError(
                f"batch must be a part of the training data, a tree like {own}, got "
                f"{jax.tree.structure(batch)}."
            )
        own, theirs = ([*map(_kind, jax.tree.leaves(x))] for x in (self.problem.train, batch))
        if own != theirs:
            raise ValueError(
                f"batch must be a part of the training data, with arrays of {in_words(own)}, got "
                f"{in_words(theirs)}."
            )
        step = on_automatic_axes(self.compiled.step, (specs_of(carry), PartitionSpec()))
        return step(carry, batch, None, self.hyperparams)

    def batch(self, carry: Carry) -> Any:
        """Return the batch of the next step."""
        _check_carry(carry)
        shares = _shares(None, self.mesh, self.batch_size * self.accumulate)
        spec = PartitionSpec(None if shares is None else shares.axis_names)
        take = on_automatic_axes(self.compiled.take, spec)
        return take(self.problem.train, carry.key, carry.step)

    def export(self, carry: Carry) -> Any:
        """Return the model with the parameters and the state of `carry`."""
        _check_carry(carry)
        return self.problem.export(carry.params, carry.model_state)


def first_opt_state(program: Program, params: Any, hyperparams: Mapping[str, Any]) -> Any:
    """Return the first optimizer state; on a mesh, it is divided as the parameters are."""
    start = program.compiled.start
    if program.home is None or program.mesh is None:
        return start(params, hyperparams)
    own = shardings_of_state(jax.eval_shape(start, params, hyperparams), params, program.home)
    return jax.jit(start, out_shardings=own)(params, hyperparams)


def _program_again(
    problem: Problem, build: Any, size: int, accumulate: int, hyperparams: Any, optimizer: Any
) -> Program:
    compiled = compile_of(problem.functions, build, size, accumulate, None)
    return Program(problem, compiled, size, accumulate, hyperparams, optimizer)


def _check_carry(carry: Any) -> None:
    validate.instance(Carry, "program.init() returns the first one.", carry=carry)


@cached
def compile_of(
    functions: Functions,
    build: Callable[..., Any],
    batch_size: int,
    accumulate: int,
    mesh: Mesh | None,
) -> Compiled:
    """Return the compiled functions of a loss and an optimizer, built once for each."""

    def step(carry, batch, sample_weight, hyperparams):
        own = step_of(functions.loss, build(**hyperparams), accumulate)
        return own(carry, batch, sample_weight)

    def take(data, key, step):
        chosen = batch_rows(keys_of(key)[0], step, n_rows(data), batch_size * accumulate)
        return shard_batch(jax.tree.map(lambda x: jnp.asarray(x)[chosen], data), mesh)

    def given(carry, table, i, batch, sample_weight, hyperparams, norms=True):
        carry, record = step(carry, shard_batch(batch, mesh), sample_weight, hyperparams)
        record = record if norms else _without_norms(record)
        table = jax.lax.dynamic_update_index_in_dim(table, _row(record), i, 0)
        return carry, table, record.finite, record.leaf_ratios

    def once(carry, table, i, data, sample_weight, hyperparams, norms=True):
        batch, own = take((data, sample_weight), carry.key, carry.step)
        return given(carry, table, i, batch, own, hyperparams, norms)

    def record_given(carry, batch, sample_weight, hyperparams):
        record = step(carry, shard_batch(batch, mesh), sample_weight, hyperparams)[1]
        return _row(record), record.leaf_ratios

    def record(carry, data, sample_weight, hyperparams):
        batch, own = take((data, sample_weight), carry.key, carry.step)
        return record_given(carry, batch, own, hyperparams)

    def chunk(carry, data, sample_weight, hyperparams, steps, norms=True):
        def body(state):
            i, (carry, table, *_) = state
            return i + 1, once(carry, table, i, data, sample_weight, hyperparams, norms)

        def is_running(state):
            i, (_, _, finite, _) = state
            return (i < steps) & finite

        ratios = jnp.zeros(len(jax.tree.leaves(carry.params)), default_float())
        state = carry, empty_table(), jnp.array(True), ratios
        return jax.lax.while_loop(is_running, body, (jnp.zeros((), jnp.int32), state))[1]

    def start(params, hyperparams):
        return build(**hyperparams).init(params)

    return Compiled(
        build=build,
        start=jax.jit(start),
        step=step,
        take=take,
        chunk=jax.jit(chunk, donate_argnums=0, static_argnames="norms"),
        once=jax.jit(once, donate_argnums=(0, 1), static_argnames="norms"),
        given=jax.jit(given, donate_argnums=(0, 1), static_argnames="norms"),
        record=jax.jit(record),
        record_given=jax.jit(record_given),
    )


def empty_table() -> jax.Array:
    """Return an empty table for the records of a chunk."""
    return jnp.zeros((CHUNK, len(COLUMNS)), default_float())


def table_of(table: np.ndarray, steps: int) -> dict[str, np.ndarray]:
    """Return the columns of the first `steps` records, without a learning rate if there is none.

    Norms that were not computed are NaN.
    """
    columns = {name: table[:steps, i] for i, name in enumerate(COLUMNS)}
    if (columns["learning_rate"] == UNKNOWN).all():
        del columns["learning_rate"]
    for name in NORMS:
        if (is_unknown := columns[name] == UNKNOWN).any():
            columns[name] = np.where(is_unknown, np.full_like(columns[name], np.nan), columns[name])
    return columns


def _without_norms(record: Record) -> Record:
    """Return a record of the loss and the learning rate. XLA removes what nothing reads."""
    norms = dict.fromkeys(NORMS, jnp.asarray(UNKNOWN, default_float()))
    ratios = jnp.zeros_like(record.leaf_ratios)
    return record._replace(finite=jnp.isfinite(record.loss), leaf_ratios=ratios, **norms)


def _row(record: Record) -> jax.Array:
    rate = UNKNOWN if record.learning_rate is None else record.learning_rate
    known = record._replace(learning_rate=rate)
    return jnp.stack([jnp.asarray(getattr(known, name), default_float()) for name in COLUMNS])


def _kind(x: Any) -> str:
    if getattr(x, "dtype", np.dtype(object)) == np.dtype(object):
        return "no numbers"
    return f"{'complex' if jnp.iscomplexobj(x) else 'real'} numbers with {jnp.ndim(x)} axes"


@cached
def _given(tx: optax.GradientTransformation) -> Callable[[], optax.GradientTransformation]:
    return lambda: tx


def _shares(mesh: Mesh | None, own: Mesh | None, rows: int) -> Mesh | None:
    """Return the devices that share a batch; those of the data only where the parts are equal."""
    if mesh is not None and rows % mesh.size:
        raise ValueError(
            f"a batch of {rows} examples cannot be divided equally by the {mesh.size} devices of "
            f"mesh: take a batch_size that {mesh.size} divides."
        )
    return mesh or (own if own is not None and rows % own.size == 0 else None)


def slow_in_a_loop(
    program: Program, carry: Carry, data: Any, sample_weight: Any = None, norms: bool = True
) -> bool:
    """Whether steps should be called one by one, because XLA convolves slowly in a loop on a CPU.

    Traces the chunk; JAX keeps the trace, of a run with or without the norms of every step.
    """
    if {device.platform for device in carry.key.devices()} != {"cpu"}:
        return False
    chunk, numbers = program.compiled.chunk, program.hyperparams
    given = carry, data, sample_weight, numbers, np.int32(1)
    return convolves(chunk.trace(*given, norms=norms).jaxpr)


def convolves(jaxpr: Any) -> bool:
    """Whether a jaxpr has a convolution, also in its loops, branches and calls."""
    if any(equation.primitive.name == "conv_general_dilated" for equation in jaxpr.eqns):
        return True
    parameters = jax.tree.leaves([list(equation.params.values()) for equation in jaxpr.eqns])
    return any(convolves(x) for x in parameters if isinstance(x, (Jaxpr, ClosedJaxpr)))


def default_batch_size(rows: int) -> int:
    """Return the size of a batch where none is given."""
    return min(64, rows)
