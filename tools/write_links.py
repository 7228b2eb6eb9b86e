"""Write the links that need a public address, from `tools.REPOSITORY`, into files without code.

    python -m tools.write_links            # write them, or remove them while there is no address
    python -m tools.write_links --check    # fail when a file has others

These are the badges of the README, `[project.urls]`, the repository of CITATION.cff and of the
conda recipe, and the link to the documentation beside the issue forms.
"""

import re
import sys
from pathlib import Path

from tools import REPOSITORY

ROOT = Path(__file__).parents[1]

README = """
[![CI]({code}/actions/workflows/ci.yml/badge.svg)]({code}/actions/workflows/ci.yml)
[![Documentation]({code}/actions/workflows/docs.yml/badge.svg)]({site})
"""
URLS = """
[project.urls]
Documentation = "{site}"
Repository = "{code}"
Changelog = "{code}/blob/main/CHANGELOG.md"
Issues = "{code}/issues"
"""
RECIPE = """\
  homepage: {site}
  repository: {code}
"""
FORMS = """\
contact_links:
  - name: Documentation
    url: {site}
    about: It answers most questions, one a page.
"""
PLACES = {
    "README.md": (r"\A# .*\n", README),
    "pyproject.toml": (r"^\[project\.scripts\]\n.+\n", URLS),
    "CITATION.cff": (r"^license: .*\n", "repository-code: {code}\n"),
    "recipe/recipe.yaml": (r"^  license_file: .*\n", RECIPE),
    ".github/ISSUE_TEMPLATE/config.yml": (r"^blank_issues_enabled: .*\n", FORMS),
}
"""Of each file, the line after which the links stand, and the links."""


def with_links(text: str, line: str, links: str, repository: str) -> str:
    """Return a text with the links to a repository, instead of those that it has."""
    owner, _, name = repository.partition("/")
    code, site = f"https://github.com/{repository}", f"https://{owner}.github.io/{name}/"
    new = links.format(code=code, site=site) if repository else ""
    old = re.sub(r"\\{(code|site)\\}", r"https://[^/\\s]+(/[^/\\s]+)*?/?", re.escape(links))
    text, times = re.subn(f"({line})(?:{old})?", lambda m: m[1] + new, text, flags=re.M)
    if times != 1:
        raise ValueError(f"{line!r} matches {times} times, expected once.")
    return text


def main(arguments: list[str]) -> int:
    """Write the links, or compare them with the files; return the exit status."""
    stale = []
    for name, place in PLACES.items():
        text = (ROOT / name).read_text()
        if (new := with_links(text, *place, REPOSITORY)) != text:
            stale.append(name)
            if arguments != ["--check"]:
                (ROOT / name).write_text(new)
    if arguments == ["--check"] and stale:
        print(f"links in {', '.join(stale)} are out of date: run python -m tools.write_links.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
