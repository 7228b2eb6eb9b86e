"""The arguments that train, recipe and compare share."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg
from tyro.constructors import PrimitiveConstructorSpec

from .._core import validate
from .arguments import problem_of, usage_errors

if TYPE_CHECKING:
    from ..training.problems import BuiltIn


def _number_or_none(kind: type, name: str, metavar: str) -> Any:
    """Return how tyro reads an optional number: its own error names classes of Python."""

    def read(words: list[str]) -> Any:
        try:
            return kind(words[0])
        except ValueError:
            raise ValueError(f"it must be {name}, got {words[0]!r}.") from None

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: value is None or isinstance(value, kind),
        str_from_instance=lambda value: [str(value)],
    )


IntOrNone = Annotated[
    int | None, _number_or_none(int, "an integer", "INT"), arg(help_behavior_hint="")
]
FloatOrNone = Annotated[
    float | None, _number_or_none(float, "a number", "FLOAT"), arg(help_behavior_hint="")
]
NameOrNone = Annotated[str | None, arg(metavar="NAME", help_behavior_hint="")]
PathOrNone = Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="")]


@dataclass
class RunOptions:
    """The problem, and how long and on which batches to train."""

    problem: Annotated[Positional[str], arg(metavar="PROBLEM")]
    """A built-in problem (see `lecture-optax problems`), or module:function that returns one."""
    steps: IntOrNone = None
    """Steps of a run; by default those of the problem."""
    batch_size: IntOrNone = None
    """Examples per batch; by default those of the problem."""
    seed: int = 0
    """Seed of the initial parameters and of the order of the examples."""
    json: bool = False
    """Print JSON instead of text."""

    def checked(self) -> "tuple[BuiltIn, dict[str, Any]]":
        """Return the problem, and the keyword arguments `steps`, `batch_size` and `seed`."""
        problem = problem_of(self.problem)
        steps = problem.steps if self.steps is None else self.steps
        size = problem.batch_size if self.batch_size is None else self.batch_size
        with usage_errors():
            validate.steps(steps=steps)
            if size is not None:
                validate.steps(of="examples", batch_size=size)
        return problem, {"steps": steps, "batch_size": size, "seed": self.seed}
