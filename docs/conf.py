"""The documentation site: `make docs` writes it to build/docs/html.

The pages are read from a disk: no page requests anything from a network.
"""

import importlib.util
import os
import sys
from pathlib import Path

import lecture_optax
from tools import REPOSITORY

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["CI"] = "true"  # no progress in the output of cells

# Pages share what JAX compiles. An entry that another page is writing is compiled again.
_build = Path(__file__).parents[1] / "build" / "docs"
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(_build / "jax")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # programs that run once
os.environ["PYTHONWARNINGS"] = "ignore:Error reading persistent compilation cache entry"

# Kernels read and write nothing in the home directory, and do not warn of their local sockets.
_jupyter = _build / "jupyter"
for _name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR"):
    os.environ[_name] = str(_jupyter)
(_jupyter / "profile_default").mkdir(parents=True, exist_ok=True)
(_jupyter / "profile_default" / "ipython_kernel_config.py").write_text(
    'c.IPKernelApp.log_level = "ERROR"\n'
)

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "lecture_optax"
author = "The lecture_optax authors"
version = release = lecture_optax.__version__

extensions = ["myst_nb", "sphinx_copybutton", "sphinx_design", "tools.check_pages"]
extensions += ["tutorials", "reference", "matrix", "gallery", "lab", "link_names", "llms"]
exclude_patterns = ["_*", "**/_*"]
nitpicky = True

myst_enable_extensions = ["amsmath", "attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_show_tb = True
nb_execution_timeout = 600  # of a cell, enough on a busy machine
nb_execution_in_temp = True  # pages write checkpoints and logs
nb_execution_excludepatterns = ["tutorials/*"]  # `make notebooks` has executed them
nb_merge_streams = True
nb_output_stderr = "warn"
nb_ipywidgets_js = {}  # no kernel runs: of a widget its picture is shown
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

# One script that holds its fonts: the variants with font files request one for each style.
_mathjax = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax"
mathjax_path = "tex-svg-full.js"  # with \color, for formulas in the colour of their curve
mathjax3_config = {"options": {"enableMenu": False}}  # the menu loads further scripts
html_static_path = ["_static", str(_mathjax / mathjax_path)]
html_css_files = ["site.css"]

html_theme = "sphinx_book_theme"
html_title = "lecture_optax"
html_copy_source = False
html_use_index = False  # the reference has every name
html_show_search_summary = False  # it fetches pages, which a browser refuses on a disk
html_context = {"default_mode": "auto"}  # unset, each page logs an error
html_theme_options = {
    "navbar_persistent": [],
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "footer_content_items": [],
    "use_download_button": False,
    "use_fullscreen_button": False,
    "use_repository_button": bool(REPOSITORY),
    "repository_url": f"https://github.com/{REPOSITORY}" if REPOSITORY else "",
}
