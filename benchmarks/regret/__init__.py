"""How good is the recipe's pick?

problems/     the development problems: on these the recipe may be looked at
grid.py       the exhaustive grid, kept as a small table: python -m benchmarks.regret.grid
regret.py     regret against it, ours and others': python -m benchmarks.regret
  peers.py      what would a person do instead?
  lane.py       how does any optimizer run on equal terms?
  table.py      what came of it? `losses.json` as a table and a picture
"""
