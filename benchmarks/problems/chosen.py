"""The problems that the arguments of a command choose: a group, a folder, or names."""

import argparse
from pathlib import Path

from . import GROUPS
from .folder import cases_in
from .parts import Case
from .side_by_side import add_executor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*")
    parser.add_argument("--group", choices=GROUPS, action="append")
    here = Path().absolute()
    parser.add_argument("--folder", type=here.joinpath, help="problems that are defined there")
    add_executor(parser)


def chosen(given: argparse.Namespace) -> dict[str, Case]:
    """Return the chosen problems; those of a folder are named `folder/problem`."""
    groups = given.group or list(GROUPS)
    cases = {name: case for group in groups for name, case in GROUPS[group].items()}
    if given.folder is not None:
        own = cases_in(given.folder)
        cases = {f"{given.folder.name}/{name}": case for name, case in own.items()}
    return {name: cases[name] for name in given.names or cases}
