"""Write `torch.json`: where torch's own optimizers go, in float64, on given gradients.

Run once, in an environment with torch (the figures are of 2.13.0 on a CPU):

    $ python tests/trajectories/make_torch.py
"""

import json
from pathlib import Path

import numpy as np

STEPS = 12
START = [1.0, -2.0, 0.5, 4.0]

CALLS = {
    "SGD": {"lr": 0.1},
    "SGD, momentum": {"lr": 0.1, "momentum": 0.9},
    "SGD, Nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    "SGD, weight decay": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.05},
    "SGD, dampening": {"lr": 0.1, "momentum": 0.9, "dampening": 0.5},
    "Adam": {"lr": 0.1},
    "Adam, other decays": {"lr": 0.1, "betas": (0.5, 0.75), "eps": 1e-2},
    "Adam, weight decay": {"lr": 0.1, "weight_decay": 0.05},
    "Adam, AMSGrad": {"lr": 0.1, "amsgrad": True},
    "AdamW": {"lr": 0.1, "weight_decay": 0.05},
    "NAdam": {"lr": 0.1, "momentum_decay": 1e6},
    "NAdam, momentum decay": {"lr": 0.1},
    "RMSprop": {"lr": 0.1, "alpha": 0.9, "eps": 1e-3},
    "RMSprop, centred": {"lr": 0.1, "alpha": 0.9, "eps": 1e-3, "centered": True},
    "RMSprop, momentum": {"lr": 0.1, "alpha": 0.9, "eps": 1e-3, "momentum": 0.9},
    "RMSprop, weight decay": {"lr": 0.1, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.05},
    "Adagrad": {"lr": 0.1, "eps": 0.0},
    "Adagrad, lr decay": {"lr": 0.1, "eps": 0.0, "lr_decay": 0.5, "initial_accumulator_value": 0.1},
    "Adagrad, eps": {"lr": 0.1, "eps": 1e-2},
    "Adamax": {"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-3},
    "Adamax, weight decay": {"lr": 0.1, "weight_decay": 0.05},
}


def parameters(name: str, gradients: np.ndarray) -> list[list[float]]:
    """The parameters after every step."""
    import torch  # here, so that pytest can look for examples without it

    θ = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = getattr(torch.optim, name.split(",")[0])([θ], foreach=False, **CALLS[name])
    path = []
    for gradient in gradients:
        θ.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        path.append(θ.tolist())
    return path


def main() -> None:
    import torch

    torch.set_default_dtype(torch.float64)  # or NAdam multiplies its momenta in float32: 3e-7
    gradients = np.random.default_rng(0).standard_normal((STEPS, len(START)))
    gradients = (gradients * [1, 100, 1, 1]).round(3)
    stored = {"torch": torch.__version__, "start": START, "gradients": gradients.tolist()}
    stored |= {name: parameters(name, gradients) for name in CALLS}
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in stored.items())
    Path(__file__).with_name("torch.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
