"""A step of every row under chex: compiled, not compiled, and put on a device."""

import chex
import jax
from absl.testing import parameterized

from lecture_optax.testing import CONTRACT
from lecture_optax.testing._samples import one


class Step(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True, with_device=True)
    @parameterized.parameters(*CONTRACT)
    def test_is_the_same_wherever_it_runs(self, row):
        subject = CONTRACT[row]
        params, gradients = one(subject)
        tx = subject.build()
        step = self.variant(lambda g, state: subject.update(tx, g, state, params))
        state = self.variant(tx.init)(params)
        for gradient in gradients:
            expected = jax.eval_shape(
                lambda g, s: subject.update(tx, g, s, params), gradient, state
            )
            update, state = step(gradient, state)
            chex.assert_trees_all_equal_shapes_and_dtypes((update, state), expected)
            chex.assert_tree_all_finite((update, state))
        updates, last = subject.run(tx, params, gradients)
        chex.assert_trees_all_close((update, state), (updates[-1], last), rtol=1e-5)
