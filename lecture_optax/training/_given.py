"""Are these parameters of that model?"""

from typing import Any

import jax
import numpy as np


def check_params(own: Any, given: Any) -> None:
    """Given parameters have the paths and the shapes of the model's own."""
    want, have = (
        {jax.tree_util.keystr(path): np.shape(x) for path, x in leaves}
        for leaves in map(jax.tree_util.tree_leaves_with_path, (own, given))
    )
    wrong = [f"nothing for {path}" for path in want if path not in have]
    wrong += [f"{path}, which the model has not" for path in have if path not in want]
    wrong += [
        f"{path} of shape {have[path]} for {want[path]}"
        for path in want
        if path in have and have[path] != want[path]
    ]
    if wrong:
        raise ValueError(
            f"params must be like the model's own parameters, got {'; '.join(wrong)}. Start from "
            "result.params, or from those of a model built in the same way."
        )
