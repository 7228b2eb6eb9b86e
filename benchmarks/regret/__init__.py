"""Regret of the recipe and of other methods, against an exhaustive grid.

python -m benchmarks.regret.grid             the lowest losses of any single run
python -m benchmarks.regret                  regret of the recipe and of the baselines
python -m benchmarks.regret.leave_one_out    whether a constant depends on one problem
python -m benchmarks.regret.drift            how the best learning rate decreases with time
python -m benchmarks.regret.search_time      the time of a search and of a sweep

`--executor devices`, `ray` or `ray:ADDRESS` measures side by side, on all devices or by Ray
(`benchmarks/problems/side_by_side.py`).
"""
