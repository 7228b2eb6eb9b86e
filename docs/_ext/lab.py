"""The lab without a server, on its page of the site: the page's scripts, its programs, its runtime.

The programs are those that `make lab-programs` wrote. The runtime, onnxruntime-web, comes from npm
while the site is built, and is part of the site: a page requests nothing.
"""

import shutil
import subprocess
import sys

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

from tools import frontend

STATIC = frontend.ROOT / "build" / "docs" / "static"
PAGE = "lab"

logger = logging.getLogger(__name__)


def generate(app: Sphinx, config: Config) -> None:
    """Write the files of the page, in the folder `lab` of the site's static files."""
    folder = STATIC / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    config.html_static_path.append(str(STATIC))
    for name in ("lab.js", "lab.css"):
        shutil.copy(frontend.BUNDLES / name, folder)
    # in a process of its own: JAX starts threads, and Sphinx forks
    command = [sys.executable, "-m", "tools.static_lab", folder / "programs.js"]
    subprocess.run(command, check=True, cwd=frontend.ROOT)
    try:
        frontend.install()
        frontend.run("node", "runtime.mjs", folder)
    except (OSError, subprocess.CalledProcessError) as error:
        logger.warning("the page `lab` lacks its runtime, which npm installs: %s", error)


def add_scripts(app: Sphinx, pagename: str, *_: object) -> None:
    """Add the scripts to their page only."""
    if pagename == PAGE:
        app.add_css_file("lab/lab.css")
        app.add_js_file("lab/lab.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", generate)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True}
