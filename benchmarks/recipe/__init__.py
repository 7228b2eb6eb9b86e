"""How good is the recipe's pick?

problems.py   the development problems: on these the recipe may be looked at
grid.py       the exhaustive grid, kept as a small table: python -m benchmarks.recipe.grid
regret.py     regret against it, ours and others': python -m benchmarks.recipe.regret
"""
