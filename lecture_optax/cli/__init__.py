"""The command line: `lecture-optax`, or `python -m lecture_optax`.

A verb is a dataclass: its fields are the arguments, and `run` returns the exit status.

    0 done    1 failed    2 invalid arguments    130 Ctrl-C    141 closed pipe    143 terminated
"""

import contextlib
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

from .._core import __version__
from .._core.extras import require
from .arguments import UsageError, one_of

INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
CLOSED_PIPE = 141
"""128 + SIGPIPE, which Windows does not have: the reader of the output (`head`) has ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit status.

    ```python
    >>> from lecture_optax.cli import main
    >>> main(["trian", "softmax"])
    2

    ```
    """
    verb = None
    try:
        with _ended_by_signals(), _short_warnings():
            words = list(sys.argv[1:] if arguments is None else arguments)
            if words == ["--version"]:
                print(f"lecture-optax {__version__}")
                return 0
            verb = _verb_of(words)
            status = verb.run()
            sys.stdout.flush()  # a closed pipe is found here, and not at exit
            return status
    except UsageError as error:
        return _print_error(str(error), 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except KeyboardInterrupt as interrupt:
        return _print_error(f"interrupted{_what_is_saved(verb, str(interrupt))}.", INTERRUPTED)
    except (ValueError, OSError, ArithmeticError, ImportError) as error:
        if not _raised_by_us(error):
            raise
        return _print_error(str(error), 1)


def script() -> NoReturn:
    """Run `main` as a program."""
    try:
        status = main()
    except SystemExit as end:
        status = end.code
    if status in (INTERRUPTED, TERMINATED):
        sys.stdout.flush()
        os._exit(status)  # JAX, interrupted in a compilation, may crash at exit: status 139
    sys.exit(status)


def _verb_of(words: list[str]) -> Any:
    """Parse the verb and its arguments."""
    tyro = require("tyro", extra="cli", what="the command line")
    from .certify import Certify
    from .compare import Compare
    from .diagnose import Diagnose
    from .identify import Identify
    from .info import Info, Problems, Theory
    from .lab import Lab
    from .recipe import Recipe
    from .train import Train

    tools = (Diagnose, Certify, Identify, Lab)
    all_of_them = (Train, Recipe, Compare, *tools, Problems, Info, Theory)
    verbs = {verb.__name__.lower(): verb for verb in all_of_them}
    if words and not words[0].startswith("-"):
        verb = one_of("the command", words[0], verbs)
        return tyro.cli(  # alone, so that its errors point to its own help
            verbs[verb],
            prog=f"lecture-optax {verb}",
            args=words[1:],
            config=(tyro.conf.FlagCreatePairsOff,),
        )
    return tyro.extras.subcommand_cli_from_dict(
        verbs,
        prog="lecture-optax",
        description="Train with the optimizers of a lecture: θ(k+1) = θ(k) - τ(k) D(k+1) v(k+1). "
        "`lecture-optax --version` prints the version.",
        args=words,
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def _what_is_saved(verb: Any, saved: str) -> str:
    if saved:
        return f"; {saved}, and the same command resumes from it"
    if getattr(verb, "checkpoint", "") is None:
        return "; nothing is saved. With --checkpoint FOLDER, the same command resumes"
    return ""


def _print_error(sentence: str, status: int) -> int:
    print(f"lecture-optax: {sentence}", file=sys.stderr)
    return status


def _raised_by_us(error: BaseException) -> bool:
    """Return whether this library raised the error: errors of other code keep their traceback."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = [str(frame.f_globals.get("__name__")).partition(".")[0] for frame in frames]
    others = [package for package in packages if package not in sys.stdlib_module_names]
    return others[-1] == __name__.partition(".")[0]


@contextlib.contextmanager
def _short_warnings() -> Iterator[None]:
    """Print warnings without the file and the line of the library."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *more, **others: print(
            f"lecture-optax: {message}", file=sys.stderr
        )
        yield


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Raise an exception at a signal, so that files are closed and the terminal is restored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    if frame is not None and frame.f_code.co_name == "_xla_gc_callback":
        # an exception during garbage collection is printed and lost: send the signal again
        main_thread = threading.main_thread().ident or 0
        threading.Timer(0.05, signal.pthread_kill, (main_thread, number)).start()
    elif number == signal.SIGTERM:
        raise SystemExit(TERMINATED)
    else:
        raise KeyboardInterrupt
