"""The matrix of certificates: its tables, and a page for every row, from the stored certificates.

They are written when a build begins, to `docs/reference/matrix/generated`, which git ignores.
"""

from pathlib import Path

from files import write
from sphinx.application import Sphinx

from tools.matrix.pages import pages

FOLDER = "reference/matrix/generated"


def generate(app: Sphinx) -> None:
    """Write the pages."""
    write(Path(app.srcdir, FOLDER), pages())


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for pages."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
