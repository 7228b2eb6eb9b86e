"""The training loop: chunks of compiled steps, and evaluations between them (`loop.py`)."""
