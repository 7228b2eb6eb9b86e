"""`python -m lecture_optax`: the command line, without an installed script."""

from .cli import script

if __name__ == "__main__":
    script()
