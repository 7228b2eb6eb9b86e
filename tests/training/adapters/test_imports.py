"""A library of models is imported by the user who has such a model, and by nobody else."""

import subprocess
import sys

CODE = """
import sys
import jax.numpy as jnp
import lecture_optax as lo
problem = lo.training.Problem.from_functions(
    init=lambda key: jnp.zeros(1),
    loss=lambda θ, batch: (batch - θ[0]) ** 2,
    train=jnp.arange(8.0),
)
lo.fit(problem, tx=lo.sgd(0.1), steps=2, progress=False)
try:
    lo.fit(lambda x: x, (jnp.ones(4), jnp.ones(4)), loss="mse", steps=2)
except TypeError as error:
    assert "model must be a linen module" in str(error)
print(*sorted({"flax", "equinox"} & sys.modules.keys()))
"""


def test_plain_functions_need_neither_flax_nor_equinox():
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""
