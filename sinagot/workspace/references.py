"""Records as values of flows: plain facts that stand for a record, and the way back to it.

Knows workspaces that are open here, and how one is opened; must not know flows. `sinagot.flow.values` finds this module
by its name.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from importlib import import_module
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary, WeakValueDictionary

from sinagot.errors import StoredDataError

__all__ = ["facts_of", "find_record"]

_LOCK = threading.Lock()
#: Workspaces of this process that were spoken of, both ways.
_NAMES: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
_OPEN: WeakValueDictionary[str, Any] = WeakValueDictionary()
#: Those of other processes that were opened here.
_OPENED: dict[str, Any] = {}


def facts_of(record: Any) -> dict[str, Any]:
    """Give what a record is found by, as plain values.

    Parameters
    ----------
    record : Record
        Of an open workspace.

    Returns
    -------
    dict
        ``id, task, modality``, the name of the open workspace, and how another process opens it.
    """
    workspace = record.workspace
    with _LOCK:
        name = _NAMES.setdefault(workspace, uuid4().hex)
        _OPEN[name] = workspace
    config, kind = workspace.configuration, type(workspace)
    #: None where only this process knows how.
    how = None
    is_importable = kind.__module__ != "__main__" and kind.__qualname__.replace(".", "").isidentifier()
    if config.files and is_importable:
        how = {
            "kind": f"{kind.__module__}:{kind.__qualname__}",
            "files": [str(file) for file in config.files],
            "data": str(config.data_path),
            "scripts": str(config.scripts_path),
        }
    facts = {"id": record.id, "task": record.task, "modality": record.modality}
    return {**facts, "workspace": name, "how": how}


def find_record(facts: Mapping[str, Any]) -> Any:
    """Give the record that facts stand for: of the same workspace object in the process that has it open.

    Parameters
    ----------
    facts : mapping
        From `facts_of`, of this process or another one.

    Returns
    -------
    Record
        In another process, of a workspace that is opened there once.

    Raises
    ------
    StoredDataError
        The workspace is of another process, and no configuration file says how to open it.

    Examples
    --------
    >>> import sinagot
    >>> record = sinagot.Workspace("example/harbor")["REC-20200601"]
    >>> find_record(facts_of(record)).workspace is record.workspace
    True
    """
    workspace = _OPEN.get(facts["workspace"])
    if workspace is None:
        with _LOCK:
            workspace = _OPENED.get(facts["workspace"])
            if workspace is None:
                workspace = _OPENED[facts["workspace"]] = _open(facts["id"], facts["how"])
    return workspace.make_record(facts["id"], facts["task"], facts["modality"])


def _open(record_id: str, how: Mapping[str, Any] | None) -> Any:
    if how is None:
        raise StoredDataError(
            f"record {record_id} is of a workspace that only the process knows which opened it; hand on its id",
            record_id=record_id,
        )
    module, _, names = how["kind"].partition(":")
    kind: Any = import_module(module)
    for name in names.split("."):
        kind = getattr(kind, name)
    return kind(how["files"], how["data"], how["scripts"])
