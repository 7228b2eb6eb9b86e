"""The arms of a search as one compiled program, their records, and the validation set."""
