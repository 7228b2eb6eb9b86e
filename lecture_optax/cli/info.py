"""The verbs `problems`, `info` and `theory`."""

import json as json_module
import platform
from dataclasses import dataclass
from importlib import metadata

from .._core import __version__
from .._core.tables import text_table
from .arguments import usage_errors
from .options import NameOrNone


@dataclass
class Problems:
    """List the built-in problems."""

    json: bool = False
    """Print a JSON list instead of a table."""

    def run(self) -> int:
        from ..training.problems import PROBLEMS

        if self.json:
            fields = ("about", "steps", "batch_size")
            rows = [
                {"name": name, **{field: getattr(problem, field) for field in fields}}
                for name, problem in PROBLEMS.items()
            ]
            print(json_module.dumps(rows))
            return 0
        rows = [("problem", "steps", "batch", "description")]
        for name, problem in PROBLEMS.items():
            rows.append((name, str(problem.steps), str(problem.batch_size), problem.about))
        print(text_table(rows, "lrrl"))
        return 0


EXTRAS = {
    "flax": ("flax",),
    "equinox": ("equinox",),
    "train": ("grain", "orbax-checkpoint", "rich", "scikit-learn"),
    "plot": ("matplotlib",),
    "log": ("tensorboardX",),
    "cli": ("rich", "tyro"),
    "lab": ("anywidget", "scikit-learn", "starlette", "uvicorn", "websockets"),
    "theory": ("PEPit",),
}


@dataclass
class Info:
    """Print versions, devices and installed extras, for a bug report."""

    json: bool = False
    """Print a JSON object instead of lines."""

    def run(self) -> int:
        import jax

        versions = {name: metadata.version(name) for name in ("jax", "jaxlib", "numpy", "optax")}
        facts = {
            "lecture_optax": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            **versions,
            "devices": ", ".join(map(str, jax.devices())),
            **{f"[{extra}]": _state(packages) for extra, packages in EXTRAS.items()},
        }
        if self.json:
            print(json_module.dumps(facts))
        else:
            print(text_table(list(facts.items()), "ll"))
        return 0


def _state(packages: tuple[str, ...]) -> str:
    found = {name: _version(name) for name in packages}
    missing = [name for name, version in found.items() if version is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@dataclass
class Theory:
    """Test the lecture's statements on this code; the exit status is 1 if one fails."""

    only: NameOrNone = None
    """A statement, or the beginning of the names of several."""
    json: bool = False
    """Print JSON records instead of a table."""

    def run(self) -> int:
        from ..theory import run

        with usage_errors():
            return run(self.only, self.json)
