"""The portraits of pipelines that runs keep, so that their graphs are known without any code of the user.

Knows the folder of a run and descriptions; must not know pipelines: who prepares a run hands the portraits in. Read by
commands, reports and the dashboard.

    <state>/runs/<run_id>/pipelines/<step>.json    a `Description`, and the digest of the code that it is of
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import unquote

from sinagot.engine.accounts.runs import run_ids
from sinagot.engine.state.claims import file_key
from sinagot.engine.state.history import read_manifest, replace_text
from sinagot.errors import ConfigurationError
from sinagot.pipeline.description import Description

__all__ = ["FOLDER", "has_portraits", "keep_portrait", "read_portrait", "read_portraits"]

#: In the folder of a run.
FOLDER = "pipelines"
#: Newest runs in which a portrait of the same code is looked for; bytes of a portrait that is read.
_MOST_RUNS = 20
_LARGEST = 1 << 24
_SUFFIX = ".json"


def keep_portrait(
    state: str, run_id: str, place: str, digest: str, make: Callable[[], Description]
) -> Description | None:
    """Keep the portrait of a pipeline for a run.

    Parameters
    ----------
    state : str
        The state folder.
    run_id : str
        The run, whole.
    place : str
        The step, as in reports; of a pipeline that runs by itself its name.
    digest : str
        Of its code: a portrait of the same code that another run keeps is taken, and nothing is imported.
    make : callable
        Gives the portrait where there is none.

    Returns
    -------
    Description or None
        None where it cannot be made or written: nothing depends on it.
    """
    try:
        # It is there also where no portrait can be made: it says that the run has pipelines.
        folder = f"{state}/runs/{run_id}/{FOLDER}"
        os.makedirs(folder, exist_ok=True)
        text = _known_text(state, run_id, place, digest)
        if text is None:
            text = json.dumps({"step": place, "digest": digest, **make().as_json()})
        replace_text(f"{folder}/{file_key(place)}{_SUFFIX}", text)
        return Description.from_json(text)
    except Exception:  # noqa: BLE001  (the user's code is imported by `make`: it fails where it is run)
        return None


def _known_text(state: str, run_id: str, place: str, digest: str) -> str | None:
    """Give the portrait of this very code that another run keeps."""
    for other in run_ids(state)[:_MOST_RUNS]:
        text = _text(f"{state}/runs/{other}/{FOLDER}/{file_key(place)}{_SUFFIX}") if other != run_id else None
        if text is not None:
            with suppress(ValueError, AttributeError, ConfigurationError):
                Description.from_json(text)
                return text if json.loads(text).get("digest") == digest else None
    return None


def has_portraits(state: str, run_id: str) -> bool:
    """Say whether a run had pipelines."""
    return os.path.isdir(f"{state}/runs/{run_id}/{FOLDER}") or "stages" in read_manifest(state, run_id)


def read_portrait(state: str, run_id: str, place: str) -> Description | None:
    """Read the portrait of one pipeline; None where there is none, or it is torn."""
    text = _text(f"{state}/runs/{run_id}/{FOLDER}/{file_key(place)}{_SUFFIX}")
    if text is None:
        return _alone(state, run_id).get(place)
    with suppress(ConfigurationError):
        return Description.from_json(text)
    return None


def read_portraits(state: str, run_id: str) -> dict[str, Description]:
    """Read the portraits that a run keeps: step -> description, in the order of their names."""
    try:
        names = sorted(os.listdir(f"{state}/runs/{run_id}/{FOLDER}"))
    except OSError:
        return _alone(state, run_id)
    found = {}
    for name in names:
        text = _text(f"{state}/runs/{run_id}/{FOLDER}/{name}") if name.endswith(_SUFFIX) else None
        if text is not None:
            with suppress(ConfigurationError, ValueError, AttributeError):
                # The name of the file is cut where that of the step is very long.
                place = json.loads(text).get("step") or unquote(name.removesuffix(_SUFFIX))
                found[str(place)] = Description.from_json(text)
    return found


def _alone(state: str, run_id: str) -> dict[str, Description]:
    """Give the portrait that stands in the manifest: of a run of one pipeline, for no record."""
    manifest = read_manifest(state, run_id)
    name, told = manifest.get(str(manifest.get("kind"))), manifest.get("stages")
    with suppress(ConfigurationError):
        if isinstance(name, str) and isinstance(told, dict):
            return {name.replace("/", "%2F"): Description.from_json(told)}
    return {}


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(_LARGEST)
    except (OSError, ValueError):
        return None
