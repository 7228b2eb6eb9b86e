"""Write `torch.json`: the rates of torch's own schedulers, step by step.

Run once, in an environment with torch (the figures are of 2.13.0 on a CPU):

    $ python tests/schedules/make_torch.py
"""

import json
from pathlib import Path

STEPS = 21
PEAK = 0.1

CALLS = {
    "StepLR": {"step_size": 5, "gamma": 0.5},
    "MultiStepLR": {"milestones": [3, 8], "gamma": 0.3},
    "ExponentialLR": {"gamma": 0.9},
    "LinearLR": {"start_factor": 1.0, "end_factor": 0.25, "total_iters": 8},
    "PolynomialLR": {"total_iters": 8, "power": 1.7},
    "CosineAnnealingLR": {"T_max": 20, "eta_min": 0.01},
    "CosineAnnealingWarmRestarts": {"T_0": 3, "T_mult": 2, "eta_min": 0.01},
    "CyclicLR": {"base_lr": 0.01, "max_lr": PEAK, "step_size_up": 4, "cycle_momentum": False},
    "CyclicLR, triangular2": {
        "base_lr": 0.01,
        "max_lr": PEAK,
        "step_size_up": 4,
        "mode": "triangular2",
        "cycle_momentum": False,
    },
    "OneCycleLR": {"max_lr": PEAK, "total_steps": STEPS, "pct_start": 7 / 21},
}


def rates(name: str) -> list[float]:
    """The rate of every step."""
    import torch  # here, so that pytest can look for examples without it

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    scheduler = getattr(torch.optim.lr_scheduler, name.split(",")[0])(optimizer, **CALLS[name])
    path = []
    for _ in range(STEPS):
        path.append(scheduler.get_last_lr()[0])
        optimizer.step()
        if len(path) < STEPS:  # OneCycleLR refuses to go beyond
            scheduler.step()
    return path


def main() -> None:
    import torch

    stored = {"torch": torch.__version__} | {name: rates(name) for name in CALLS}
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in stored.items())
    Path(__file__).with_name("torch.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
