"""Which arguments of `fit` do not fit together? Refused before anything runs."""

import operator
from collections.abc import Mapping
from typing import Any

import optax
from jax.sharding import Mesh

from ..._core import validate
from ..._core.extras import warn
from ..._core.validate import in_words


def check_optimizer_arguments(
    tx: Any, hyperparams: Mapping[str, Any] | None, budget: float | None
) -> None:
    """A transformation; or a function with its numbers; or None, and then what it may cost."""
    if budget is not None:
        validate.at_least(0.5, budget=budget)
    if tx is not None and budget is not None:
        raise ValueError(
            "budget is what may be spent on choosing an optimizer, and goes with tx=None only, got "
            f"budget={budget!r} and tx={tx!r}: leave out one of them."
        )
    if hyperparams is None:
        return
    if not isinstance(hyperparams, Mapping):
        raise TypeError(
            "hyperparams must be a dict of numbers by name, as {'learning_rate': 1e-3}, got "
            f"{hyperparams!r}."
        )
    if not callable(tx) or isinstance(tx, optax.GradientTransformation):
        raise TypeError(
            "hyperparams are the arguments of tx, which must then be a function that builds an "
            f"optimizer, got tx={tx!r}: pass tx=lo.adam, hyperparams={{'learning_rate': 1e-3}}, or "
            "leave hyperparams out."
        )


def check_kept(keep: Any, valid: Any) -> None:
    """What is best is decided on held-out data."""
    if keep is None:
        return
    validate.one_of("best", "last", "average", keep=keep)
    if keep == "best" and valid is None:
        raise ValueError(
            'keep="best" needs held-out data to know what is best, got valid=None: give '
            'valid=(x, y), or keep="last".'
        )


def check_beside_a_stream(stream: Any, steps: Any, checkpoint: Any, **given: Any) -> None:
    """What an iterable of batches decides by itself, or does not know.

    **Warns** where a checkpoint could not be gone on with.
    """
    if steps is None:
        raise ValueError(
            "an iterable does not say how many batches an epoch has: give steps, got "
            f"steps=None and epochs={given['epochs']!r}."
        )
    if beside := [name for name in ("batch_size", "sample_weight") if given[name] is not None]:
        raise ValueError(
            f"{in_words(beside)} is for arrays, of whose rows fit makes batches; an iterable has "
            "its own: build them as they should be, and weigh rows in a loss of your own."
        )
    if checkpoint is not None and not stream.can_resume:
        warn(
            "data are an iterator that cannot be put back to where it stood: this run is saved, "
            f"but cannot go on when it was interrupted; {ANEW}"
        )


def check_functions(callbacks: Any, hooks: Any, apply: Any) -> None:
    """Lists of functions, and a function."""
    for name, given in {"callbacks": callbacks, "hooks": hooks}.items():
        if callable(given) or not all(map(callable, given)):
            raise TypeError(f"{name} must be a list of functions, got {given!r}: [f] is one.")
    if apply is not None and not callable(apply):
        raise TypeError(
            f"apply must be a function that calls the model, got {apply!r}: see "
            "Problem.from_linen, from_nnx and from_equinox for what it is given."
        )


def check_mesh(mesh: Any) -> None:
    if mesh is not None and not isinstance(mesh, Mesh):
        raise TypeError(
            f'mesh must be a jax.sharding.Mesh, got {mesh!r}: jax.make_mesh((8,), ("data",)).'
        )


def check_seed(**given: Any) -> None:
    """Check that seeds are whole numbers >= 0, of which `jax.random.key` makes keys."""
    for name, seed in given.items():
        try:
            is_negative = operator.index(seed) < 0
        except TypeError:
            raise TypeError(f"{name} must be a whole number >= 0, got {seed!r}.") from None
        if is_negative:
            raise ValueError(f"{name} must be a whole number >= 0, got {seed!r}.")


SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(("x", "y", "train", "train_data", "dataset", "dataloader"), "data=(x, y)"),
    **dict.fromkeys(
        ("validation_data", "val", "val_data", "eval_data", "validation", "valid_data"),
        "valid=(x_valid, y_valid)",
    ),
    **dict.fromkeys(("lr", "learning_rate", "optimizer", "optim", "opt"), "tx=lo.adam(1e-3)"),
    **dict.fromkeys(("loss_fn", "criterion", "objective"), "loss"),
    **dict.fromkeys(("num_steps", "n_steps", "max_steps", "iterations", "max_iter"), "steps"),
    **dict.fromkeys(("epoch", "num_epochs", "n_epochs", "max_epochs"), "epochs"),
    **dict.fromkeys(("batchsize", "bs"), "batch_size"),
    **dict.fromkeys(("rng", "rngs", "key", "random_state", "random_seed"), "seed"),
    **dict.fromkeys(("weights", "weight", "sample_weights"), "sample_weight"),
    **dict.fromkeys(("accumulate_grad_batches", "gradient_accumulation_steps"), "accumulate"),
    **dict.fromkeys(("variables", "init_params", "initial_params"), "params"),
    **dict.fromkeys(("checkpoint_dir", "default_root_dir", "save_dir"), "checkpoint"),
    **dict.fromkeys(("verbose", "verbosity", "enable_progress_bar"), "progress"),
    **dict.fromkeys(("eval_every", "validation_freq", "looks"), "evaluations"),
    "patience": "callbacks=[lo.training.callbacks.early_stopping(patience=5)]",
    "families": "optimizers",
    "around": "wrap",
    "": "the data are one argument, the pair (x, y)",
}
"""What users of Keras, Flax and PyTorch call the arguments of `lo.fit` and of a search."""

SEARCH_SYNONYMS: Mapping[str, str] = {
    **SYNONYMS,
    **dict.fromkeys(("epochs", "epoch", "num_epochs", "n_epochs", "max_epochs"), "steps"),
    **dict.fromkeys(("tx", "optimizer", "optim", "opt"), 'optimizers={"adam": lo.adam}'),
    **dict.fromkeys(("lr", "learning_rate", "learning_rates", "lrs"), "rates=[1e-3, 1e-2]"),
    "model": "problem",
    "seed": "seeds",
}
"""The same for searches, which select the learning rate; a sweep is given several."""

ANEW = (
    "give an object that can be iterated anew (its __iter__ returns a new generator), or a Grain "
    "dataset with .repeat()."
)
