"""Where does a picture go, if nobody says?"""

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
