"""Sphinx settings. `make docs` builds the pages, and a warning is an error."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

import sinagot

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "sinagot"
author = "The sinagot developers"
copyright = author  # noqa: A001  (the name that Sphinx reads)
version = release = sinagot.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "toml_keys",
]
# The generated part of the TOML page is included by `reference/toml.md`, it is no page of its own.
exclude_patterns = ["_build", "reference/generated"]

# The notebook page is executed each time, in a folder of its own; an error in it is an error of the build.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 120

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# `--option` and "quotes" stay as they are: they are copied from here to a shell.
smartquotes = False

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


def draw_error_tree(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Show the tree in the docstring of `sinagot.errors` as it is drawn there."""
    if name == "sinagot.errors":
        start = lines.index("SinagotError")
        lines[start:] = [".. code-block:: text", "", *(f"    {line}" for line in lines[start:])]


def keep_columns(app: Sphinx, context: Any, lines: list[str]) -> None:
    """Show the examples below a command's help as they stand in the terminal: literally, columns and all."""
    shown: list[str] = []
    is_block = False
    for line in lines:
        if line.startswith("| ") and not is_block:
            shown += [".. code-block:: text", ""]
        is_block = line.startswith("| ")
        shown.append(f"    {line[2:]}" if is_block else line)
    lines[:] = shown


def mend_dashes(app: Sphinx, tree: nodes.document) -> None:
    """Write a dash between a parameter and what is said of it; all else keeps its plain signs."""
    for text in list(tree.findall(nodes.Text)):
        if text == " -- ":
            text.parent.replace(text, nodes.Text(" – "))  # noqa: RUF001


def setup(app: Sphinx) -> None:
    """Register with Sphinx."""
    app.connect("doctree-read", mend_dashes)
    app.connect("sphinx-click-process-epilog", keep_columns)
    app.connect("autodoc-process-docstring", draw_error_tree)
