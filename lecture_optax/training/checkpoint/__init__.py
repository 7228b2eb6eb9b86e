"""Saves of a run, and how it resumes from them with the same bits."""
