"""`sinagot submit`: write, or hand in, a SLURM job array whose members share the records.

Knows the words of a batch script; must not know what a run does. No Dask and no server: the members agree by the files
of the workspace, as any runs at the same time do. What the array left undone, the same array does when it is handed in
again.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from sinagot.cli.exits import Exit
from sinagot.cli.options import open_workspace, workspace_options, workspace_words
from sinagot.cli.texts import say

__all__ = ["array_script", "command"]

#: Second line of what we wrote: such a file may be written anew.
_MARK = "# Written by `sinagot submit`: each member of this job array runs its share of the records."
#: Options of `sinagot run` that make no sense in a member of an array.
_NOT_FOR_MEMBERS = ("--shard", "--dask", "--address", "--exclusive", "--debug", "--dry-run")
_TIME = re.compile(r"\d+|\d+:\d\d(:\d\d)?|\d+-\d+(:\d\d){0,2}")
_MEMORY = re.compile(r"\d+[KMGTkmgt]?")


@click.command(
    "submit",
    # What is not known here is for `sinagot run`.
    context_settings={"ignore_unknown_options": True},
    epilog="""
\b
Examples:
  sinagot submit --array 50 --time 4:00:00 --memory 8G
  sinagot submit --array 50 --cpus 4 --jobs 4 --partition short --now
  sinagot submit --array 20 --sbatch-option=--account=lab --step mean
  sinagot submit --array 50 --file -           print the script only

\b
Exit codes:
  0  the script is written (and handed in, with --now)
  1  the batch system refused it
  4  configuration or script is wrong
""",
)
@click.option("--array", type=click.IntRange(min=1), required=True, metavar="N", help="Number of members.")
@click.option("--at-once", type=click.IntRange(min=1), metavar="M", help="Run at most M members at a time.")
@click.option("--time", "walltime", metavar="TIME", help="Time limit of a member, such as 4:00:00.")
@click.option("--memory", metavar="SIZE", help="Memory of a member, such as 8G.")
@click.option("--cpus", type=click.IntRange(min=1), metavar="N", help="Cores of a member.")
@click.option("--partition", metavar="NAME", help="Partition (queue).")
@click.option("--name", metavar="NAME", help="Name of the array; by default that of the workspace's folder.")
@click.option(
    "--logs", type=click.Path(file_okay=False), metavar="DIR", help="Where SLURM writes what members print."
)
@click.option("--sbatch-option", "extra", multiple=True, metavar="OPTION", help="A further option of sbatch.")
@click.option("--file", "target", default="sinagot-array.sh", metavar="FILE", help="The script; - prints it.")
@click.option("--now", is_flag=True, help="Hand it in by sbatch.")
@workspace_options
@click.argument("run_options", nargs=-1, type=click.UNPROCESSED)
def command(
    array: int,
    name: str | None,
    logs: str | None,
    target: str,
    now: bool,
    run_options: tuple[str, ...],
    **limits: object,
) -> int:
    """Write a SLURM job array that runs what is not done.

    Each member runs its share of the records by `sinagot run --shard I/N`, without Dask. Further options, after `--`
    where they might be mistaken, are handed on to `sinagot run`.
    """
    _check_limits(limits)
    _check_run_options(run_options)
    if now and target == "-":
        raise click.UsageError("--now needs a file, and --file - prints")
    with open_workspace() as workspace:
        configuration = workspace.configuration
        folder = Path(logs).absolute() if logs else configuration.state_path / "slurm"
        text = array_script(
            array,
            name=name or f"sinagot-{configuration.root.name}",
            logs=str(folder),
            run=[*_absolute(workspace_words() or ["-w", *map(str, configuration.files[:1])]), *run_options],
            **limits,  # type: ignore[arg-type]  # as click has checked them
        )
    if target == "-":
        click.echo(text, nl=False)
        return Exit.OK
    file = Path(target).absolute()
    _write(file, text, folder)
    say(f"Wrote {file}: {array} members, each with its share of the records.")
    if now:
        return _hand_in(file)
    say(f"Submit it by: sbatch {shlex.quote(str(file))}", wrap=False)
    say(f"What the members print will be in {folder}.")
    return Exit.OK


def _check_limits(limits: dict[str, object]) -> None:
    for word, key, pattern, example in (
        ("--time", "walltime", _TIME, "4:00:00"),
        ("--memory", "memory", _MEMORY, "8G"),
    ):
        value = limits[key]
        if value is not None and not pattern.fullmatch(str(value)):
            raise click.UsageError(f"{word}: {value!r} is not what SLURM takes, such as {example}")
    texts = [limits["partition"], *(limits["extra"] or ())]  # type: ignore[misc]
    if any(isinstance(text, str) and "\n" in text for text in texts):
        raise click.UsageError("an option of sbatch is one line")


def _check_run_options(words: Sequence[str]) -> None:
    """Refuse now what each member would refuse later."""
    for word in words:
        if word.partition("=")[0] in _NOT_FOR_MEMBERS:
            raise click.UsageError(f"{word} makes no sense in a member of an array")
    from sinagot.cli.commands.run import command as run

    context = click.get_current_context()
    run.make_context("run", list(words), parent=context.parent or context)


def _absolute(words: Sequence[str]) -> list[str]:
    """Let the options that name the workspace hold in any folder."""
    return [word if word.startswith("-") else os.path.abspath(os.path.expanduser(word)) for word in words]


def array_script(
    count: int,
    *,
    name: str,
    logs: str,
    run: Sequence[str],
    at_once: int | None = None,
    walltime: str | None = None,
    memory: str | None = None,
    cpus: int | None = None,
    partition: str | None = None,
    extra: Sequence[str] = (),
) -> str:
    """Give the text of the batch script.

    Parameters
    ----------
    count : int
        Number of members.
    name, logs : str
        Name of the array, and folder for what members print.
    run : sequence of str
        Words after ``sinagot run``.
    at_once : int, optional
        Most members at a time.
    walltime, memory : str, optional
        As SLURM takes them.
    cpus : int, optional
        Cores of a member.
    partition : str, optional
        Queue.
    extra : sequence of str
        Further options of ``sbatch``.
    """
    output = f"{logs}/%A_%a.out"
    options = [
        f"--job-name={name}",
        f"--array=1-{count}" + (f"%{at_once}" if at_once else ""),
        f"--output={output}",
        # A minute before the time limit: running scripts may end, and what is left is told.
        "--signal=B:TERM@60",
        *(f"--time={walltime}" for _ in range(walltime is not None)),
        *(f"--mem={memory}" for _ in range(memory is not None)),
        *(f"--cpus-per-task={cpus}" for _ in range(cpus is not None)),
        *(f"--partition={partition}" for _ in range(partition is not None)),
        *(option if option.startswith("-") else f"--{option}" for option in extra),
    ]
    # Members that all start at once would all list the folders at once: up to half a minute apart is enough for many.
    spread = max(1, min(30, count // 4))
    words = shlex.join([sys.executable, "-m", "sinagot", "run", *run, "--no-dask"])
    return "\n".join(
        [
            "#!/usr/bin/env bash",
            _MARK,
            "# Hand it in again when it is over and something is left: what is done is not done again.",
            *(f"#SBATCH {_quoted(option)}" for option in options),
            "",
            "set -eu",
            f'sleep "$((RANDOM % {spread})).$((RANDOM % 10))"  # not all at the same moment',
            "# The batch system signals this process: it is the run itself.",
            f'exec {words} --shard "${{SLURM_ARRAY_TASK_ID}}/{count}"',
            "",
        ]
    )


def _quoted(option: str) -> str:
    """Quote the value of an option as SLURM reads it."""
    word, sign, value = option.partition("=")
    return f'{word}="{value}"' if sign and re.search(r"\s", value) else option


def _write(file: Path, text: str, logs: Path) -> None:
    """Write the script, but never over a file that is not such a script."""
    if file.exists() and _MARK not in file.read_text(encoding="utf-8", errors="replace")[:1000]:
        raise click.UsageError(
            f"{file} is there and was not written by sinagot submit; name another by --file"
        )
    logs.mkdir(parents=True, exist_ok=True)  # SLURM starts no job whose output has no folder
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)


def _hand_in(file: Path) -> int:
    if shutil.which("sbatch") is None:
        raise click.ClickException(
            f"there is no sbatch here; on a login node: sbatch {shlex.quote(str(file))}"
        )
    done = subprocess.run(["sbatch", str(file)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise click.ClickException(f"sbatch refused {file}: {said}")
    say(done.stdout.strip())
    return Exit.OK
