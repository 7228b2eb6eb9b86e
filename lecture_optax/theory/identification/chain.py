"""The Python that builds a method from blocks."""

from collections.abc import Mapping

from .structure import Structure

_SUM = "apply=lambda a, b: jax.tree.map(jnp.add, a, b)"


def chain_of(structure: Structure, scalars: Mapping[str, float], rate: str) -> str:
    """Return an expression of `lo`, `optax`, `jax` and `jnp`, with τ as the expression `rate`."""
    s, n = structure, {name: f"{value!r}" for name, value in scalars.items()}
    front = _clip(s, n)
    if s.decay == "coupled":
        front.append(f"optax.add_decayed_weights({n['weight_decay']})")
    middle, rates = _direction(s, n), [f"lo.scale_by_learning_rate({rate})"]
    momentum = {None: [], "trace": ["lo.trace"], "nesterov": ["lo.nesterov_trace"]}[s.momentum]
    momentum = [f"{block}({n['momentum']})" for block in momentum]
    tail = [*rates, *momentum] if s.rate_inside else [*momentum, *rates]
    if s.decay == "decoupled":
        decay = f"optax.add_decayed_weights({n['weight_decay']})"
        if s.rate_inside:
            shrink = _call("lo.chain", ["optax.set_to_zero()", decay, *rates])
            own = _call("lo.chain", [*middle, *tail])
            return _call(
                "lo.chain", [*front, _call("lo.precondition", [own, f"by={shrink}", _SUM])]
            )
        tail = [*momentum, decay, *rates]
    return _call("lo.chain", [*front, *middle, *tail])


def _call(name: str, parts: list[str]) -> str:
    """Return a call, on several lines where it is long."""
    line = f"{name}({', '.join(parts)})"
    if len(line) <= 72 and "\n" not in line:
        return line
    inner = "".join(f"{part},\n" for part in parts)
    indented = "".join(f"    {line}\n" for line in inner.splitlines())
    return f"{name}(\n{indented})"


def _clip(s: Structure, n: Mapping[str, str]) -> list[str]:
    if s.clip is None:
        return []
    named = {"value": "clip", "global": "clip_by_global_norm", "rms": "clip_by_block_rms"}
    if s.clip in named:
        return [f"optax.{named[s.clip]}({n['clip']})"]
    if s.clip == "torch":
        factor = f"jnp.minimum(1, {n['clip']} / (optax.global_norm(g) + 1e-6))"
        return [f"optax.stateless(lambda g, _: jax.tree.map(lambda x: x * {factor}, g))"]
    scaled = f"g * jnp.minimum(1, {n['clip']} / jnp.linalg.norm(g.ravel()))"
    return [f"optax.stateless(lambda g, _: jax.tree.map(lambda g: {scaled}, g))"]


def _direction(s: Structure, n: Mapping[str, str]) -> list[str]:
    velocity = _velocity(s, n)
    if s.magnitude is None:
        return velocity
    own = "optax.identity()" if not velocity else _call_if_several(velocity)
    by = _call("lo.chain", _magnitude(s, n))
    product = _call("lo.precondition", [own, f"by={by}"])
    if s.eps in ("hat", "hat_inside"):
        b2 = n["b2"]
        return [product, f"optax.scale_by_schedule(lambda k: (1 - {b2} ** (k + 1)) ** 0.5)"]
    return [product]


def _call_if_several(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else _call("lo.chain", parts)


def _velocity(s: Structure, n: Mapping[str, str]) -> list[str]:
    if s.velocity == "gradient":
        return []
    if s.velocity in ("trace", "nesterov"):
        block = {"trace": "trace", "nesterov": "nesterov_trace"}[s.velocity]
        return [f"lo.{block}({n['momentum']})"]
    if s.velocity == "dampened":
        weight = f"jnp.where(k == 0, 1.0, 1 - {n['dampening']})"
        return [f"optax.scale_by_schedule(lambda k: {weight})", f"lo.trace({n['momentum']})"]
    average = f"lo.first_moment({n['b1']})"
    if s.velocity == "average":
        return [average]
    if s.velocity == "corrected":
        return [average, f"lo.bias_correction({n['b1']})"]
    if s.velocity == "nadam":
        return [f"lo.nesterov_first_moment({n['b1']})"]
    return [_moving_nadam(n["b1"], {"nadam_torch": "0.004", "nadam_keras": "1.0"}[s.velocity])]


def _moving_nadam(b1: str, momentum_decay: str) -> str:
    """Return NAdam's velocity with μ(k) = b1 (1 - 0.96^(k momentum_decay) / 2)."""
    mu = f"{b1} * (1 - 0.5 * 0.96 ** (i * {momentum_decay}))"
    factors = f"jnp.where((i := jnp.arange(1.0, 2000.0)) <= k + {{}}, {mu}, 1.0)"
    at = f"{b1} * (1 - 0.5 * 0.96 ** ((k + {{}}) * {momentum_decay}))"
    past = f"({at.format(2)}) / (1 - jnp.prod({factors.format(2)}))"
    newest = f"(1 - {at.format(1)}) / (1 - jnp.prod({factors.format(1)}))"
    ahead = _call(
        "lo.chain", [f"lo.first_moment({b1})", f"optax.scale_by_schedule(lambda k: {past})"]
    )
    now = f"by=optax.scale_by_schedule(lambda k: {newest})"
    return _call("lo.precondition", [ahead, now, _SUM])


def _magnitude(s: Structure, n: Mapping[str, str]) -> list[str]:
    eps = n.get("eps", "0.0")
    initial = f"initial={n['initial']}" if s.initial else ""
    if s.magnitude == "largest":
        if s.eps == "outside":
            inverse = f"jax.tree.map(lambda c: 1 / (c + {eps}), c)"
            return [
                f"lo.infinity_moment({n['b2']}, eps=0.0)",
                f"optax.stateless(lambda c, _: {inverse})",
            ]
        return [f"lo.infinity_moment({n['b2']}, eps={eps})", "lo.inverse()"]
    root = f"lo.inverse_root({eps})"
    if s.eps in ("inside", "hat_inside"):
        root = f"lo.inverse_root(0.0, eps_root={eps})"
    if s.magnitude == "sum":
        return [f"lo.sum_of_squares({initial})", root]
    corrected = s.correction and s.eps not in ("hat", "hat_inside")
    if s.magnitude == "variance":
        arguments = [n["b2"], *filter(None, [initial]), *["bias_correction=True"] * corrected]
        return [f"lo.variance({', '.join(arguments)})", root]
    parts = [f"lo.second_moment({', '.join([n['b2'], *filter(None, [initial])])})"]
    if s.eps == "average":
        shifted = f"jax.tree.map(lambda g: jnp.sqrt(g * g + {eps}), g)"
        parts, root = [f"optax.stateless(lambda g, _: {shifted})", *parts], "lo.inverse_root(0.0)"
    largest = ["lo.running_max()"] if s.maximum else []
    correction = [f"lo.bias_correction({n['b2']})"] if corrected else []
    order = [*largest, *correction] if s.maximum == "before" else [*correction, *largest]
    return [*parts, *order, root]
