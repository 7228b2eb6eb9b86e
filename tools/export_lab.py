"""Export the optimizers of the lab as ONNX, for the page that runs without a server.

    make lab-programs

It builds an environment of its own (`tools/export_lab.txt`), because `jax2onnx` needs certain
versions, and writes `docs/lab/programs.bin.gz`. Run it after a change of an optimizer, a schedule
or a landscape that the page has: `make test` compares the names of the programs, and
`make check-docs` their numbers, in a browser. `tools/static_lab.py` has what else the page needs.

A method with a schedule and an average is three programs, so that each is exported once:

    schedule    its numbers -> the learning rate of each step
    path        the numbers of the method, these learning rates, the landscape -> θ(1), ..., θ(n)
    average     η and the path -> its averages
"""

import functools
import gzip
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import onnx
import optax
from jax._src.interpreters import partial_eval
from jax.extend.core import Literal
from jax2onnx import to_onnx

import lecture_optax as lo
from lecture_optax.interactive.engine import GRID
from lecture_optax.interactive.expression import Expression, build, value_of
from lecture_optax.interactive.handles import Handle
from lecture_optax.interactive.landscapes import EXAMPLES, LANDSCAPES, Landscape
from tools.static_lab import FILE, STEPS, methods, packed, rate_of, schedules

INT64 = onnx.TensorProto.INT64

# What is traced


def path_of(method: Expression, landscape: Landscape) -> Callable[..., Any]:
    """Return the function from numbers, rates, weights, controls and the start to the path."""
    at = rate_of(method)

    def path(numbers, rates, weights, controls, start):
        def transformation(numbers, rate):
            return build(method.structure, [*numbers[:at], lambda k: rate, *numbers[at:]])

        def step(constants, carry, of_step):
            (numbers, controls), (θ, state), (rate, weights) = constants, carry, of_step
            tx = transformation(numbers, rate)

            def loss(θ):
                if landscape.has_examples:  # a batch: 1/n for each of its examples, 0 for others
                    return (landscape.losses(θ, controls) * weights).sum()
                return landscape.loss(θ, controls)

            value, gradient = jax.value_and_grad(loss)(θ)
            updates, state = tx.update(gradient, state, θ, value=value, value_fn=loss)
            return optax.apply_updates(θ, updates), state

        numbers, controls = list(numbers), named(controls, landscape)
        state = transformation(numbers, rates[0]).init(start)
        return scan(step, (numbers, controls), (start, state), (rates, weights))

    return path


def record_of(landscape: Landscape) -> Callable[..., Any]:
    """Return the function from a path and the controls to what is recorded along it."""

    def record(path, controls):
        controls = named(controls, landscape)
        size = jnp.linalg.norm(path[1:] - path[:-1], axis=-1)
        _, minimum, _, vectors = _field(landscape, controls)
        return (
            jax.vmap(lambda θ: landscape.loss(θ, controls))(path),
            size,
            size / jnp.linalg.norm(path[:-1], axis=-1),
            (path - minimum) @ vectors,
        )

    return record


def field_of(landscape: Landscape) -> Callable[..., Any]:
    """Return the function from the controls to the loss on a grid and the minimum's curvature."""
    return lambda controls: _field(landscape, named(controls, landscape))


def _field(landscape: Landscape, controls: Mapping[str, Any]) -> tuple[jax.Array, ...]:
    left, right, bottom, top = landscape.box
    x, y = np.linspace(left, right, GRID), np.linspace(bottom, top, GRID)
    points = jnp.asarray(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2), jnp.float32)

    def loss(θ):
        return landscape.loss(θ, controls)

    minimum = landscape.minimum(controls)
    return jax.vmap(loss)(points), minimum, *_eigen(jax.hessian(loss)(minimum))


def _eigen(h: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the eigenvalues, the smaller first, and the eigenvectors as columns: ONNX has none."""
    middle, half = (h[0, 0] + h[1, 1]) / 2, (h[0, 0] - h[1, 1]) / 2
    radius = jnp.sqrt(half**2 + h[0, 1] ** 2)
    angle = jnp.arctan2(h[0, 1], half) / 2  # of the steep direction
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    vectors = jnp.stack([jnp.stack([-sin, cos]), jnp.stack([cos, sin])])
    return jnp.stack([middle - radius, middle + radius]), vectors


def rates_of(structure: str, handles: Sequence[Handle]) -> Callable[..., Any]:
    """Return the function from the numbers of a schedule to the learning rate of each step."""

    def rates(numbers):
        typed = [
            number.astype(jnp.int32) if "integer" in handle.scale else number
            for number, handle in zip(numbers, handles, strict=True)
        ]
        return jax.vmap(value_of(structure, typed))(jnp.arange(STEPS))

    return rates


def averages(eta, path):
    """Return the average of θ(1), ..., θ(k) for each k."""

    def step(eta, carry, of_step):
        (_, state), (before, after) = carry, of_step
        tx = lo.average_iterates(eta)
        _, state = tx.update(before, state, before)
        return lo.averaged(state, after), state

    state = lo.average_iterates(eta[0]).init(path[0])
    return scan(step, eta[0], (path[0], state), (path[:-1], path[1:]))


# How it is exported


def scan(step: Callable[..., Any], constants: Any, carry: Any, xs: Any) -> jax.Array:
    """Return the first entry of the carry after each step(constants, carry, x).

    What depends on the constants alone is computed once, before the loop: ONNX would compute it in
    each step, and a step costs what its number of operations costs.
    """
    known, first = jax.tree.leaves(constants), jax.tree.map(lambda x: x[0], xs)
    closed = flat(jax.make_jaxpr(step)(constants, carry, first))
    unknown = [i >= len(known) for i in range(len(closed.in_avals))]
    before, inside, _, _ = partial_eval.partial_eval_jaxpr_nounits(closed, unknown, True)
    residuals = jax.extend.core.jaxpr_as_fun(before)(*known)

    def body(carry, x):
        leaves = jax.extend.core.jaxpr_as_fun(inside)(*residuals, *jax.tree.leaves((carry, x)))
        return jax.tree.unflatten(jax.tree.structure(carry), leaves), leaves[0]

    return jax.lax.scan(body, carry, xs)[1]


def flat(closed: Any) -> Any:
    """Return a jaxpr without calls; what ONNX lacks is replaced.

    A linear solve is what its `solve` does, without its derivative. The entries of short vectors
    are followed, so that taking a vector apart and putting it together costs no operation.
    """
    entries = Entries()

    def evaluate(jaxpr, consts, *args):
        values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))
        for eqn in jaxpr.eqns:
            name, params = eqn.primitive.name, eqn.params
            given = [v.val if isinstance(v, Literal) else values[v] for v in eqn.invars]
            if inner := params.get("jaxpr" if name == "jit" else "call_jaxpr"):
                results = evaluate(inner.jaxpr, inner.consts, *given)
            elif name == "custom_linear_solve":
                before, of_solve = params["const_lengths"][:2], params["const_lengths"].solve
                begin, inner = sum(before), params["jaxprs"].solve
                vector = given[sum(params["const_lengths"]) :]
                used = given[begin : begin + of_solve]
                results = evaluate(inner.jaxpr, inner.consts, *used, *vector)
            elif name == "expm1":  # exp(x) - 1 cancels: 1 - β^k would be wrong by 1e-4
                half = jnp.tanh(given[0] / 2)
                results = [2 * half / (1 - half)]
            elif name == "eigh":
                results = reversed(_eigen(*given))
            else:
                results = entries.follow(name, params, given)
                if results is None:
                    results = eqn.primitive.bind(*given, **params)
                    results = results if eqn.primitive.multiple_results else [results]
            values |= dict(zip(eqn.outvars, results, strict=True))
        return [v.val if isinstance(v, Literal) else values[v] for v in jaxpr.outvars]

    return jax.make_jaxpr(functools.partial(evaluate, closed.jaxpr, closed.consts))(
        *closed.in_avals
    )


class Entries:
    """The entries of vectors of one or two entries; None is 0."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, list[Any]]] = {}

    def of(self, x: Any) -> list[Any] | None:
        if jnp.ndim(x) != 1 or len(x) > 2:
            return None
        if id(x) not in self._known:
            items = [jax.lax.index_in_dim(x, i, keepdims=False) for i in range(len(x))]
            self._known[id(x)] = x, items
        return self._known[id(x)][1]

    def follow(self, name: str, params: Mapping[str, Any], given: Sequence[Any]) -> Any:
        """Return the results of an operation on entries, or None for another operation."""
        if name == "broadcast_in_dim" and jnp.ndim(given[0]) == 0 and params["shape"] == (1,):
            return [self._vector([given[0]])]
        if name == "stack" and len(given) == 2 and jnp.ndim(given[0]) == 0:
            return [self._vector(list(given))]
        parts = [self.of(x) for x in given[:2]]
        if not parts or parts[0] is None or given[0].dtype != jnp.float32:
            return None
        if name == "slice":
            at = slice(params["start_indices"][0], params["limit_indices"][0])
            return [self._vector(parts[0][at])]
        if name == "unstack" or (name == "squeeze" and len(parts[0]) == 1):
            return [jnp.float32(0) if part is None else part for part in parts[0]]
        if name == "pad" and given[0].shape == (1,):
            low, high, _ = params["padding_config"][0]
            return [self._vector([None] * int(low) + parts[0] + [None] * int(high))]
        if name == "add_any" and parts[1] is not None:
            pairs = zip(*parts, strict=True)
            return [self._vector([y if x is None else x if y is None else x + y for x, y in pairs])]
        return None

    def _vector(self, items: list[Any]) -> Any:
        x = jnp.stack([jnp.float32(0) if item is None else item for item in items])
        self._known[id(x)] = x, items
        return x


def exported(function: Callable[..., Any], inputs: Mapping[str, tuple[int, ...]]) -> bytes:
    """Return a function of float32 arrays as an ONNX model with short names.

    It is traced first, and its jaxpr is exported: `to_onnx` replaces functions of jax.numpy while
    it traces, which the checks of the library notice.
    """
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in inputs.values()]
    closed = jax.make_jaxpr(function)(*shapes)
    live, _ = partial_eval.dce_jaxpr(closed.jaxpr, True, True)
    traced = jax.extend.core.jaxpr_as_fun(jax.extend.core.ClosedJaxpr(live, closed.consts))
    model = to_onnx(lambda *arrays: tuple(traced(*arrays)), shapes)
    if "path" in inputs or "rates" in inputs:
        _let_the_run_end(model.graph)
    _shorten(model, dict(zip((f"in_{i}" for i in range(len(inputs))), inputs, strict=True)))
    return model.SerializeToString()


def _let_the_run_end(graph: Any) -> None:
    """Make the number of iterations of the loop an input, `steps`, where there is a loop."""
    for node in graph.node:
        if node.op_type == "Loop":
            node.input[0] = "steps"
            graph.input.append(onnx.helper.make_tensor_value_info("steps", INT64, []))
            for output in graph.output:
                output.type.tensor_type.shape.dim[0].dim_param = "steps"


def _shorten(model: Any, inputs: Mapping[str, str]) -> None:
    """Remove what a run does not need, and give each value a short name."""
    graphs = [model.graph, *_bodies(model.graph)]
    read = {name for graph in graphs for node in graph.node for name in node.input}
    read |= {output.name for graph in graphs for output in graph.output}
    written = {name for graph in graphs for node in graph.node for name in node.output}
    short = {name: f"{i:x}" for i, name in enumerate(sorted((read | written) - {""}))}
    short |= {"": "", "steps": "steps"} | dict(inputs)
    short |= {output.name: f"out_{i}" for i, output in enumerate(model.graph.output)}
    used = [value for value in model.graph.input if value.name in read]
    del model.graph.input[:]
    model.graph.input.extend(used)
    for graph in graphs:
        kept = [each for each in graph.initializer if each.name in read]
        del graph.initializer[:], graph.value_info[:]
        graph.initializer.extend(kept)
        graph.name, graph.doc_string = "g", ""
        del graph.metadata_props[:]
        for node in graph.node:
            node.name = node.doc_string = ""
            del node.metadata_props[:]
            node.input[:] = [short[name] for name in node.input]
            node.output[:] = [short[name] for name in node.output]
        for value in [*graph.initializer, *graph.input, *graph.output]:
            value.name = short.get(value.name, value.name)
            del value.metadata_props[:]
    del model.metadata_props[:], model.functions[:]
    model.doc_string, model.graph.name = "", "g"


def _bodies(graph: Any) -> Iterator[Any]:
    """Return the graphs inside a graph, at any depth."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield attribute.g
                yield from _bodies(attribute.g)


# What is written


def programs() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the model of each program."""
    point, path = (2,), (STEPS + 1, 2)
    yield "average", exported(averages, {"eta": (1,), "path": path})
    for structure, handles in schedules():
        rates = rates_of(structure, handles)
        yield f"rates {structure}", exported(rates, {"numbers": (len(handles),)})
    for landscape in LANDSCAPES.values():
        controls = (len(landscape.controls),)
        yield f"field {landscape.name}", exported(field_of(landscape), {"controls": controls})
        inputs = {"path": path, "controls": controls}
        yield f"record {landscape.name}", exported(record_of(landscape), inputs)
        for method in methods():
            inputs = {
                "numbers": (len(method.handles) - 1,),
                "rates": (STEPS,),
                "weights": (STEPS, EXAMPLES),
                "controls": controls,
                "start": point,
            }
            model = exported(path_of(method, landscape), inputs)
            yield f"path {landscape.name} {method.structure}", model


def named(controls: Any, landscape: Landscape) -> dict[str, Any]:
    return {handle.name: controls[i] for i, handle in enumerate(landscape.controls)}


def main() -> int:
    """Write the programs."""
    models = dict(programs())
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_bytes(gzip.compress(packed({}, models), 9, mtime=0))
    print(f"{len(models)} programs in {FILE}: {FILE.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
