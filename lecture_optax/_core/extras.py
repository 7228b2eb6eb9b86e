"""Where does a picture go, if nobody says?"""

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def new_axes() -> "Axes":
    """Axes of a new figure. Nothing is shown.

    **Raises** `ImportError` without Matplotlib, naming the extra.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError('plots need Matplotlib: pip install "lecture_optax[plot]".') from error
    return pyplot.subplots(layout="constrained")[1]


PACKAGE = __name__.partition(".")[0]


def warn(message: str) -> None:
    """Warn a person of what happened in a call of theirs."""
    frame, level = sys._getframe(1), 2
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] == PACKAGE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level - 1)
