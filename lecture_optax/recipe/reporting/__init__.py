"""The explanation of a search as data, text, plots and a page."""
