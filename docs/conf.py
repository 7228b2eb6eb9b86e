"""The documentation site: `make docs` writes it to build/docs/html."""

import os

import lecture_optax

os.environ["JAX_PLATFORMS"] = "cpu"

project = "lecture_optax"
author = "The lecture_optax authors"
version = release = lecture_optax.__version__

extensions = ["myst_nb", "sphinx_copybutton", "sphinx_design"]
exclude_patterns = ["_*"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

html_theme = "sphinx_book_theme"
html_title = "lecture_optax"
