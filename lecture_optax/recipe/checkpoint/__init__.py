"""Saves of a search, and how it resumes from them."""
