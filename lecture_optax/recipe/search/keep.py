"""Which weights a search may return: the arguments `keep` and `average`."""

from typing import Any, NamedTuple

from ..._core import validate
from ...training.optimizer import average_of


class Keep(NamedTuple):
    """The weights that a search may return.

    - `last`: those of the last step alone, of the arms that ran furthest.
    - `kinds`: the raw weights (False), their average (True), or both.
    """

    last: bool = False
    kinds: tuple[bool, ...] = (False, True)

    @staticmethod
    def of(keep: str | None, average: Any) -> "Keep":
        """Return what the arguments of that name ask for.

        **Raises** `TypeError` or `ValueError` for other values, or values that contradict.
        """
        validate.one_of("best", "last", "average", keep="best" if keep is None else keep)
        average_of(average)
        if average is False and keep == "average":
            raise ValueError(
                'keep="average" returns averaged weights, got average=False too: leave out one of '
                "them."
            )
        last = keep in ("last", "average")
        if average is False:
            return Keep(last, (False,))
        return Keep(last, (True,) if last else (False, True))


ANY = Keep()
