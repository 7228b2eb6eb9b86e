"""The files of generated pages: a build reads again only what has changed."""

from pathlib import Path


def write(folder: Path, texts: dict[str, str], generated: str = "*") -> None:
    """Write files that have changed, and delete others whose names match `generated`."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(generated):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
