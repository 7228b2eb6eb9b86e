"""The rows of the matrix: every factory that is certified, and why others are not."""

import functools
import inspect
from types import ModuleType
from typing import Any, NamedTuple

import jax
import optax

import lecture_optax as lo
from tools.matrix.packages import PACKAGES
from tools.public_names import sections

ARGUMENTS = {
    "optax.contrib.mechanize": "base_optimizer=optax.sgd(0.01)",
    "optax.contrib.sam": "optimizer=optax.sgd(0.01), adv_optimizer=optax.sgd(0.05)",
    "optax.contrib.schedule_free": "base_optimizer=optax.sgd(0.01), learning_rate=0.01",
}
"""Required arguments other than a learning rate, which `certify` chooses."""

_BLOCK = "A block: the optimizers that are made of it have rows."
_WRAPPER = "A wrapper: what it keeps is what its member keeps."
_FUNCTION = "It makes a transformation of a function: what it keeps is what that keeps."
_PER_EXAMPLE = "It takes the gradient of each example, where `certify` gives that of a batch."

NOT_CERTIFIED = {
    "optax.apply_if_finite": _WRAPPER,
    "optax.chain": _WRAPPER,
    "optax.conditionally_mask": _WRAPPER,
    "optax.conditionally_transform": _WRAPPER,
    "optax.flatten": _WRAPPER,
    "optax.freeze": "It acts on the leaves of a mask that belongs to one tree.",
    "optax.lookahead": "Its parameters are pairs, of fast and slow ones.",
    "optax.masked": _WRAPPER,
    "optax.measure_with_ema": "It measures, and changes no update.",
    "optax.monitor": "It measures, and changes no update.",
    "optax.multi_transform": _WRAPPER,
    "optax.named_chain": _WRAPPER,
    "optax.partition": _WRAPPER,
    "optax.selective_transform": _WRAPPER,
    "optax.snapshot": "It measures, and changes no update.",
    "optax.stateless": _FUNCTION,
    "optax.stateless_with_tree_map": _FUNCTION,
    "optax.with_extra_args_support": _WRAPPER,
    "optax.contrib.differentially_private_aggregate": _PER_EXAMPLE,
    "optax.contrib.dpsgd": _PER_EXAMPLE,
    "optax.contrib.hutchinson_estimator_diag_hessian": "It estimates a Hessian: no step leaves it.",
    "optax.contrib.split_real_and_imaginary": _WRAPPER,
}
"""Why an optimizer or a wrapper has no row."""

_BLOCKS = ("scale", "clip", "add_", "apply_every", "normalize", "centralize", "identity", "trace")
_BLOCKS += ("adaptive_grad_clip", "ema", "keep_params_nonnegative", "reduce_on_plateau")
_BLOCKS += ("set_to_zero", "zero_nans")
"""How the names of blocks begin."""


class Row(NamedTuple):
    """A factory, and where it is from.

    - `name`: as one writes it: `optax.contrib.muon`.
    - `group`: the heading of its table.
    - `arguments`: those it requires, as code.
    - `imports`: what the code needs besides `jax`, `optax` and `lecture_optax as lo`.
    - `package`: what to install, if it is no part of this project's environment.
    """

    name: str
    group: str
    arguments: str = ""
    imports: str = ""
    package: str = ""

    @property
    def code(self) -> str:
        """The factory as an expression."""
        with_arguments = f"functools.partial({self.name}, {self.arguments})"
        return with_arguments if self.arguments else self.name

    def make(self) -> Any:
        """Return the factory; its package must be installed."""
        names = {"functools": functools, "jax": jax, "lo": lo, "optax": optax}
        exec(self.imports, names)
        return eval(self.code, names)


def rows() -> dict[str, Row]:
    """Return every row by its name, in the order of the page."""
    found = [*_of_optax(), *_of_ours(), *_of_packages()]
    groups = list(dict.fromkeys(row.group for row in found))
    found.sort(key=lambda row: groups.index(row.group))
    return {row.name: row for row in found}


def aliases() -> list[str]:
    """Return the public functions of Optax and `optax.contrib` that return a transformation."""
    return [
        f"{module.__name__}.{name}"
        for module in (optax, optax.contrib)
        for name in sorted(vars(module))
        if not name.startswith("_") and _returns_a_transformation(module, name)
    ]


def _returns_a_transformation(module: ModuleType, name: str) -> bool:
    """Return whether the annotation says so, or, where there is none, what is returned."""
    function = getattr(module, name)
    if inspect.isclass(function) or not callable(function):
        return False
    try:
        kind = inspect.signature(function).return_annotation
    except ValueError:  # a type of `typing`
        return False
    if kind is not inspect.Signature.empty:
        return inspect.isclass(kind) and issubclass(kind, optax.GradientTransformation)
    dotted = f"{module.__name__}.{name}"
    if dotted in ARGUMENTS or dotted in NOT_CERTIFIED:
        return True
    try:
        return isinstance(function(), optax.GradientTransformation)
    except TypeError:  # it requires arguments: a loss, an operation on trees
        return False


def without_row() -> dict[str, str]:
    """Return the aliases that have no row, and the reason."""
    blocks = [x for x in aliases() if x.rpartition(".")[2].startswith(_BLOCKS)]
    return {**dict.fromkeys(blocks, _BLOCK), **NOT_CERTIFIED}


def _of_optax() -> list[Row]:
    left_out = without_row()
    chosen = [name for name in aliases() if name not in left_out]
    return [Row(x, f"`{x.rpartition('.')[0]}`", ARGUMENTS.get(x, "")) for x in chosen]


def _of_ours() -> list[Row]:
    names = [n for n in sections()["Optimizers"] if not n.endswith("_tuning")]  # these give numbers
    return [Row(f"lo.{name}", "`lecture_optax`") for name in names]


def _of_packages() -> list[Row]:
    return [
        Row(name, "Other packages", arguments, package.imports, package.requirement)
        for package in PACKAGES
        for name, arguments in package.factories.items()
    ]
