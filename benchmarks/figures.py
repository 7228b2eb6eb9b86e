"""Write the numbers and tables of README.md and docs/ from the stored results, or check them.

    python -m benchmarks.figures --write     fill every marker
    python -m benchmarks.figures --check     fail where a page differs from the results

What stands between `<!-- figure: NAME -->` and `<!-- end -->` is the text of NAME, one of

    evidence, regret-table, ...          a table of `TABLES`
    adam_step                            all figures of a benchmark, as a table
    adam_step/about                      its command, machine, date and versions
    adam_step/picture                    the picture of its ratios, for a page in docs/
    adam_step/FIGURE/KEY                 one number
    scaling/TABLE                        a table that a benchmark stores as it is shown

`--check` also refuses ratios and regrets outside of markers ("1.07x", "2.5 times as fast",
"0.7 / 7.7 / 41"): they would not change with the results.
"""

import argparse
import functools
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from .measured import Figure, load, words
from .run import BENCHMARKS

ROOT = Path(__file__).parents[1]
MARKER = re.compile(r"<!-- figure: (.+?) -->(.*?)<!-- end -->", re.S)
MEASURED = re.compile(
    r"\b\d+\.\d+ ?[x×](?!\w)"
    r"|\b\d+(?:\.\d+)? times (?:as \w+ as|faster|slower|sooner)"
    r"|\b\d+(?:\.\d+)? / −?\d+(?:\.\d+)? / −?\d+(?:\.\d+)?"
)
"""Numbers that only a measurement can give."""

INLINE_FIRST = re.compile(r"^ *<!-- figure: .+? -->(?!$|<!-- end -->)", re.M)

NOT_MEASURED = {"docs/explanation/scaling.md": "it cites a simulation, whose tables are checked"}
"""Why a page may have such numbers outside of markers."""

METHODS = {
    "Adam at 1e-3": "Adam 1e-3",
    "Adam at 1e-2": "Adam 1e-2",
    "Prodigy": "Prodigy",
    "**`lo.fit` without `tx`, the default**": "lo.fit without tx",
    "**`lo.fit(budget=1)`**": "the recipe, 1",
    "**`lo.fit(budget=1.5)`**": "the recipe, 1.5",
    "**`lo.fit(budget=3)`**": "the recipe, 3",
    "Adam, the best of 1e-4, 1e-3, 1e-2 and 1e-1": "Adam, best of 1e-4 ... 1e-1",
    "**`lo.fit(budget=4.5)`**": "the recipe, 4.5",
    "Optuna, Hyperband": "Optuna Hyperband, 8",
    "Optuna, TPE": "Optuna TPE, 16",
    "random search": "random search, 32",
}
"""The methods of the shorter tables, and their names in the results."""

EVIDENCE = (0, 1, 3, 4, 6, 7, 10, 11)
"""Those of the README."""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\n"


def regret_rows(figures: dict[str, Figure], names: dict[str, str]) -> Iterator[list[str]]:
    """Yield a line for each method, by the name that the page gives it."""
    for label, method in names.items():
        one = figures[method]
        cells = (regret_words(one, which) for which in ("validation", "test"))
        yield [label, words("cost, runs", one["cost, runs"]), *cells, f"{one['problems']}"]


def regret_words(one: Figure, which: str) -> str:
    """Return the median, the 90th percentile and the worst regret on one set."""
    keys = (f"{which} {x}, %" for x in ("median", "90 %", "worst"))
    return " / ".join(words(key, one[key]) for key in keys if key in one)


REGRET_HEAD = (
    "method",
    "cost, in training runs",
    "validation: median / 90 % / worst",
    "test: median / 90 % / worst",
)


def regret_table(group: str) -> str:
    """Return the table of all methods of a group, by their cost."""
    figures = load(f"regret_{group}")["figures"]
    names = [name for name in figures if not name.startswith(("first edition", "prototype"))]
    names.sort(key=lambda name: figures[name]["cost, runs"])
    ours = {name: label for label, name in METHODS.items() if label.startswith("**")}
    labels = {ours.get(name, name): name for name in names}
    return table([*REGRET_HEAD, "problems"], regret_rows(figures, labels))


def short_table(rows: Iterable[int]) -> str:
    """Return lines of `METHODS`, measured on all problems."""
    methods = list(METHODS.items())
    figures = load("regret_development")["figures"]
    lines = regret_rows(figures, dict(methods[i] for i in rows))
    return table(REGRET_HEAD, (line[:-1] for line in lines))


def diagnosis_table(name: str) -> str:
    """Return the right and opposite answers after 10 and 30 % of the steps."""

    def cell(one: Figure, part: int) -> str:
        keys = [f"right after {part} %, share", f"opposite after {part} %"]
        return " / ".join(words(key, one[key]) for key in keys)

    rows = (
        [evidence, words("runs", one["runs"]), cell(one, 10), cell(one, 30)]
        for evidence, one in load(name)["figures"].items()
    )
    cells = "share right / number opposite"
    parts = f"after 10 % of the steps: {cells}", f"after 30 %: {cells}"
    return table(["evidence", "answers", *parts], rows)


TABLES: dict[str, Callable[[], str]] = {
    "evidence": functools.partial(short_table, EVIDENCE),
    "regret-table": functools.partial(short_table, range(len(METHODS))),
    "regret-table-all": functools.partial(regret_table, "development"),
    "regret-table-fresh": functools.partial(regret_table, "fresh"),
    "regret-table-regret-set": functools.partial(regret_table, "regret_set"),
    "diagnosis-table": functools.partial(diagnosis_table, "diagnosis"),
    "diagnosis-change-table": functools.partial(diagnosis_table, "diagnosis_change"),
}


def figures_table(figures: dict[str, Figure]) -> str:
    """Return a line for each figure; a ratio stands with the range of its rounds."""
    keys = dict.fromkeys(key for one in figures.values() for key in one)
    keys = [key for key in keys if key not in ("low", "high")]

    def cell(one: Figure, key: str) -> str:
        if key not in one:
            return ""
        text = words(key, one[key])
        if key == "ratio" and one["low"] < one["high"]:
            text += f" ({words('low', one['low'])} to {words('high', one['high'])})"
        return text

    rows = ([name, *(cell(one, key) for key in keys)] for name, one in figures.items())
    return table(["", *(key.partition(",")[0] for key in keys)], rows)


def about(known: dict[str, Any]) -> str:
    """Return where numbers come from, in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in known["versions"].items())
    note = f". {known['note']}" if "note" in known else ""
    return f"`{known['command']}`, {known['machine']}, {known['date']}, {versions}{note}"


def text_of(name: str) -> str:
    """Return the text of a marker."""
    if name in TABLES:
        return TABLES[name]()
    benchmark, *path = name.split("/")
    try:
        known = load(benchmark)
    except FileNotFoundError:
        if benchmark in BENCHMARKS:
            is_block = path in ([], ["picture"])
            return "\n\nNot measured yet: `make bench`.\n\n" if is_block else "not measured yet"
        raise
    if not path:
        return figures_table(known["figures"])
    if path == ["about"]:
        return about(known)
    if path == ["picture"]:
        title = "The ratios of the table, with the range of their rounds"
        return f"\n\n![{title}](../benchmarks/results/{benchmark}.png)\n\n"
    if path[0] in known.get("tables", ()):
        head, *rows = known["tables"][path[0]]
        return table(head, rows)
    figure, key = path
    if key in ("validation", "test"):
        return regret_words(known["figures"][figure], key)
    return words(key, known["figures"][figure][key])


def pages(root: Path = ROOT) -> list[Path]:
    """Return the pages that are written by hand."""
    every = sorted((root / "docs").rglob("*.md"))
    return [root / "README.md", *(x for x in every if x.parent.name != "generated")]


def filled(text: str) -> str:
    """Return a page with the text of every marker."""
    return MARKER.sub(
        lambda found: f"<!-- figure: {found[1]} -->{_text(found[1])}<!-- end -->", text
    )


def _text(name: str) -> str:
    try:
        return text_of(name)
    except (KeyError, ValueError, FileNotFoundError) as error:
        raise SystemExit(f"No result has the figure {name!r}: {error!r}") from None


def problems(path: Path, root: Path = ROOT) -> Iterator[str]:
    """Yield what a page says that the results do not."""
    text, name = path.read_text(), str(path.relative_to(root))

    def at(found: re.Match[str]) -> str:
        return f"{name}:{text.count(chr(10), 0, found.start()) + 1}"

    for found in MARKER.finditer(text):
        if (now := _text(found[1])) != found[2]:
            yield f"{at(found)}: {found[1]} is {now.strip()!r}, the page has {found[2].strip()!r}"
    bare = MARKER.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    for found in INLINE_FIRST.finditer(text):
        yield f"{at(found)}: a marker that starts a line makes it HTML: start the line with a word"
    if "<!-- figure:" in bare:
        yield f"{name}: a marker `<!-- figure: ... -->` has no `<!-- end -->`"
    for found in MEASURED.finditer("" if name in NOT_MEASURED else bare):
        yield f"{at(found)}: {found[0]!r} is typed: put it into a marker (benchmarks/figures.py)"


def main(given: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--write", action="store_true")
    way.add_argument("--check", action="store_true")
    if parser.parse_args(given).write:
        for path in pages():
            path.write_text(filled(path.read_text()))
    bad = [line for path in pages() for line in problems(path)]
    print("\n".join([*bad, f"{len(bad)} figures to change in the text."]))
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
