"""Conversion of the data that users have to arrays; no library is imported for it."""
