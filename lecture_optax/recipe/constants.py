"""Every number of the search, in one place, with its reason.

Fractions are of the T steps of a run; learning rates are counted in quarter decades, 10^(q/4). The
measurements are in `benchmarks/regret/`; no number depends on a problem.
"""

ETA = 8.0
"""The weight average forgets like k^-9: 2 is worse, 30 and 100 are equal on most problems."""

STARTS = (-12, -8)
"""Adam at 1e-3, the lecture's first try, and the decade above, where averaged arms do best."""

DECADE, HALF, QUARTER = 4, 2, 1
"""Steps between learning rates. Bracketing goes by decades; halves and quarters refine the best."""

FIRST, FIRST_STEPS, FIRST_MOST = 0.01, 6, 0.05
"""The first evaluation of an arm: at 1 % of T (2 % leaves too little for the rest), but after at
least 6 steps, and at most at 5 %."""

RUNGS = ((0.03, 6), (0.1, 3), (0.3, 2))
"""How many arms run to which fraction. With fewer, arms that start on a plateau are lost."""

NESTEROV_RUNGS = ((0.03, 3), (0.1, 2))
"""The same for the second optimizer, which comes late and has less to explore."""

EVALUATIONS = (0.05, 0.1, 0.125, 0.2, 0.25)
"""The fraction of T between evaluations: the first that the evaluations' share pays for."""

EVALUATION_SHARE, FORWARD = 0.085, 1 / 3
"""The share of the compute for evaluations, where an example costs a third of its gradient. With
the evaluations that always happen it stays below a tenth, except in runs so short that evaluating
all examples alone costs more."""

EARLY, EARLY_ROWS = 0.09, (32, 128)
"""Before 9 % of T only the average is evaluated, on a fixed subset of the examples."""

STILL, MOVED = 0.002, 0.01
"""A change of the validation loss below .002 of the loss scale does not count. An arm has not moved
if its examples' losses changed by less than .01 of it."""

BETTER, WORSE = 0.1, 0.4
"""The mean change over examples counts if it is large beside their mean absolute change: -1 if all
get better, 1 if all get worse, 0 if they balance. A tenth is the error of a hundred examples; on
plateaus arms get worse by up to .3, at learning rates that are too large by .8 and more."""

SLOPE, SLOPE_FROM = 0.5, 0.08
"""From the second rung on, an arm that still decreases is credited half of its last decrease."""

GAINED, EQUAL = 0.1, 0.02
"""While no arm gained a tenth of the loss scale, Adam at 1e-2 keeps its place, and scores that
differ by less than .02 of it are equal."""

SMALLER = 0.02
"""At the last rung, half a decade more must be better by 2 % of the progress: learning rates that
are best early are too large late."""

OVERFITS = 0.02
"""The incumbent stops when it is worse than its own best by 2 % of the progress."""

PRUNE = ((0.1, 0.10), (0.3, 0.02), (0.5, 0.01))
"""A challenger is pruned when it is behind the best arm, at the same step, by so much."""

INCUMBENT_EVALUATIONS = (0.1, 0.3, 0.5, 0.75, 1.0)
"""The fractions of a run at which the incumbent stops if it overfits."""

TRUNCATED, SHORT = 1.2, 2.0
"""Below 1.2 runs the incumbent is stopped early, not the search. Below 2 its own learning rate
decays."""

INCUMBENT_SHARE = 0.7
"""The share of a truncated budget that is reserved for the incumbent."""

DECAY_SPAN = {"truncated": (0.52, 0.7), "short": (0.8, 1.0)}
"""The span of a linear decay to 0 of the incumbent, where no branch of it can be paid for."""

NESTEROV_FROM = 1.0
"""The runs that must remain in the budget before the second optimizer is tried."""

CLOSER_UNTIL, CLOSER = 0.35, (-0.75, -0.5, -0.25, 0.25, 0.5, 0.75)
"""If the best evaluation is before .35 of T, its arm is evaluated again at these parts of the
distance between evaluations."""

LEAST = 0.08
"""With fewer runs left, nothing that remains to do can change the pick."""

FEW_ROWS = 200
"""With fewer validation examples, raw weights must be better than the average by a standard error:
their lowest evaluation is mostly luck."""

HOLDOUT_SHARE = 0.2
"""The part of the training examples that is held out where no validation set is given."""

DRIFT = 0.25
"""The best constant learning rate decreases with this power of time, fitted to curves."""

NOISE = 0.1
"""A change of the loss below this part of the examples' own movement is no news."""

PULL, FAR = 0.2, 2.0
"""How strongly scores are pulled to the usual learning rate, a squared decade, where examples move
to and fro; and the decades beyond which the pull does not grow."""

QUIET = 0.3
"""Progress is not magnified beyond this part of the first movement at the usual learning rate."""

WORST = -1.0
"""Scores end here: how bad a bad arm is does not matter."""
