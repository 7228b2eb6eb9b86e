"""The rules of `lint`, one idea a file."""
