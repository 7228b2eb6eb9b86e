"""Find code on the pages of the site that nothing executes, and commands that do not exist.

    python -m tools.check_pages

A page executes its Python in `{code-cell}` fences. Any other fence of Python needs its reason in
the line before it:

    % not executed: it needs four machines
    ```python

Commands in `console` fences are not run, but the Makefile must have the target of a `make`, and
the program must accept the arguments of a `lecture-optax`. Sphinx loads this module, too: there
each finding is a warning, so `make docs` fails.
"""

import contextlib
import io
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

FENCE = re.compile(r"\s*(?P<ticks>`{3,}|~{3,})\s*(?P<word>\{[\w:-]+\}|[\w+-]*)\s*(?P<rest>.*)")
LISTINGS = ("{code-block}", "{code}", "{sourcecode}")
PYTHON = ("", "py", "python", "python3", "pycon", "ipython", "ipython3")
REASON = re.compile(r"\s*% not executed: \w")
PROGRAM = re.compile(r"(?:\S*/)?(?:lecture-optax|python3? -m lecture_optax)(?:\s|$)")


def findings(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the description of what is wrong with the code of a page."""
    lines = text.splitlines()
    for at, language, content in _fences(lines):
        has_reason = at > 0 and REASON.match(lines[at - 1])
        if language == "console":
            yield from ((at + 1, wrong) for wrong in map(_wrong_with, _commands(content)) if wrong)
        elif language == "{code-cell}":
            if not has_reason and any("skip-execution" in line for line in content):
                yield at + 1, "a cell that is skipped: write `% not executed: reason` before it"
        elif language in PYTHON and not has_reason:
            what = "Python that is not executed" if language else "a fence without a language"
            yield at + 1, f"{what}: use a code-cell, or write `% not executed: reason` before it"


def _fences(lines: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """Yield the line, the language and the content of every fence that holds code."""
    directives: list[str] = []  # the ticks of those that are open: their content may have fences
    numbered = iter(enumerate(lines))
    for at, line in numbered:
        match = FENCE.fullmatch(line)
        if not match:
            continue
        ticks, language = match["ticks"], match["word"]
        if directives and not language and len(ticks) >= len(directives[-1]):
            directives.pop()
        elif language in LISTINGS:
            yield at, match["rest"], _content(numbered, ticks)
        elif language.startswith("{") and language != "{code-cell}":
            directives.append(ticks)
        else:
            yield at, language, _content(numbered, ticks)


def _content(numbered: Iterator[tuple[int, str]], ticks: str) -> list[str]:
    content = []
    for _, line in numbered:
        if line.strip().startswith(ticks):
            break
        content.append(line)
    return content


def _commands(content: list[str]) -> list[str]:
    """Return the commands after the prompts of a console, without their output."""
    text = "\n".join(content).replace("\\\n", " ")
    return re.findall(r"^\s*\$ (.*)", text, re.M)


def _wrong_with(command: str) -> str:
    """Return why a command cannot run, or nothing."""
    if target := re.match(r"make ([\w.-]+)", command):
        makefile = (ROOT / "Makefile").read_text()
        known = re.search(rf"^{re.escape(target[1])}:", makefile, re.M)
        return "" if known else f"the Makefile has no target {target[1]!r}"
    if program := PROGRAM.match(command):
        words = re.split(r"[|>]", command[program.end() :])[0]  # what the shell does not take
        return _refusal(shlex.split(words, comments=True))
    return ""


def _refusal(words: list[str]) -> str:
    """Return what the command line says about arguments that it refuses, without running them."""
    from lecture_optax import cli

    if words == ["--version"]:
        return ""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            cli._verb_of(words)
    except cli.UsageError as error:
        return str(error)
    except SystemExit as end:
        return said.getvalue() if end.code else ""
    return ""


def setup(app: Any) -> dict[str, Any]:
    """Warn of each finding while Sphinx reads the pages."""
    from sphinx.util import logging

    def warn(app: Any, page: str, source: list[str]) -> None:
        if page.startswith("reference/matrix/generated/"):
            return  # `certify` has executed the scripts, and their outputs stand below them
        for line, wrong in findings(source[0]):
            logging.getLogger(__name__).warning(wrong, location=(page, line))

    app.connect("source-read", warn)
    return {"parallel_read_safe": True}


def main() -> int:
    """Print every finding in the pages of docs/ and return whether there is one."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {wrong}"
        for path in sorted((ROOT / "docs").rglob("*.md"))
        for line, wrong in findings(path.read_text())
    ]
    print("\n".join([*found, f"{len(found)} blocks of code to change in the pages."]))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
