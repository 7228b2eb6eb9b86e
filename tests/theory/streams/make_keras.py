"""Write `keras.npz`: the parameters of Keras's own optimizers, step by step, on given gradients.

Run in an environment with Keras (the stored file is of 3.15.1 on JAX), from the repository:

    $ KERAS_BACKEND=jax JAX_ENABLE_X64=1 python -m tests.theory.streams.make_keras
"""

from typing import Any, NamedTuple

import numpy as np

from tests.theory.streams import STEPS, Tree, gradients_of, recorder, start_of, write


class Call(NamedTuple):
    """A class of keras.optimizers, its arguments, and a schedule in place of `learning_rate`.

    - `schedule`: a class of keras.optimizers.schedules and its arguments.
    """

    name: str
    arguments: dict[str, Any]
    schedule: tuple[str, dict[str, Any]] | None = None


MOMENTUM = {"learning_rate": 0.1, "momentum": 0.9}
STEEP = {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-2}  # ε is visible
DECAY = {"weight_decay": 0.05}
COSINE = ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": STEPS})
RMS = {"learning_rate": 0.01, "rho": 0.9, "epsilon": 1e-3}

CALLS = {
    "SGD": Call("SGD", {"learning_rate": 0.1}),
    "SGD, momentum": Call("SGD", MOMENTUM),
    "SGD, Nesterov": Call("SGD", MOMENTUM | {"nesterov": True}),
    "SGD, momentum, cosine": Call("SGD", {"momentum": 0.9}, COSINE),
    "SGD, weight decay": Call("SGD", MOMENTUM | DECAY),
    "Adam": Call("Adam", {"learning_rate": 0.01}),
    "Adam, other decays": Call("Adam", STEEP),
    "Adam, AMSGrad": Call("Adam", STEEP | {"amsgrad": True}),
    "Adam, global clip": Call("Adam", STEEP | {"global_clipnorm": 3.0}),
    "Adam, clip by value": Call("Adam", STEEP | {"clipvalue": 1.0}),
    "AdamW": Call("AdamW", STEEP | DECAY),
    "AdamW, averaged": Call("AdamW", STEEP | DECAY | {"use_ema": True}),
    "Nadam": Call("Nadam", {"learning_rate": 0.01}),
    "RMSprop": Call("RMSprop", RMS),
    "RMSprop, centred": Call("RMSprop", RMS | {"centered": True}),
    "RMSprop, momentum": Call("RMSprop", RMS | {"momentum": 0.9}),
    "Adagrad": Call("Adagrad", {"learning_rate": 0.1}),
    "Adamax": Call("Adamax", {"learning_rate": 0.01, "beta_2": 0.95}),
    "Adadelta": Call("Adadelta", {"learning_rate": 1.0}),
    "Lion": Call("Lion", {"learning_rate": 0.01}),
    "Lamb": Call("Lamb", {"learning_rate": 0.01}),
    "Ftrl": Call("Ftrl", {"learning_rate": 0.1}),
    "Adafactor": Call("Adafactor", {"learning_rate": 0.01}),
}
SINGLE = ("SGD, Nesterov", "Adam", "AdamW", "Nadam", "RMSprop", "Adadelta")
"""Also recorded in float32."""


def optimizer_of(call: Call) -> Any:
    """Return the optimizer."""
    import keras  # here, so that pytest can look for examples without it

    arguments = dict(call.arguments)
    if call.schedule is not None:
        name, its = call.schedule
        arguments["learning_rate"] = getattr(keras.optimizers.schedules, name)(**its)
    return getattr(keras.optimizers, call.name)(**arguments)


def path_of(call: Call, gradients: Tree, start: Tree) -> Tree:
    """Return θ(0), θ(1), ... of each leaf, by the recorder of the how-to."""
    import keras

    dtype = next(iter(start.values())).dtype.name
    keras.config.set_floatx(dtype)
    θ = [keras.Variable(leaf, name=name, dtype=dtype) for name, leaf in start.items()]
    optimizer = optimizer_of(call)
    rows = recorder("keras")(optimizer)
    for k in range(len(next(iter(gradients.values())))):
        optimizer.apply([keras.ops.convert_to_tensor(gradients[name][k]) for name in start], θ)
    ends = [np.array(keras.ops.convert_to_numpy(leaf))[None] for leaf in θ]
    return {
        name: np.concatenate([np.stack(rows[f"params/{leaf.path}"]), end])
        for name, leaf, end in zip(start, θ, ends, strict=True)
    }


def main() -> None:
    import keras

    stored = {}
    for name, call in CALLS.items():
        path = path_of(call, gradients_of(), start_of())
        stored[f"{name} (float64)"] = {"path": path}
    for name in SINGLE:
        path = path_of(CALLS[name], gradients_of(np.float32), start_of(np.float32))
        stored[f"{name} (float32)"] = {"path": path}
    write("keras", keras.__version__, stored)


if __name__ == "__main__":
    main()
