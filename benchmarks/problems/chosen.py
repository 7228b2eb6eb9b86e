"""The problems that the arguments of a command choose: a group, a folder, or names."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import jax

from . import GROUPS
from .folder import cases_in
from .parts import Case, Task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*")
    parser.add_argument("--group", choices=GROUPS, action="append")
    parser.add_argument("--folder", type=Path, help="problems that are defined there")


def chosen(given: argparse.Namespace) -> dict[str, Case]:
    """Return the chosen problems; those of a folder are named `folder/problem`."""
    groups = given.group or list(GROUPS)
    cases = {name: case for group in groups for name, case in GROUPS[group].items()}
    if given.folder is not None:
        own = cases_in(given.folder)
        cases = {f"{given.folder.name}/{name}": case for name, case in own.items()}
    return {name: cases[name] for name in given.names or cases}


def built(cases: dict[str, Case]) -> Iterator[tuple[str, Case, Task]]:
    """Build one problem after the other; say which are skipped, as their data are not installed."""
    for name, case in cases.items():
        try:
            task = case.build()
        except FileNotFoundError as error:
            print(f"{name} is skipped. {error}")
            continue
        yield name, case, task
        jax.clear_caches()
