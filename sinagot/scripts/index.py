"""The cache of step specs in the state folder: what a hit knows, no script is executed for.

Knows one small JSON file per step; must not know how a spec is made. Deleting it costs time only, reading
commands never write it. `sinagot.scripts.loading` asks it before it executes a script, and `save` is called
when a run begins.
"""

from __future__ import annotations

import contextlib
import json
import os
from _thread import get_ident
from typing import Any

from sinagot.config.settings import StepSettings
from sinagot.scripts.imports import IMPORTS
from sinagot.scripts.sources import SourceSet, digest_of
from sinagot.scripts.spec import StepSpec, paths_from_json

__all__ = ["StepIndex"]

# Raised when the meaning of an entry changes.
_FORMAT = 7


def _tuples(value: Any) -> Any:
    """Give back the tuples that JSON made lists of."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


class StepIndex:
    """Specs by step, as they were when their scripts were executed last.

    Parameters
    ----------
    folder : str or None
        Where the files lie; None for no cache at all.
    """

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._entries: dict[tuple[str, str | None], dict[str, Any] | None] = {}
        self._unsaved: dict[tuple[str, str | None], dict[str, Any]] = {}

    def find(self, name: str, modality: str | None) -> dict[str, Any] | None:
        """Read the entry of a step, and remember which imports its texts have."""
        if self._folder is None:
            return None
        key = (name, modality)
        if key not in self._entries:
            self._entries[key] = self._read(self._file(name, modality))
        return self._entries[key]

    def spec(self, entry: dict[str, Any] | None, source: SourceSet) -> StepSpec | None:
        """Give the spec of an entry when it is of this very version."""
        if entry is None or entry.get("digest") != source.digest:
            return None
        try:
            return StepSpec(
                name=source.step,
                modality=source.modality,
                file=source.path,
                digest=source.digest,
                inputs=paths_from_json(entry["inputs"]),
                outputs=paths_from_json(entry["outputs"]),
                control=None if entry["control"] is None else paths_from_json(entry["control"]),
                atomic=bool(entry["atomic"]),
                sources=source.files,
                settings=StepSettings._make(map(_tuples, entry["settings"])),
                typed=bool(entry["typed"]),
                is_group=bool(entry["is_group"]),
                is_pipeline=bool(entry["is_pipeline"]),
                is_flow=bool(entry["is_flow"]),
            )
        except (KeyError, ValueError, TypeError):
            return None

    def put(self, spec: StepSpec, source: SourceSet) -> None:
        """Take in a spec that was made by executing the script."""
        if self._folder is None:
            return
        digests = [source.text_digest, *(module.text_digest for module in source.modules)]
        entry = {
            "format": _FORMAT,
            "step": spec.name,
            "modality": spec.modality,
            "digest": spec.digest,
            "imports": {digest: IMPORTS.get(digest, ()) for digest in digests},
            "inputs": spec.inputs,
            "outputs": spec.outputs,
            "control": spec.control,
            "atomic": spec.atomic,
            "settings": spec.settings,
            "typed": spec.typed,
            "is_group": spec.is_group,
            "is_pipeline": spec.is_pipeline,
            "is_flow": spec.is_flow,
        }
        self._unsaved[spec.name, spec.modality] = entry

    def save(self) -> None:
        """Write what is new; a folder that cannot be written is no error."""
        with contextlib.suppress(OSError):
            for (name, modality), entry in list(self._unsaved.items()):
                file = self._file(name, modality)
                os.makedirs(os.path.dirname(file), exist_ok=True)
                draft = f"{file}.{os.getpid()}-{get_ident()}"  # several threads may run at once
                with open(draft, "w", encoding="ascii") as stream:
                    json.dump(entry, stream)
                os.replace(draft, file)
                self._unsaved.pop((name, modality), None)
                self._entries.pop((name, modality), None)

    def _file(self, name: str, modality: str | None) -> str:
        key = digest_of(f"{modality or ''}/{name}".encode("utf-8", "surrogateescape"))[:16]
        return os.path.join(self._folder or "", f"step-{key}.json")

    def _read(self, file: str) -> dict[str, Any] | None:
        try:
            with open(file, encoding="ascii") as stream:
                entry = json.load(stream)
            if entry["format"] != _FORMAT:
                return None
            for digest, names in entry["imports"].items():
                IMPORTS.setdefault(digest, tuple(str(name) for name in names))
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            # Absent, cut or of another kind: a miss.
            return None
        return dict(entry)
