"""Scripts that check and draw this repository: `python -m tools.NAME`, from its root."""

REPOSITORY = ""
"""`owner/name` on GitHub, empty without a public address: links and badges are built from it."""
