"""A script as a program: ``python scripts/EEG/alpha.py REC-1 --task RS`` finds its workspace and runs its step.

Knows where a script lies in a workspace; must not know how a step runs: it calls the command line.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import tomllib
from collections.abc import Sequence

__all__ = ["command_words", "run_alone"]

_CONFIG_NAME = "workspace.toml"


def run_alone(file: str, words: Sequence[str] | None = None) -> None:
    """Run the step of a script for some records, here, until the first error.

    Parameters
    ----------
    file : str
        The script.
    words : sequence of str, optional
        Of the command line; those of this program when not given.

    Raises
    ------
    SystemExit
        With the exit code of ``sinagot run``.
    """
    sys.argv = [file, *command_words(file, sys.argv[1:] if words is None else words)]
    # As a module, in this process: a debugger that started the script goes on.
    runpy.run_module("sinagot", run_name="__main__", alter_sys=True)


def command_words(file: str, words: Sequence[str]) -> list[str]:
    """Give the words of the command line that runs the step of a script.

    Parameters
    ----------
    file : str
        The script.
    words : sequence of str
        Records, and options.

    Raises
    ------
    SystemExit
        The words are no records and options, or no workspace is found; what is wrong is on standard error.
    """
    parser = argparse.ArgumentParser(
        prog=os.path.basename(file),
        description="Run this step for some records, also where it is done, until the first error.",
    )
    parser.add_argument("records", metavar="RECORD", nargs="+", help="ids of records")
    parser.add_argument("--task", metavar="NAME", help="only this task")
    parser.add_argument("--keep", action="store_true", help="leave what is up to date")
    parser.add_argument(
        "-w", "--workspace", metavar="PATH", help=f"folder with a {_CONFIG_NAME}, or a configuration file"
    )
    given = parser.parse_args(words)
    script = os.path.abspath(file)
    config = given.workspace or os.environ.get("SINAGOT_WORKSPACE") or _find_config(script)
    if config is None:
        parser.error(f"no {_CONFIG_NAME} in a folder above {script}; name the workspace by -w PATH")
    folder, name = os.path.split(script)
    found = ["run", "-w", config, "--step", os.path.splitext(name)[0], "--debug"]
    if _has_scopes(config):
        found += ["--modality", os.path.basename(folder)]
    if given.task is not None:
        found += ["--task", given.task]
    if not given.keep:
        found.append("--force")
    for record_id in given.records:
        found += ["--record", record_id]
    return found


def _find_config(script: str) -> str | None:
    folder = os.path.dirname(script)
    while True:
        config = os.path.join(folder, _CONFIG_NAME)
        if os.path.isfile(config):
            return config
        folder, last = os.path.split(folder)
        if not last:
            return None


def _has_scopes(config: str) -> bool:
    """Say whether scripts lie in folders of modalities; what else is wrong with the file, the command says."""
    file = os.path.join(config, _CONFIG_NAME) if os.path.isdir(config) else config
    try:
        with open(file, "rb") as stream:
            tables = tomllib.load(stream)
    except (OSError, ValueError):
        return False
    return "tasks" in tables or "modalities" in tables
