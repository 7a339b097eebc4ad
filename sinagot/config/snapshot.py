"""Writes the configuration of a run as a file that people and tools can read back.

Knows merged tables; must not know runs. `toml` is the writer, and since it mangles some strings and drops what it does
not know, nothing is believed before it was read back by `tomllib` and compared.
"""

from __future__ import annotations

import json
import tomllib
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

__all__ = ["save_snapshot"]


def save_snapshot(tables: dict[str, Any], folder: str | Path) -> Path:
    """Write ``config.toml``, and ``config.json`` beside it when TOML does not give back what was written.

    Parameters
    ----------
    tables : dict
        Merged tables of the configuration.
    folder : str or Path
        An existing folder.

    Returns
    -------
    Path
        The file that holds the configuration exactly.

    Raises
    ------
    OSError
        The folder can't be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_snapshot({"records": {"id_pattern": "REC-[0-9]+"}}, folder).name
    'config.toml'
    """
    import toml

    path = Path(folder) / "config.toml"
    try:
        text = toml.dumps(tables)
        is_same = tomllib.loads(text) == tables
    except (ValueError, TypeError, IndexError, RecursionError):
        text, is_same = "", False
    path.write_text(text, encoding="utf-8")
    if is_same:
        return path
    exact = path.with_suffix(".json")
    exact.write_text(json.dumps(tables, default=_text, indent=1), encoding="utf-8")
    return exact


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, (date, datetime, time)) else str(value)
