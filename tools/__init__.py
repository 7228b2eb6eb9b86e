"""Scripts that check and draw this repository: `python -m tools.NAME`, from its root."""
