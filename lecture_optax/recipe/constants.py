"""Every number of the search, in one place, with its reason.

Fractions are of the T steps of a run; rates are counted in quarters of a decade, 10^(q/4). What
was measured for each stands in `benchmarks/recipe/`; nothing here depends on a problem.
"""

ETA = 8.0
"""The weight average forgets like k^-9: 2 is worse, 30 and 100 are equal on most problems."""

STARTS = (-12, -8)
"""Adam at 1e-3, the lecture's first try, and the decade above, where averaged arms do best."""

DECADE, HALF, QUARTER = 4, 2, 1
"""Steps between rates. A walk of decades finds the valley, halves and quarters its floor."""

FIRST, FIRST_STEPS, FIRST_MOST = 0.01, 6, 0.05
"""Where an arm is first looked at: 1 % of T (2 % costs the tail), but 6 steps, and at most 5 %."""

RUNGS = ((0.03, 6), (0.1, 3), (0.3, 2))
"""How many arms are kept to which fraction. Thinner rungs lose runs that start on a plateau."""

NESTEROV_RUNGS = ((0.03, 3), (0.1, 2))
"""The same for the second family, which comes late and has less to explore."""

EVALUATIONS = (0.05, 0.1, 0.125, 0.2, 0.25)
"""How far looks at held-out rows may be apart: the first that the looks' share pays for."""

EVALUATION_SHARE, FORWARD = 0.085, 1 / 3
"""What looks may cost of the compute, a row a third of a row's gradient: with those that cannot be
left out they stay below a tenth, but in runs so short that all rows alone cost more."""

EARLY, EARLY_ROWS = 0.09, (32, 128)
"""Before 9 % of T only the average is looked at, on a fixed part of the rows."""

STILL, MOVED = 0.002, 0.01
"""A change of the held-out loss below .002 of the unit is no news. An arm whose rows move by less
than .01 of it stands still."""

BETTER, WORSE = 0.1, 0.4
"""The mean change over rows is news beside their mean absolute change: all better is -1, all worse
1, to and fro 0. A tenth is the error of a hundred rows; on plateaus arms get worse by up to .3, too
large rates by .8 and more."""

SLOPE, SLOPE_FROM = 0.5, 0.08
"""From the second rung on, an arm that still falls is credited half of its last fall."""

GAINED, EQUAL = 0.1, 0.02
"""While nothing gained a tenth of the unit, Adam at 1e-2 keeps its place, and scores that differ by
less than .02 of it are equal."""

SMALLER = 0.02
"""At the last rung, a half decade more must be better by 2 % of the progress: rates that are best
early are too large late."""

OVERFITS = 0.02
"""The leader stops when it is worse than its own best by 2 % of the progress."""

ABANDON = ((0.1, 0.10), (0.3, 0.02), (0.5, 0.01))
"""A candidate is given up when it is behind the best arm, at the same step, by so much."""

LEADER_EVALUATIONS = (0.1, 0.3, 0.5, 0.75, 1.0)
"""Where the leader is asked whether it still gets better."""

TRUNCATED, SHORT = 1.2, 2.0
"""Below 1.2 runs the leader is stopped early, not the search. Below 2 it decays by itself."""

LEADER_SHARE = 0.7
"""The part of a truncated budget that is kept for the leader."""

FALL = {"truncated": (0.52, 0.7), "short": (0.8, 1.0)}
"""Where the leader's rate falls to 0 along a line when no branch of it can be paid for."""

NESTEROV_FROM = 1.0
"""How many runs must be left before the second family is tried."""

CLOSER_UNTIL, CLOSER = 0.35, (-0.75, -0.5, -0.25, 0.25, 0.5, 0.75)
"""A best look before .35 of T is looked at again more closely, at these parts of the distance
between looks."""

LEAST = 0.08
"""Below this nothing that is left to do can change the pick."""

FEW_ROWS = 200
"""Below so many held-out rows the raw weights must be better than the average by a standard error:
their lowest look is mostly luck."""

HELD_BACK = 0.2
"""The part of the training rows that is kept back where no held-out rows are given."""
