"""Names of methods in words, and of the classes that a stream does not tell apart."""

from collections.abc import Sequence

import numpy as np

from .decide import Method
from .structure import Structure

_VELOCITIES = {
    "trace": "with momentum",
    "nesterov": "with Nesterov momentum",
    "dampened": "with dampened momentum",
    "corrected": "with averaged gradients, corrected for their start",
}
_PLACES = {
    "outside": "ε outside the root",
    "inside": "ε inside the root",
    "hat": "ε added before the bias correction (as in Keras and TensorFlow)",
    "hat_inside": "ε inside the root, added before the bias correction",
    "average": "ε inside the average of squares",
}
_USUAL = {"adam": "outside", "amsgrad": "outside", "nadam": "outside", "adamax": "inside"}
_USUAL |= {"rmsprop": "inside", "adagrad": "inside"}
_CLIPS = {
    "value": "clipping by value",
    "global": "clipping by the global norm",
    "torch": "clipping by the global norm (torch: 1e-6 is added to it)",
    "leaf": "clipping by the norm of each leaf",
    "rms": "clipping by the rms of each leaf",
}


def name_of(s: Structure, *, eps_known: bool = True, ascends: bool = False) -> str:
    """Return the method as "adamw", with what is unusual about it after a comma."""
    head, parts = s.name, []
    if s.name == "sgd" and s.velocity != "gradient":
        head = f"sgd {_VELOCITIES[s.velocity]}"
    if s.name == "sgd" and s.momentum:
        head = f"sgd {_VELOCITIES[s.momentum]}"
    if s.decay == "decoupled" and s.name in ("adam", "nadam", "adamax"):
        head = f"{s.name}w"
    elif s.decay is not None:
        parts.append(f"{s.decay} weight decay")
    if s.magnitude == "variance":
        head = "centred rmsprop"
    if s.name == "rmsprop" and s.momentum:
        head += f" {_VELOCITIES[s.momentum]}"
    parts += _corrections(s)
    if s.velocity in ("nadam_torch", "nadam_keras"):
        decay = {"nadam_torch": "0.004", "nadam_keras": "1"}[s.velocity]
        parts.append(f"a momentum that moves (momentum_decay={decay})")
    if s.maximum == "before":
        parts.append("the maximum before the bias correction")
    if s.rate_inside:
        parts.append("the learning rate inside the velocity")
    if s.initial and s.name != "adagrad":
        parts.append("an initial accumulator")
    if eps_known and s.eps is not None and s.eps != _USUAL[s.name]:
        parts.append(_PLACES[s.eps])
    if s.clip is not None:
        parts.append(_CLIPS[s.clip])
    if ascends:
        parts.append("with the opposite sign: it ascends")
    return ", ".join([head, *parts])


def _corrections(s: Structure) -> list[str]:
    """Return what the method corrects for its start, where that is not the usual."""
    if s.name == "rmsprop":
        return ["bias correction"] * s.correction
    if s.name == "adamax":
        return ["without bias correction"] * (s.velocity == "average")
    if s.name not in ("adam", "amsgrad"):
        return []
    first = s.velocity != "average"
    return {
        (True, True): [],
        (False, False): ["without bias correction"],
        (True, False): ["bias correction of the first moment only"],
        (False, True): ["bias correction of the second moment only"],
    }[first, s.correction]


def same_as(best: Method, others: Sequence[Method]) -> tuple[str, ...]:
    """Return what else made the stream: of the table, and what is the same by algebra."""
    plain = [
        other
        for other in others
        if len(other.structure.scalars) <= len(best.structure.scalars)
        and other.structure.parts <= best.structure.parts + 2
        and not other.vague
        and _has_the_same_numbers(other, best)
    ]
    found = [_at_its_eps(other, best) for other in plain]
    s, constant = best.structure, best.shape is not None and best.shape.name == "constant"
    if s.name == "sgd" and s.velocity in ("trace", "nesterov") and constant:
        found.append("the learning rate inside the velocity (Keras)")
    if s.velocity == "trace" and s.magnitude is None:
        found.append("first_moment(μ) at τ/(1 - μ)")
    if s.name == "sgd" and s.velocity == "gradient" and best.shape is None:
        found.append("a clip by the global norm: it scales the gradient as a learning rate does")
    if s.name == "sgd" and s.velocity == "gradient" and s.decay == "coupled":
        found.append("decoupled weight decay")
    return tuple(dict.fromkeys(name for name in found if name != name_of(s)))


def _has_the_same_numbers(other: Method, best: Method) -> bool:
    shared = (set(other.scalars) & set(best.scalars)) - {"eps"}
    alike = all(np.isclose(other.scalars[name], best.scalars[name], 1e-4) for name in shared)
    return alike and bool(np.allclose(other.rates, best.rates, 1e-4, 0))


def _at_its_eps(other: Method, best: Method) -> str:
    """Return the name of another method, with its ε where that is decided and another one."""
    name, eps = name_of(other.structure), other.scalars.get("eps")
    own = other.intervals.get("eps", (1.0,))[0] > 0 and eps != best.scalars.get("eps")
    return f"{name}, at eps = {eps:g}" if own and eps is not None else name


def would_decide(best: Method, others: Sequence[Method]) -> tuple[str, ...]:
    """Return the data that would tell the methods of a class apart."""
    said = []
    s = best.structure
    if "eps" in best.intervals:
        said.append(f"gradients as small as ε (below {best.intervals['eps'][1]:.0e})")
    constant = best.shape is not None and best.shape.name == "constant"
    if s.name == "sgd" and s.velocity in ("trace", "nesterov") and constant:
        said.append("a learning rate that changes, for where it stands")
    if any(other.structure.maximum for other in others) and not s.maximum:
        said.append("gradients that become smaller, for a maximum")
    if best.shape is None and np.any(best.rates):
        said.append("a constant learning rate, for the bias correction")
    return tuple(said)
