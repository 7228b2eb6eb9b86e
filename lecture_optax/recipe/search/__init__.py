"""The policy of a search: bracket, aim, race, and the selection of the weights (`policy.py`)."""
