"""Find phrases that the text of this project avoids, and name the words to use instead.

    python -m tools.check_text

Text is what a user reads: docstrings, strings and comments of `lecture_optax/`, `examples/` and
`notebooks/`, and the Markdown files. A phrase may break across lines.
"""

import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

PHRASES = {
    "rate in force": (r"rates? in force", "current learning rate"),
    "held-out loss": (r"held-out loss(es)?", "validation loss"),
    "held-out rows": (r"held-out rows?", "validation set, validation examples"),
    "hand over": (r"hand(s|ed|ing)?( \w+)? over", "select, return"),
    "left behind": (r"(leav(e|es|ing)|left)( \w+)? behind", "prune"),
    "kept back": (r"(keep(s|ing)?|kept)( \w+)? back", "hold out"),
    "go on": (r"(go(es|ing|ne)?|went) on", "resume, continue"),
    "runs' worth": (r"runs?['’]s? worth", "the cost of N training runs"),
    "one's own": (r"one['’]s own", "your own"),
    "a person": (r"a person", "you, the user"),
    # gradients explode, runs diverge
    "a run explodes": (r"(?<!gradient\s)(?<!gradients\s)(explode\w*|explosions?)", "diverge"),
}

ALLOWED: dict[tuple[str, str], str] = {
    ("CHANGELOG.md", "a run explodes"): "the table of renamed names has the old ones",
}
"""The reason why a file may contain a phrase: `("file", "phrase"): "reason"`."""

LAYOUT = re.compile("ENCODING|NL|NEWLINE|INDENT|DEDENT|ENDMARKER|[FT]STRING_(START|END)")


def files() -> list[Path]:
    """Return the files whose text a user reads."""
    markdown = [path for at in (".", "docs/**", "notebooks") for path in ROOT.glob(f"{at}/*.md")]
    folders = ("lecture_optax", "examples", "notebooks")
    return sorted(markdown + [path for at in folders for path in (ROOT / at).rglob("*.py")])


def text_of(source: str) -> str:
    """Return the strings and comments of Python code on their lines; code becomes a null byte."""
    text, line = "", 1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = tokenize.tok_name[token.type]
        if LAYOUT.fullmatch(kind):
            continue
        text += "\n" * (token.start[0] - line)
        line = token.start[0] + token.string.count("\n")
        if kind == "COMMENT":
            text += token.string.lstrip("#")
        elif kind == "STRING":
            text += re.sub(r'^\w*("""|\'\'\'|"|\')|("""|\'\'\'|"|\')$', "", token.string)
        else:
            text += token.string if kind.endswith("STRING_MIDDLE") else "\0"
    return text


def found() -> Iterator[tuple[str, int, str]]:
    """Yield the file, the line and the name of every phrase that is found."""
    patterns = {
        name: re.compile(rf"\b({pattern.replace(' ', chr(92) + 's+')})\b", re.IGNORECASE)
        for name, (pattern, _) in PHRASES.items()
    }
    for path in files():
        text = path.read_text() if path.suffix == ".md" else text_of(path.read_text())
        for name, pattern in patterns.items():
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                yield str(path.relative_to(ROOT)), line, name


def main() -> int:
    """Print every phrase that is not allowed and every unused permission; return their number."""
    places = sorted(found())
    bad = [
        f"{path}:{line}: {name!r}: say {PHRASES[name][1]}"
        for path, line, name in places
        if (path, name) not in ALLOWED
    ]
    used = {(path, name) for path, _, name in places}
    bad += [f"ALLOWED {entry} matches nothing: remove it" for entry in ALLOWED if entry not in used]
    print("\n".join([*bad, f"{len(bad)} places to change in the text."]))
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
