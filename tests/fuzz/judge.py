"""The judge of a call: refused in words that name an argument, rightly accepted, or at fault."""

import contextlib
import io
import re
import signal
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

HANGS_AFTER = 20.0
"""The seconds after which a call is a hang."""

WORDS = ValueError, TypeError, ImportError, FloatingPointError
"""The kinds of a refusal. `NonFiniteError` is a `FloatingPointError`."""


class Hang(BaseException):
    """The call took too long."""


class Verdict(NamedTuple):
    """What became of a call: "accepted", "refused", "raw", "silent" or "hang"; and its reason."""

    kind: str
    reason: str = ""
    error: BaseException | None = None

    @property
    def is_fault(self) -> bool:
        return self.kind in ("raw", "silent", "hang")


def judge(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    names: Iterable[str],
    use: Callable[[Any], Any] = lambda result: result,
) -> Verdict:
    """Call a function, use its result, and judge what happens.

    - `names`: the words of which an error must have one: the arguments, the function itself.
    - `use`: what a user does with the result, as to take a step with an optimizer.
    """
    try:
        with _quietly(), _in_time():
            result = use(function(*args, **kwargs))
            bad = _not_finite(result)
    except Hang:
        return Verdict("hang", f"no end within {HANGS_AFTER:.0f} s")
    except (KeyboardInterrupt, SystemExit) as error:
        return Verdict("raw", f"it raises {error!r}", error)
    except Exception as error:
        problem = _problem(error, set(names))
        return Verdict("raw", problem, error) if problem else Verdict("refused", str(error), error)
    return Verdict("silent", f"the result has {bad}") if bad else Verdict("accepted")


def _problem(error: Exception, names: set[str]) -> str:
    """Return what is wrong with an error, or nothing."""
    words = str(error)
    kind = f"{type(error).__name__}: {words[:200]}"
    if not isinstance(error, WORDS):
        return f"it raises {kind}"
    if any(re.match(rf"([\w.]+\.)?{name}\(\) (got|takes|missing)", words) for name in names):
        return ""  # Python's own words for a call that does not fit the signature
    frames = traceback.extract_tb(error.__traceback__)
    if any(frame.name.startswith("users_") for frame in frames):
        return ""  # an error of the user's own function, which its traceback shows
    if "/lecture_optax/" not in frames[-1].filename:
        return f"it is raised in {frames[-1].filename}:{frames[-1].lineno}: {kind}"
    if not any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", words) for name in names):
        return f"it names no argument: {kind}"
    return ""


def _not_finite(tree: Any) -> str:
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        try:
            values = np.asarray(leaf)
        except Exception:
            continue
        if values.dtype.kind in "fc" and not np.isfinite(values).all():
            return f"{values.ravel()[~np.isfinite(values.ravel())][0]} at {path or 'its root'}"
    return ""


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, HANGS_AFTER)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
