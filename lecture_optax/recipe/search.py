"""Which arm goes on, which wins? The policy, step by step.

0. All arms start alike and see the same rows; each keeps an average of its weights and is ranked
   by the average's held-out loss. Arms run at a constant rate and are continued, never restarted.
1. Walk (`walk.py`): decades, until the best has both neighbours. `plateau.py`: what is no news.
2. Rungs (`rungs.py`): the best six to 3 %, three to 10 %, two to 30 %.
3. Leader (`leader.py`): the best to the end, or as far as it goes; it stops when it overfits.
4. Spend (`spend.py`): neighbours, a fall of the rate, the other family, quarters, runners-up.
5. Hand over (`choose.py`): the best of all looks, of raw weights or their average.
"""

from . import constants as c
from .leader import lead
from .population import Arm
from .race import Race
from .rungs import climb
from .spend import spend
from .spending import Spending
from .walk import walk


def search(race: Race, gains: list[float | None]) -> None:
    """Spend the budget of `race`; what was found is in it. One gain a family (`gain_of`)."""
    truncated = race.budget < c.TRUNCATED
    reserve = c.LEADER_SHARE * race.budget if truncated else 1.0
    starts = tuple(Arm(0, quarter) for quarter in c.STARTS)
    home = starts[-1].quarter
    scores = walk(race, starts, reserve) or {starts[0]: 0.0}
    ranked, scores = climb(race, scores, c.RUNGS, home, reserve)
    tried: dict[Arm, float] = {}
    leader = lead(race, ranked, tried)
    if leader is None or (race.done(leader) < 0.99 and race.left < 0.1):
        return
    others = list(enumerate(gains))[1:]
    spend(Spending(race, ranked, scores, tried, others))
