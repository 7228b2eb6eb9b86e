"""Packages of other authors on the package index: what to install, and what is certified of it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Package(NamedTuple):
    """A package and its factories.

    - `requirement`: what pip installs, beside JAX and Optax in the versions of the lock; `needs`
      are dependencies that it does not declare.
    - `authors`: as its metadata has them.
    - `imports`: code that makes the names of `factories`, each with the arguments it requires.
    - `problem`: why nothing of it is certified.
    """

    requirement: str
    authors: str
    imports: str = ""
    factories: Mapping[str, str] = MappingProxyType({})
    needs: tuple[str, ...] = ()
    problem: str = ""


def _of(module: str, *names: str) -> dict[str, str]:
    return {f"{module}.{name}": "" for name in names}


_NOT_OPTAX = "Its optimizers are no transformations of Optax: they take the loss and the batch."

PACKAGES = (
    Package(
        "aura-optax==0.1.0",
        "Enrico Ballini",
        "import aura_optax",
        _of("aura_optax", "adam_aura", "muon_aura"),
    ),
    Package(
        "eformer==0.0.80",
        "Erfan Zare Chavoshi",
        "import eformer.optimizers._custom",
        _of("eformer.optimizers._custom", "mars"),
    ),
    Package(
        "levanter==1.2.dev1644",
        "David Hall, Jason Wang, Ivan Zhou and others",
        "import levanter.optim",
        {
            **_of("levanter.optim.adopt", "scale_by_adopt"),
            **_of("levanter.optim.cautious", "scale_by_cautious"),
            **_of("levanter.optim.kron", "scale_by_kron"),
            **_of("levanter.optim.rmsprop", "scale_by_rmsprop_momentum"),
            **_of("levanter.optim.scion", "scale_by_signum"),
            **_of("levanter.optim.soap", "scale_by_soap"),
        },
        ("gitpython",),
    ),
    Package(
        "optax-swag==0.1.0",
        "not stated",
        "import optax_swag",
        {"optax_swag.swa": "freq=10"},
    ),
    Package(
        "rollfast==0.2.1",
        "Clément Poiret",
        "import rollfast",
        _of("rollfast", "adamw"),
    ),
    Package(
        "stam-optimizer==0.1.0",
        "Assem Sabry",
        "import stam_optimizer",
        _of("stam_optimizer", "stam", "stam_lite"),
    ),
    Package(
        "distributed-kron==2.0.0",
        "Evan Walters",
        problem="`import distributed_kron` raises with JAX 0.10: its type `P` has no subscripts.",
    ),
    Package(
        "optax-adan==0.1.5",
        "Boris Yangel",
        problem="`import optax_adan` raises with Optax 0.2.8, which has no "
        "`optax._src.transform.update_moment`.",
    ),
    Package(
        "optax-shampoo==0.0.6",
        "Rohan Anil",
        problem="`init` calls `jax.tree_map`, which JAX 0.10 does not have.",
    ),
    Package(
        "psgd-jax==0.2.9",
        "Evan Walters, Omead Pooladzandi, Xi-Lin Li",
        problem="`import psgd_jax` raises with Optax 0.2.8, which has no `optax._src.clipping`.",
    ),
    Package(
        "flashoptim-jax==0.1.0",
        "Sam Acquaviva",
        problem="Its optimizers are no transformations of Optax: `step` replaces the parameters.",
    ),
    Package("jaxopt==0.8.5", "Google LLC", problem=_NOT_OPTAX),
    Package("kfac-jax==0.0.8", "DeepMind", problem=_NOT_OPTAX),
    Package("optimistix==0.1.0", "Jason Rader, Patrick Kidger and others", problem=_NOT_OPTAX),
    Package("python-somax==1.0.1", "Nick Korbit", problem=_NOT_OPTAX),
)
