"""Law 8. The state is complete: n steps are k steps, save, restore, n - k steps."""

import jax
import jax.numpy as jnp
import numpy as np

from .._law import is_key, law, same_avals, same_values
from .._samples import paired
from .._subject import Subject


@law(8)
def a_restored_run_goes_on_bitwise(subject: Subject) -> None:
    """A state saved as NumPy leaves and restored into a new optimizer continues bit by bit."""
    params, gradients = paired(subject)
    sequence = [*gradients, *gradients]
    expected, last = subject.run(subject.build(), params, sequence)
    for k in (0, 2):
        _, state = subject.run(subject.build(), params, sequence[:k])
        saved = [leaf if is_key(leaf) else np.array(leaf) for leaf in jax.tree.leaves(state)]
        again = subject.build()
        tree = jax.tree.structure(jax.eval_shape(again.init, params))
        restored = jax.tree.unflatten(tree, map(_on_device, saved))
        updates, state = subject.run(again, params, sequence[k:], restored)
        same_avals(state, last, "the last state")
        same_values((updates, state), (expected[k:], last), f"what came after {k} steps")


def _on_device(leaf):
    return leaf if is_key(leaf) else jnp.asarray(leaf)
