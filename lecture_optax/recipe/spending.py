"""What has been tried to the end, what was given up, and what is still to be tried?"""

from dataclasses import dataclass, field

from .population import Arm
from .race import Race


@dataclass
class Spending:
    """The state of step 4.

    - `ranked`, `scores`: what the rungs left, and the last score of every arm.
    - `tried`: the lowest look of every arm that was run to the end; `given_up`: those that were
      not; `fallen`: those with a branch whose rate falls; `closer`: those looked at again.
    - `others`: the families to come, by number, with their gains.
    """

    race: Race
    ranked: list[Arm]
    scores: dict[Arm, float]
    tried: dict[Arm, float]
    others: list[tuple[int, float | None]]
    given_up: set[Arm] = field(default_factory=set)
    fallen: set[Arm] = field(default_factory=set)
    closer: set[Arm] = field(default_factory=set)

    @property
    def best(self) -> Arm:
        return min(self.tried, key=lambda arm: self.tried[arm])

    def known(self, arm: Arm) -> bool:
        return arm in self.tried or arm in self.given_up
