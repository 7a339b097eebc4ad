"""The `dataset_description.json` of a BIDS derivative, where outputs go to one.

Knows the folders of a configuration and what BIDS asks for (https://bids-specification.readthedocs.io, version 1.10);
must not know records. Written by the first run that has something to do; a file of somebody else is never touched.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sinagot.config.settings import Configuration
from sinagot.engine.state.history import replace_text
from sinagot.version import __version__

__all__ = ["DESCRIPTION", "describe_outputs", "is_derivative"]

DESCRIPTION = "dataset_description.json"
#: Where the raw data do not say theirs.
_BIDS_VERSION = "1.10.0"
_US = "sinagot"


def is_derivative(configuration: Configuration) -> bool:
    """Say whether outputs go to a BIDS derivative: to ``<BIDS dataset>/derivatives/<name>``.

    A dataset is BIDS when it has a `dataset_description.json`, or when the path of its records begins with ``sub-{``.
    """
    folder = configuration.output_path
    if folder.parent.name != "derivatives" or folder == configuration.data_path:
        return False
    path = configuration.records_path or ""
    first = path if isinstance(path, str) else "/".join(path)
    return first.startswith("sub-{") or (folder.parent.parent / DESCRIPTION).is_file()


def describe_outputs(configuration: Configuration) -> None:
    """Write the description of the outputs, or bring our version in it up to date.

    Parameters
    ----------
    configuration : Configuration
        Its folders.

    Raises
    ------
    OSError
        It can't be written.
    """
    if not is_derivative(configuration):
        return
    file = configuration.output_path / DESCRIPTION
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not os.path.lexists(file):
            _write_new(file, _described(configuration))
        return
    except (OSError, ValueError):
        return  # of somebody who knows what it means
    ours = _our_entry(found)
    if ours is not None and ours.get("Version") != __version__:
        ours["Version"] = __version__
        _write(file, found)


def _described(configuration: Configuration) -> dict[str, Any]:
    root, folder = configuration.output_path.parent.parent, configuration.output_path
    try:
        raw = json.loads((root / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raw = {}
    raw = raw if isinstance(raw, dict) else {}
    name = raw.get("Name")
    version = raw.get("BIDSVersion")
    source = {"URL": "bids:raw:"}
    if isinstance(raw.get("DatasetDOI"), str):
        source["DOI"] = raw["DatasetDOI"]
    return {
        "Name": f"{folder.name}: derivatives of {name if isinstance(name, str) and name else root.name}",
        "BIDSVersion": version if isinstance(version, str) and version else _BIDS_VERSION,
        "DatasetType": "derivative",
        "DatasetLinks": {"raw": "../.."},
        "GeneratedBy": [{"Name": _US, "Version": __version__}],
        "SourceDatasets": [source],
    }


def _our_entry(found: Any) -> dict[str, Any] | None:
    """Find what we wrote about ourselves; only a file that names us first is ours."""
    entries = found.get("GeneratedBy") if isinstance(found, dict) else None
    first = entries[0] if isinstance(entries, list) and entries else None
    return first if isinstance(first, dict) and first.get("Name") == _US else None


def _write(file: Path, described: dict[str, Any]) -> None:
    replace_text(str(file), json.dumps(described, indent=2, ensure_ascii=False) + "\n")


def _write_new(file: Path, described: dict[str, Any]) -> None:
    """Write a whole file, unless somebody else does meanwhile: theirs stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{DESCRIPTION}.{os.getpid()}~")
    _write(draft, described)
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    except OSError:  # a drive without hard links
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)
