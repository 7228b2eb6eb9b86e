"""What was seen on the way: a record of every step, a line for every look at held-out data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class History:
    """The records of a run, by name; `history["loss"]` is one array.

    **Attributes**

    - `steps`: per step, `loss`, `grad_norm`, `update_norm`, `update_ratio`, `learning_rate`.
    - `looks`: per look, `step`, and what was evaluated there: `valid_loss`, `valid_accuracy`,
      `averaged_loss`, ...
    - `ratios`: at every look, the update/weight ratio of each leaf: pairs of a step and an array.
    """

    blocks: list[dict[str, np.ndarray]] = field(default_factory=list, repr=False)
    lines: list[dict[str, float]] = field(default_factory=list, repr=False)
    ratios: list[tuple[int, np.ndarray]] = field(default_factory=list, repr=False)

    @property
    def steps(self) -> dict[str, np.ndarray]:
        names = self.blocks[0] if self.blocks else {}
        return {name: np.concatenate([block[name] for block in self.blocks]) for name in names}

    @property
    def looks(self) -> dict[str, np.ndarray]:
        names = dict.fromkeys(name for line in self.lines for name in line)
        return {name: np.array([line.get(name, np.nan) for line in self.lines]) for name in names}

    def __getitem__(self, name: str) -> np.ndarray:
        found: Mapping[str, Any] = {**self.looks, **self.steps}
        if name not in found:
            raise KeyError(f"{name!r} was not recorded; there is {', '.join(map(repr, found))}")
        return found[name]

    def __contains__(self, name: object) -> bool:
        return name in self.steps or name in self.looks

    def __len__(self) -> int:
        """The number of steps."""
        return sum(len(block["loss"]) for block in self.blocks)

    def since(self, step: int) -> np.ndarray:
        """The losses from a step on, without joining what came before."""
        wanted, found = len(self) - step, []
        for block in reversed(self.blocks):
            if wanted <= 0:
                break
            found.append(block["loss"][-wanted:])
            wanted -= len(found[-1])
        return np.concatenate(found[::-1]) if found else np.zeros(0)

    def cut(self, step: int) -> None:
        """Forget what came after a step."""
        excess = len(self) - step
        while excess > 0:
            block = self.blocks.pop()
            rest = len(block["loss"]) - excess
            if rest > 0:
                self.blocks.append({name: x[:rest] for name, x in block.items()})
            excess = -rest
        self.lines[:] = [line for line in self.lines if line["step"] <= step]
        self.ratios[:] = [pair for pair in self.ratios if pair[0] <= step]
