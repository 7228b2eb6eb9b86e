"""Methods that make the same updates on a stream, and the data that would tell them apart."""

from collections.abc import Sequence

import numpy as np

from .decide import Method
from .naming import name_of
from .stream import Stream


def same_as(best: Method, others: Sequence[Method], stream: Stream) -> tuple[str, ...]:
    """Return what else made the stream: of the table, and what is the same by algebra."""
    plain = [
        other
        for other in others
        if len(other.structure.scalars) <= len(best.structure.scalars)
        and other.structure.parts <= best.structure.parts + 2
        and not other.vague
        and (other.shape is None) == (best.shape is None)
    ]
    found = [name_of(other.structure) for other in plain]
    s, constant = best.structure, best.shape is not None and best.shape.name == "constant"
    if s.name == "sgd" and s.velocity in ("trace", "nesterov") and constant:
        found.append("the learning rate inside the velocity (Keras)")
    if s.velocity == "trace" and s.magnitude is None:
        found.append("first_moment(μ) at τ/(1 - μ)")
    if s.name == "sgd" and s.velocity == "gradient" and s.decay == "coupled":
        found.append("decoupled weight decay")
    return tuple(dict.fromkeys(name for name in found if name != name_of(s)))


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
