"""Checks of the arguments of `lo.fit`, and the names that other libraries give them."""

import operator
from collections.abc import Mapping
from typing import Any

import optax
from jax.sharding import Mesh

from ..._core import validate
from ..._core.extras import warn
from ..._core.validate import in_words


def check_optimizer_arguments(
    tx: Any, hyperparams: Mapping[str, Any] | None, budget: float | None, **of_a_search: Any
) -> None:
    """Check that `tx` is a transformation, a function with `hyperparams`, or None.

    `of_a_search` are arguments that need a budget.
    """
    if budget is not None:
        validate.at_least(0.5, budget=budget)
    for name, value in of_a_search.items():
        if value is not None and budget is None:
            raise ValueError(
                f"{name} is for a search, got {name}={value!r} and budget=None: give budget=6 with "
                f"tx=None, or leave out {name}."
            )
    if tx is not None and budget is not None:
        raise ValueError(
            f"budget needs tx=None, got budget={budget!r} and tx={tx!r}. The budget pays for a "
            "search for the optimizer: leave out tx to search, or budget to train with tx."
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


def check_keep(keep: Any, valid: Any) -> None:
    """Check `keep`: the validation set decides which weights are best."""
    if keep is None:
        return
    validate.one_of("best", "last", "average", keep=keep)
    if keep == "best" and valid is None:
        raise ValueError(
            'keep="best" needs a validation set to select the weights, got valid=None: give '
            'valid=(x, y), or keep="last".'
        )


def check_metrics(metrics: Any, valid: Any) -> None:
    """Warn of metrics that nothing evaluates."""
    if metrics is not None and valid is None:
        warn(
            f"metrics={metrics!r} are not evaluated with valid=None: give the validation set, "
            "valid=(x, y), or leave metrics out."
        )


def check_beside_a_stream(steps: Any, **given: Any) -> None:
    """Refuse arguments that an iterable of batches decides by itself."""
    if steps is None:
        raise ValueError(
            "an iterable does not say how many batches an epoch has, got steps=None and "
            f"epochs={given['epochs']!r}: give steps."
        )
    if beside := [name for name in ("batch_size", "sample_weight") if given[name] is not None]:
        raise ValueError(
            f"{in_words(beside)} is for arrays, of which fit makes batches; an iterable has its "
            "own. Build them as they should be, and weigh examples in your own loss."
        )


def check_resumable(stream: Any, checkpoint: Any) -> None:
    """Warn if a checkpoint of a run on an iterable could not be resumed."""
    if checkpoint is not None and not stream.can_resume:
        warn(
            "data are an iterator whose position cannot be restored: this run is saved, but cannot "
            f"resume after an interruption; {ANEW}"
        )


def check_search_of_a_stream(valid: Any, folds: int | None) -> None:
    """Refuse a search on an iterable of batches that needs all examples at once."""
    if valid is None:
        raise ValueError(
            "a search on an iterable of batches needs a validation set, got valid=None: give "
            "valid=(x, y), or a fixed number of batches, as itertools.islice(batches, 20)."
        )
    if folds:
        raise ValueError(
            f"folds={folds} divide the examples of arrays, and data are an iterable of batches: "
            "leave out folds, or load the examples into arrays."
        )


def check_functions(callbacks: Any, hooks: Any, apply: Any = None) -> None:
    """Check that callbacks and hooks are lists of functions, and `apply` a function."""
    for name, given in {"callbacks": callbacks, "hooks": hooks}.items():
        if not isinstance(given, list | tuple) or not all(map(callable, given)):
            raise TypeError(f"{name} must be a list of functions, got {given!r}: [f] is one.")
        validate.function(takes=1, **{f"{name}[{i}]": each for i, each in enumerate(given)})
    if apply is not None and not callable(apply):
        raise TypeError(
            f"apply must be a function that calls the model, got {apply!r}: see "
            "Problem.from_linen, from_nnx and from_equinox for its arguments."
        )


def check_mesh(mesh: Any) -> None:
    """Check that `mesh` is one."""
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
        if operator.index(seed) >= 2**63:
            raise ValueError(f"{name} must be a whole number below 2**63, got {seed!r}.")
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
