"""Whose line does a warning name? The one that called this library, however deep it was noticed."""

import sys
import warnings

PACKAGE = __name__.partition(".")[0]


def warn(message: str) -> None:
    """Warn a person of what happened in a call of theirs."""
    frame, level = sys._getframe(1), 2
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] == PACKAGE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level - 1)
