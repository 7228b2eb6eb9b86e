"""Write `torch.npz`: the parameters of torch's own optimizers, step by step, on given gradients.

`torch_adam.npz` is what the recorder of the how-to saves of a training.

Run in an environment with torch (the stored file is of 2.13.0 on a CPU), from the repository:

    $ python -m tests.theory.streams.make_torch
"""

from typing import Any, NamedTuple

import numpy as np

from tests.theory.streams import HERE, STEPS, Tree, gradients_of, recorder, start_of, write

TRAINED = {"layers.weight": (3, 2), "layers.bias": (3,)}


class Call(NamedTuple):
    """A class of torch.optim, its arguments, a scheduler, and the norm at which a gradient is cut.

    - `scheduler`: a class of torch.optim.lr_scheduler and its arguments.
    """

    name: str
    arguments: dict[str, Any]
    scheduler: tuple[str, dict[str, Any]] | None = None
    clip: float | None = None


DECAY = {"weight_decay": 0.05}
MOMENTUM = {"lr": 0.1, "momentum": 0.9}
STEEP = {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-2}  # ε is visible
RMS = {"lr": 0.01, "alpha": 0.9, "eps": 1e-3}

CALLS = {
    "SGD": Call("SGD", {"lr": 0.1}),
    "SGD, momentum": Call("SGD", MOMENTUM),
    "SGD, Nesterov": Call("SGD", MOMENTUM | {"nesterov": True}),
    "SGD, dampening": Call("SGD", MOMENTUM | {"dampening": 0.5}),
    "SGD, weight decay": Call("SGD", MOMENTUM | DECAY),
    "SGD, maximize": Call("SGD", MOMENTUM | {"maximize": True}),
    "SGD, momentum, cosine": Call("SGD", MOMENTUM, ("CosineAnnealingLR", {"T_max": STEPS})),
    "SGD, momentum, clip": Call("SGD", MOMENTUM, clip=3.0),
    "Adam": Call("Adam", {"lr": 0.01}),
    "Adam, other decays": Call("Adam", STEEP),
    "Adam, weight decay": Call("Adam", {"lr": 0.01} | DECAY),
    "Adam, AMSGrad": Call("Adam", STEEP | {"amsgrad": True}),
    "Adam, step": Call("Adam", STEEP, ("StepLR", {"step_size": 10, "gamma": 0.1})),
    "Adam, clip": Call("Adam", STEEP, clip=3.0),
    "AdamW": Call("AdamW", {"lr": 0.01}),
    "AdamW, weight decay": Call("AdamW", STEEP | DECAY),
    "AdamW, one cycle": Call("AdamW", STEEP, ("OneCycleLR", {"max_lr": 0.1, "total_steps": STEPS})),
    "AdamW, warm-up": Call("AdamW", STEEP, ("LinearLR", {"start_factor": 0.1, "total_iters": 8})),
    "AdamW, exponential": Call("AdamW", STEEP, ("ExponentialLR", {"gamma": 0.9})),
    "NAdam": Call("NAdam", {"lr": 0.01}),
    "NAdam, constant momentum": Call("NAdam", {"lr": 0.01, "momentum_decay": 1e6}),
    "NAdam, decoupled": Call("NAdam", {"lr": 0.01, "decoupled_weight_decay": True} | DECAY),
    "RAdam": Call("RAdam", {"lr": 0.01}),
    "RMSprop": Call("RMSprop", RMS),
    "RMSprop, centred": Call("RMSprop", RMS | {"centered": True}),
    "RMSprop, momentum": Call("RMSprop", RMS | {"momentum": 0.9}),
    "RMSprop, weight decay": Call("RMSprop", RMS | DECAY),
    "Adagrad": Call("Adagrad", {"lr": 0.1}),
    "Adagrad, initial": Call("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.1}),
    "Adagrad, lr decay": Call("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    "Adamax": Call("Adamax", {"lr": 0.01, "betas": (0.9, 0.95), "eps": 1e-3}),
    "Adadelta": Call("Adadelta", {"lr": 1.0, "rho": 0.9, "eps": 1e-6}),
    "Rprop": Call("Rprop", {"lr": 0.01}),
    "ASGD": Call("ASGD", {"lr": 0.1}),
    "Adafactor": Call("Adafactor", {"lr": 0.01}),
}
MATRIX = {"Muon": Call("Muon", {"lr": 0.01})}
"""It takes matrices only."""
SINGLE = ("SGD, momentum", "Adam", "AdamW, weight decay", "RMSprop", "Adagrad", "NAdam", "Rprop")
"""Also recorded in float32."""


def optimizer_of(call: Call, params: list[Any]) -> tuple[Any, Any]:
    """Return the optimizer and its scheduler, or None."""
    import torch  # here, so that pytest can look for examples without it

    optimizer = getattr(torch.optim, call.name)(params, **call.arguments)
    if call.scheduler is None:
        return optimizer, None
    name, arguments = call.scheduler
    return optimizer, getattr(torch.optim.lr_scheduler, name)(optimizer, **arguments)


def path_of(call: Call, gradients: Tree, start: Tree) -> Tree:
    """Return θ(0), θ(1), ... of each leaf; the gradients are what is clipped."""
    import torch

    θ = {name: torch.tensor(leaf, requires_grad=True) for name, leaf in start.items()}
    optimizer, scheduler = optimizer_of(call, [*θ.values()])
    path = {name: [leaf] for name, leaf in start.items()}
    for k in range(len(next(iter(gradients.values())))):
        for name, leaf in θ.items():
            leaf.grad = torch.tensor(gradients[name][k])
            if call.name == "SparseAdam":
                leaf.grad = leaf.grad.to_sparse()
        if call.clip is not None:
            torch.nn.utils.clip_grad_norm_(θ.values(), call.clip)
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        for name, leaf in θ.items():
            path[name].append(leaf.detach().numpy().copy())
    return {name: np.stack(leaves) for name, leaves in path.items()}


def recorded(call: Call, steps: int = STEPS) -> Any:
    """Return the recorder of the how-to, after the training of a small regression."""
    import torch

    random = torch.Generator().manual_seed(0)
    x, weights, noise = (torch.randn(*n, generator=random) for n in ((64, 2), (2, 3), (64, 3)))
    y = torch.tanh(x @ weights) + 0.1 * noise
    model = torch.nn.Sequential()
    model.add_module("layers", torch.nn.Linear(2, 3))
    torch.nn.init.normal_(model.layers.weight, generator=random)
    torch.nn.init.zeros_(model.layers.bias)
    optimizer, scheduler = optimizer_of(call, [*model.parameters()])
    record = recorder("torch")(model)
    for k in range(steps):
        rows = slice(16 * (k % 4), 16 * (k % 4) + 16)
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(torch.tanh(model(x[rows])), y[rows]).backward()
        record.before()
        if call.clip is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), call.clip)
        optimizer.step()
        record.after()
        if scheduler is not None:
            scheduler.step()
    return record


def training_of(call: Call) -> tuple[Tree, Tree]:
    """Return the gradients and the path of a small regression."""
    record = recorded(call)
    record.before()  # the parameters after the last step
    gradients, path = (
        {name: np.stack(record.rows[f"{kind}/{name}"]) for name in TRAINED}
        for kind in ("gradients", "params")
    )
    return {name: g[:-1] for name, g in gradients.items()}, path


TRAININGS = {
    "AdamW, one cycle": CALLS["AdamW, one cycle"]._replace(clip=0.1),
    "SGD, weight decay": CALLS["SGD, weight decay"],
    "Adam, step": CALLS["Adam, step"],
}
ADAM = Call("Adam", {"lr": 0.05, "eps": 1e-3})


def main() -> None:
    import torch

    torch.set_default_dtype(torch.float64)  # or NAdam multiplies its momenta in float32: 3e-7
    stored = {}
    for name, call in {**CALLS, **MATRIX}.items():
        gradients, start = gradients_of(), start_of()
        if name in MATRIX:
            del gradients["b"], start["b"]
        stored[f"{name} (float64)"] = {"path": path_of(call, gradients, start)}
    torch.set_default_dtype(torch.float32)
    for name in SINGLE:
        path = path_of(CALLS[name], gradients_of(np.float32), start_of(np.float32))
        stored[f"{name} (float32)"] = {"path": path}
    for name, call in TRAININGS.items():
        gradients, path = training_of(call)
        stored[f"{name} (training)"] = {"gradients": gradients, "path": path}
    write("torch", torch.__version__, stored)
    torch.set_default_dtype(torch.float64)
    recorded(ADAM, steps=40).save(HERE / "torch_adam.npz")


if __name__ == "__main__":
    main()
