"""Reproductions: the fault that breaks a law, as a short script that anybody can run."""
