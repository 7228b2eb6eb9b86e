"""Is the compiled loop slow for this step? On a CPU, where it convolves.

Inside of a loop XLA does not call its fast convolution on a CPU (jax-ml/jax#12868). On two cores, a
step of a CNN with 32 and 64 channels of 8 x 8 pixels takes 43 ms in the loop and 1.7 ms alone
(`python -m benchmarks.training_speed --only convolution`); everywhere else calls are what costs.
"""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr

from .program import Program
from .step import Carry


def slow_in_a_loop(program: Program, carry: Carry, data: Any, weights: Any = None) -> bool:
    """Whether steps are to be called one by one. Traces the chunk: JAX keeps what was traced."""
    platforms = {device.platform for device in carry.key.devices()}
    if platforms != {"cpu"}:
        return False
    chunk, numbers = program.compiled.chunk, program.hyperparams
    return convolves(chunk.trace(carry, data, weights, numbers, np.int32(1)).jaxpr)


def convolves(jaxpr: Any) -> bool:
    """Whether a convolution is in a jaxpr, or in one of its loops, branches and calls."""
    return any(
        equation.primitive.name == "conv_general_dilated" or any(map(convolves, _inner(equation)))
        for equation in jaxpr.eqns
    )


def _inner(equation: Any) -> Iterator[Any]:
    """The jaxprs among an equation's parameters."""
    for value in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_jaxpr):
        if _is_jaxpr(value):
            yield value


def _is_jaxpr(x: Any) -> bool:
    return isinstance(x, (Jaxpr, ClosedJaxpr))
