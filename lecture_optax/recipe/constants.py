"""Every number of the search, in one place, with its reason.

Fractions are of the T steps of a run; learning rates are counted in quarter decades, 10^(q/4). The
measurements are in `benchmarks/regret/`; no number depends on a problem.
"""

ETA = 8.0
"""The weight average forgets like k^-9: 2 is worse, 30 and 100 are equal on most problems."""

USUAL = -8
"""Adam at 1e-2, where averaged arms do best if nothing else is known."""

DECADE, HALF, QUARTER = 4, 2, 1
"""Steps between learning rates. Bracketing goes by decades; halves and quarters refine the best."""

REACH = 148
"""The quarter decades that float32 can hold."""

FIRST, FIRST_STEPS = 0.01, 6
"""The first evaluation of an arm: at 1 % of T (2 % leaves too little for the rest), but after at
least 6 steps, if that is not beyond the first level."""

LEVELS = (0.05, 0.1)
"""The fractions of a run at which half decades are compared to find the aim."""

EXPLORING = 0.4
"""The part of the first run that finding the aim may cost. All beyond one run may be spent too."""

DRIFT = 0.25
"""The best constant learning rate decreases with this power of time, fitted to curves: .2 to .4
cost the same within .04 points (`benchmarks/regret/drift.py`)."""

PULL, FAR = 0.2, 2.0
"""How strongly scores are pulled to the usual learning rate, a squared decade, where examples move
to and fro; and the decades beyond which the pull does not grow."""

NEW = 0.02
"""What an arm that did not run yet must promise more than one that did."""

MARK = 0.2
"""The fraction of a run between the steps at which the arms of the race are compared."""

MARGIN = 0.02
"""An arm is pruned when it is behind the best one, at the same mark, by 2 % of the progress. It
stops when two evaluations in a row are worse than its own best by as much."""

DECAYS = (0.5, 0.8)
"""Where a learning rate starts to decay to 0: in the middle, or later if the budget is small."""

SECOND_FROM = 3.0
"""The budget from which the second optimizer is always tried."""

LONGEST_CHAIN = 1.75
"""No arm starts that would end later than this, counted in runs that wait for each other."""

EVALUATIONS = (0.05, 0.1, 0.2)
"""The fraction of T between evaluations: the first that their share of the compute pays for."""

EVALUATION_SHARE, FORWARD = 0.1, 1 / 3
"""The share of the compute for evaluations, where an example costs a third of its gradient. It may
double where batches are tiny."""

EARLY, EARLY_ROWS, EARLY_EVALUATIONS = 0.09, (48, 128), 14
"""Before 9 % of T only the average is evaluated, on 48 to 128 examples; and about how often."""

RECHECKS = (2, 6)
"""The least and the most arms that are compared on all examples at the end of a search."""

FEW_ROWS = 200
"""With fewer validation examples, raw weights must be better than the average by a standard error:
their lowest evaluation is mostly luck."""

FOLD_ARMS, FOLD_SEARCH, MOST_FOLDS = 2, 1.0, 5
"""The arms that are cross-validated, the least budget of the search before, and the most folds that
it takes by itself."""

FOLD_MARKS = (0.1, 0.25, 0.5, 1.0)
"""The fractions of a run at which the arms of a fold are evaluated: not within the decay, as a
decay that is cut is no schedule of its own."""

HOLDOUT_SHARE = 0.2
"""The part of the training examples that is held out where no validation set is given."""
