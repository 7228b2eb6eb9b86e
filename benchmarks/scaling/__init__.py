"""How a search grows: its policy, on recorded curves, in a simulation of many workers.

python -m benchmarks.scaling                            tables and picture of the page `scaling`
python -m benchmarks.scaling.waiting                    what executors add, measured
python -m benchmarks.scaling.searches --curves FOLDER   records curves, trains what is missing
"""
