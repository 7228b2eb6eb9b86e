"""`python -m lecture_optax.theory [--only NAME] [--json]`: do the lecture's claims hold here?"""

import argparse
import sys

from .run import run


def main() -> int:
    """Run from a shell; the status is 1 if a statement fails."""
    parser = argparse.ArgumentParser(prog="python -m lecture_optax.theory", description=run.__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", metavar="NAME", help="a name, or the beginning of some names")
    parser.add_argument("--json", action="store_true", help="records instead of a table")
    return run(**vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
