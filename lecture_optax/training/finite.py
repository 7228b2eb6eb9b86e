"""What is said when a number is not finite, and what is handed over?"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .history import History

if TYPE_CHECKING:
    from .loop import Run


class NonFiniteError(FloatingPointError):
    """A loss, a gradient or an update was not finite.

    `run` stands before that step; or, where the batches cannot be had again, a few seconds before
    it: `run.step` says where. `step` is how many were finite, `what` is "loss", "grad_norm",
    "update_norm" or "a parameter".
    """

    def __init__(self, message: str, run: "Run", step: int, what: str):
        super().__init__(message)
        self.run, self.step, self.what = run, step, what


def which_was_not_finite(records: Mapping[str, np.ndarray], good: int) -> str:
    """The first number that was not, in the step after so many good ones."""
    names = ("loss", "grad_norm", "update_norm")
    return next((name for name in names if not np.isfinite(records[name][good])), "a parameter")


def what_was_not_finite(
    history: History, begin: int, records: Mapping[str, np.ndarray], good: int, bad: str
) -> str:
    """That `bad` was not at step `begin + good`, the last finite loss, the rate, what to try."""
    losses = np.concatenate([history.since(begin - 1), records["loss"][: good + 1]])
    finite = losses[np.isfinite(losses)]
    last = f"{finite[-1]:.4g}" if len(finite) else "none"
    rate = records["learning_rate"][good] if "learning_rate" in records else np.nan
    at = f" at learning rate {rate:.3g}" if np.isfinite(rate) else ""
    return (
        f"{bad} was not finite at step {begin + good}{at} (last finite loss: {last}). Try a "
        "learning rate a tenth of it, a warm-up, or optax.clip_by_global_norm(1.0) in front; if it "
        "is the first step, look for inputs out of scale and for log, sqrt or division at 0 in the "
        "loss."
    )
