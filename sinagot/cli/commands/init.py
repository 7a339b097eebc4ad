"""`sinagot init`: a workspace to begin with, full of comments.

Knows the templates and where their files go; must not overwrite anything unasked. The templates are plain text:
comments stay.
"""

from __future__ import annotations

from pathlib import Path

import click

from sinagot.cli.exits import Exit
from sinagot.cli.texts import command_line, counted, say

__all__ = ["command"]

_TEMPLATES = Path(__file__).parents[1] / "templates"


@click.command(
    "init",
    epilog="""
\b
Examples:
  sinagot init
  sinagot init study
  sinagot init /data/my_bids_dataset --bids

Exit code 2 when a file is there already and --force is not given.
""",
)
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--bids",
    is_flag=True,
    help="FOLDER is a BIDS dataset: tasks, sessions and runs are found in its file names; results go to "
    "derivatives/sinagot.",
)
@click.option("--force", is_flag=True, help="Overwrite workspace.toml and the first script.")
def command(folder: Path, bids: bool, force: bool) -> int:
    """Write a commented workspace.toml and a first script.

    FOLDER is made when it is not there; the current folder when not given.
    """
    files, empty_folder, found = _bids_files(folder) if bids else _plain_files()
    there = [name for name in files if (folder / name).exists()]
    if there and not force:
        raise click.UsageError(f"{folder / there[0]} is there already; --force overwrites it")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if empty_folder:
        (folder / empty_folder).mkdir(parents=True, exist_ok=True)
    say("Written:")
    for name in files:
        say(f"  {folder / name}")
    say(found)
    where = [] if folder == Path() else ["-w", str(folder)]
    say(f"Next: {command_line(*where, 'check')}")
    return Exit.OK


def _plain_files() -> tuple[dict[str, str], str, str]:
    files = {
        "workspace.toml": _template("workspace.toml.txt"),
        "scripts/lines.py": _template("script.py.txt"),
    }
    return (
        files,
        "dataset/raw",
        "Put raw files such as REC-1.txt into dataset/raw, or change the paths to fit yours.",
    )


def _bids_files(folder: Path) -> tuple[dict[str, str], str, str]:
    from sinagot.cli.bids import look

    tree = look(str(folder))
    tasks = [f'[tasks.{task}]\nmodalities = ["{tree.kind}"]\n' for task in tree.tasks or ("rest",)]
    values = {
        "PATH": tree.path,
        "ID": tree.id,
        "OUTPUT": tree.output,
        "TASKS": "\n".join(tasks),
        "MODALITY": tree.kind,
        "GUESS": "" if tree.tasks else " None was found: name yours.",
    }
    files = {
        "workspace.toml": _template("bids.toml.txt", values),
        f"code/sinagot/{tree.kind}/describe.py": _template("bids_script.py.txt", values),
    }
    found = f"Found {counted(tree.found, 'recording')} ({tree.kind}), tasks: {', '.join(tree.tasks)}."
    if not tree.tasks:
        found = "No recording was found: name your tasks, kind of data and file ending in workspace.toml."
    return files, "", found


def _template(name: str, values: dict[str, str] | None = None) -> str:
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    for key, value in (values or {}).items():
        text = text.replace(f"@{key}@", value)
    return text
