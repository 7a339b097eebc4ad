"""`sinagot doctor`: what the drives, Python and the workers do, what that means, and what to set.

Knows how to show findings; they are those of `sinagot.workspace.doctor.checkup`. Keys of ``--json``: ``findings``, a
list of ``place``, ``name``, ``value``, ``verdict`` (``ok``, ``note``, ``warning``, ``problem``), ``advice`` (text,
empty where nothing needs to be said); ``counts`` (object, verdict -> number).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sinagot.cli.exits import Exit
from sinagot.cli.options import json_option, open_workspace, workspace_options
from sinagot.cli.texts import clean, counted, painted, print_json, say

if TYPE_CHECKING:
    from sinagot.dataset.findings import Finding

__all__ = ["command"]

#: Verdict -> the word that has its colour.
_COLOURS = {"ok": "done", "note": "running", "warning": "blocked", "problem": "failed"}


@click.command(
    "doctor",
    epilog="""
\b
Examples:
  sinagot doctor
  sinagot -w study doctor --dask           also the workers of the configured cluster
  sinagot doctor --address tcp://head:8786
  sinagot doctor /mnt/share                any folder, without a workspace

\b
Exit codes: 0 nothing is a problem (there may be notes and warnings); 3 something is.
""",
)
@click.argument("path", required=False, type=click.Path(exists=True, file_okay=False))
@click.option("--dask", is_flag=True, help="Start the configured Dask cluster and look at its workers.")
@click.option("--address", metavar="ADDRESS", help="Look at the workers of this Dask scheduler.")
@click.option("--verbose", "-v", is_flag=True, help="Say what each finding means, also where all is well.")
@json_option
@workspace_options
def command(path: str | None, dask: bool, address: str | None, verbose: bool, as_json: bool) -> int:
    """Measure drives, Python and workers, and say what to set.

    Without PATH these are the folders of the workspace. What is measured by writing is written in a folder of its
    own below the state folder, which is removed.
    """
    found = _examined(path, dask, address)
    if as_json:
        findings = list(found)
        print_json({"findings": [one._asdict() for one in findings], "counts": _counts(findings)})
    else:
        findings = _told(found, verbose)
    return Exit.FAILED if _counts(findings)["problem"] else Exit.OK


def _examined(path: str | None, dask: bool, address: str | None) -> Iterator[Finding]:
    from sinagot.workspace.doctor.checkup import examine_folder, examine_workspace

    if path is not None:
        if dask or address:
            raise click.UsageError("--dask and --address belong to a workspace, not to a PATH")
        yield from examine_folder(path)
        return
    try:
        workspace = open_workspace()
    except click.UsageError as error:
        raise click.UsageError(f"{error.message}\nOr name any folder: sinagot doctor PATH") from error
    with workspace:
        yield from examine_workspace(workspace, dask=dask, address=address)


def _counts(findings: list[Finding]) -> dict[str, int]:
    from sinagot.dataset.findings import VERDICTS

    return {verdict: sum(one.verdict == verdict for one in findings) for verdict in VERDICTS}


def _told(found: Iterator[Finding], verbose: bool) -> list[Finding]:
    """Say each finding as soon as it is there: a slow drive takes its time."""
    findings: list[Finding] = []
    for one in found:
        if not findings or findings[-1].place != one.place:
            say(f"{chr(10) if findings else ''}{one.place}")
        findings.append(one)
        word = painted(_COLOURS[one.verdict], f"{one.verdict:<7}")
        say(f"  {word}  {one.name:<18}  {clean(one.value)}", wrap=True)
        if one.advice and (verbose or one.verdict != "ok"):
            say(f"           {clean(one.advice)}", wrap=True)
    counts = _counts(findings)
    words = [counted(counts[verdict], verdict) for verdict in ("problem", "warning", "note")]
    say(f"\n{', '.join(words)}")
    return findings
