"""Random trees, optimizers and hyperparameters, small and few."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

import lecture_optax as lo

DTYPES = ("float16", "bfloat16", "float32")
SHAPES = ((), (2,), (0,), (2, 1, 3))

leaves = st.builds(jax.ShapeDtypeStruct, st.sampled_from(SHAPES), st.sampled_from(DTYPES))


def _containers(children):
    names = st.sampled_from(["w", "count", "learning_rate", "μ"])
    several = st.lists(children, max_size=3)
    return several | several.map(tuple) | st.dictionaries(names, children, max_size=3)


trees = _containers(st.recursive(st.none() | leaves, _containers, max_leaves=6)) | leaves
"""Descriptions of leaves, and None, in dicts, lists and tuples; or nothing at all."""

rates = st.floats(0, 10, allow_subnormal=False)
decays = st.floats(0, 0.9999, allow_subnormal=False)
epsilons = st.floats(0, 1, allow_subnormal=False)


def _calls(factory, *arguments, **named):
    """The factory with its arguments, not called yet: beartype draws at random while it checks."""
    return st.builds(partial, st.just(factory), *arguments, **named)


makes = st.one_of(
    _calls(lo.sgd, rates),
    _calls(lo.sgd, rates, decays, st.booleans()),
    _calls(lo.adagrad, rates, epsilons, epsilons),
    _calls(lo.rmsprop, rates, decays, epsilons, epsilons, st.booleans(), st.booleans()),
    _calls(lo.adam, rates, decays, decays, epsilons, epsilons, nesterov=st.booleans()),
    _calls(lo.adamw, rates, decays, decays, epsilons, weight_decay=rates),
    _calls(lo.amsgrad, rates, decays, decays, epsilons),
    _calls(lo.adamax, rates, decays, decays, epsilons),
)
"""`make()` builds one of the optimizers."""


def numbers_for(tree, seed, dtype=None):
    """Arrays as they are described, of numbers between -1 and 1."""
    draw = np.random.default_rng(seed).uniform
    return jax.tree.map(lambda x: jnp.asarray(draw(-1, 1, x.shape), dtype or x.dtype), tree)


def of_other_dtype(tree, shift):
    """The same tree, every leaf in another dtype."""
    others = {d: DTYPES[(i + shift) % len(DTYPES)] for i, d in enumerate(DTYPES)}
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, others[x.dtype.name]), tree)
