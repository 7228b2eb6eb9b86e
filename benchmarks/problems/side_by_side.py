"""Questions about problems, answered on any executor.

A question is the name of a problem and a key, as a seed. Each is a job: its worker builds the
problem, once for consecutive questions about it, and answers in its own thread or process.
"""

import argparse
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax

from lecture_optax import recipe
from lecture_optax.recipe.execution.devices import Devices
from lecture_optax.recipe.execution.executor import Executor, InThisProcess, Job

from .parts import Case, Task

Answer = Callable[[Any], Any]
"""A function from a key to an answer, which can be pickled and is not None."""

Prepare = Callable[[str, Case, Task], Answer]
"""A function from a problem to what answers questions about it. It can be pickled."""


class Question(NamedTuple):
    name: str
    key: Any = None


class Skipped(NamedTuple):
    """Why a problem has no answer: its data are not installed."""

    reason: str


@dataclass
class Answerer:
    """A worker (`recipe/execution/executor.py`) that answers questions about problems.

    - `choose`: returns the problems by name, in every process anew.
    """

    choose: Callable[[], dict[str, Case]]
    prepare: Prepare
    device: Any = None
    _last: tuple[str, Answer] | None = field(default=None, init=False)

    def run(
        self, question: Question, state: None, poll: Callable[[], None]
    ) -> tuple[Any, dict[str, Any]]:
        with jax.default_device(self.device):
            return self._answer_of(question.name)(question.key), {}

    def placed_on(self, device: Any) -> "Answerer":
        return replace(self, device=device)

    def _answer_of(self, name: str) -> Answer:
        if self._last is None or self._last[0] != name:
            if self._last and self.device is None:  # other devices would have to compile again
                jax.clear_caches()
            self._last = name, self._prepared(name)
        return self._last[1]

    def _prepared(self, name: str) -> Answer:
        case = self._cases[name]
        try:
            task = case.build()
        except FileNotFoundError as error:
            skipped = Skipped(str(error))
            return lambda key: skipped
        return self.prepare(name, case, task)

    @functools.cached_property
    def _cases(self) -> dict[str, Case]:
        return self.choose()


def answers(
    questions: Sequence[Question],
    choose: Callable[[], dict[str, Case]],
    prepare: Prepare,
    executor: Executor | None = None,
) -> Iterator[tuple[Question, Any]]:
    """Yield questions with their answers, in the order in which they are answered.

    It says which problems are skipped, as their data are not installed.
    """
    skipped = set()
    worker = Answerer(choose, prepare)
    with (executor or InThisProcess()).start(worker, lambda: None) as pool:
        for done in pool.run([Job(question) for question in questions]):
            question = questions[done.index]
            if not isinstance(done.report, Skipped):
                yield question, done.report
            elif question.name not in skipped:
                skipped.add(question.name)
                print(f"{question.name} is skipped. {done.report.reason}")


def add_executor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--executor",
        type=executor_named,
        metavar="{devices,ray,ray:ADDRESS}",
        help="train side by side, on all devices or by Ray; by default one after the other",
    )


def executor_named(name: str) -> Executor:
    """Return an executor by its name: "devices", "ray" for this machine, or "ray:ADDRESS".

    A cluster gets the code of the benchmarks; the library must be installed on its machines.
    """
    kind, _, address = name.partition(":")
    if name == "devices":
        return Devices()
    if name == "ray":
        return recipe.RayExecutor()
    if kind == "ray" and address:
        benchmarks = str(Path(__file__).parents[1])
        return recipe.RayExecutor(address, runtime_env={"py_modules": [benchmarks]})
    raise argparse.ArgumentTypeError(
        f"must be devices, ray or ray:ADDRESS (as ray:auto, ray:host:6379), got {name!r}"
    )
