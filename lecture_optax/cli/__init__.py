"""The command line: `lecture-optax`, or `python -m lecture_optax`.

    words.py      What may be typed for a problem, an optimizer, a schedule?
    train.py      train one problem
    compare.py    several optimizers on one problem
    look_up.py    problems, info, theory: what is there?

A verb is a dataclass: its fields are the arguments, and `run` returns the exit status.

    0 done    1 failed    2 mistyped    130 Ctrl-C    143 terminated
"""

import contextlib
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from .. import _validate
from .words import MistypedError, typed

INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was typed, and return the exit status.

    ```python
    >>> from lecture_optax.cli import main
    >>> main(["trian", "softmax"])
    2

    ```
    """
    try:
        with _ended_by_sigterm():
            return _verb_of(list(sys.argv[1:] if arguments is None else arguments)).run()
    except MistypedError as error:
        return _say(str(error), 2)
    except KeyboardInterrupt:
        return _say("interrupted.", INTERRUPTED)
    except (ValueError, OSError, ArithmeticError, ImportError) as error:
        if not _is_ours(error):
            raise
        return _say(str(error), 1)


def _verb_of(words: list[str]) -> Any:
    """The verb that was typed, with its arguments."""
    try:
        import tyro
    except ImportError as error:
        raise ImportError(
            'the command line needs tyro: pip install "lecture_optax[cli]".'
        ) from error
    from .compare import Compare
    from .look_up import Info, Problems, Theory
    from .train import Train

    verbs = {v.__name__.lower(): v for v in (Train, Compare, Problems, Info, Theory)}
    if words and not words[0].startswith("-"):
        with typed():
            _validate.one_of(*verbs, **{"the verb": words[0]})
    return tyro.extras.subcommand_cli_from_dict(
        verbs,
        prog="lecture-optax",
        description="Train with the optimizers of a lecture: θ(k+1) = θ(k) - τ(k) D(k+1) v(k+1).",
        args=words,
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def _say(sentence: str, status: int) -> int:
    print(f"lecture-optax: {sentence}", file=sys.stderr)
    return status


def _is_ours(error: BaseException) -> bool:
    """Whether the library refused, or what it asked of Python; what broke elsewhere keeps its
    traceback."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = [str(frame.f_globals.get("__name__")).partition(".")[0] for frame in frames]
    others = [package for package in packages if package not in sys.stdlib_module_names]
    return others[-1] == __name__.partition(".")[0]


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Leave by an exception, so that files are closed and the terminal is put back."""

    def leave(*signal_and_frame: Any) -> None:
        raise SystemExit(TERMINATED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
