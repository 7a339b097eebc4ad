"""Sphinx settings. `make docs` builds the pages, and a warning is an error."""

from __future__ import annotations

import sys
from pathlib import Path

import sinagot

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "sinagot"
author = "The sinagot developers"
copyright = author  # noqa: A001  (the name that Sphinx reads)
version = release = sinagot.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "toml_keys",
]
# The generated part of the TOML page is included by `reference/toml.md`, it is no page of its own.
exclude_patterns = ["_build", "reference/generated"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# A single backtick in a docstring names a Python object; one without a page of its own is shown as code.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"sinagot {version}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
