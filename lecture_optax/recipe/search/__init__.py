"""The policy of a search: bracketing, successive halving, refinement, selection (`policy.py`)."""
