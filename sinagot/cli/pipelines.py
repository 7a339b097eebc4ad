"""Pipelines as the command line names and shows them: found by a word, as tables, and what a run came to.

Knows the pipelines of a workspace and how they are shown; must not know the words of the command line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sinagot.cli.exits import Exit
from sinagot.cli.failures import plain
from sinagot.cli.options import open_workspace, workspace_words
from sinagot.cli.places import find_workspace
from sinagot.cli.runs import stdout_for_json
from sinagot.cli.texts import clean, columns, counted, note, painted, print_json, say, short_path, shortened
from sinagot.config.quantities import seconds_text
from sinagot.engine.words import ACTS

if TYPE_CHECKING:
    from sinagot.pipeline.description import ParamView
    from sinagot.pipeline.result import PipelineResult
    from sinagot.workspace.pipelines.catalogue import HousePipeline
    from sinagot.workspace.workspace import Workspace

__all__ = [
    "carry_out",
    "find_pipeline",
    "list_json",
    "list_lines",
    "maybe_workspace",
    "read_given",
    "tell_problems",
]

_LONGEST_ERROR = 200
#: States of a stage that are said when they are reached.
_TOLD = ("DONE", "ERROR", "SKIPPED", "INTERRUPTED")


def maybe_workspace() -> Workspace[Any] | None:
    """Open the workspace that the command line means; None where there is none, and none was named."""
    try:
        find_workspace(())
    except click.UsageError:
        if not workspace_words() and not os.environ.get("SINAGOT_WORKSPACE"):
            return None
    return open_workspace()


def find_pipeline(word: str) -> HousePipeline:
    """Find the pipeline that a word names: of the workspace, or of a file.

    Parameters
    ----------
    word : str
        A name, ``FILE.py`` or ``FILE.py:name``; files are looked for from the current folder.

    Raises
    ------
    NotFoundError
        There is none.
    """
    from sinagot.workspace.pipelines.catalogue import file_pipeline
    from sinagot.workspace.pipelines.files import file_word

    asked = file_word(word)
    if asked is None:
        return open_workspace().pipelines[word]
    asked = asked._replace(path=os.path.expanduser(asked.path))
    workspace = maybe_workspace()
    if workspace is None:
        return file_pipeline(asked)
    whole = os.path.abspath(asked.path)
    return workspace.pipelines.of_file(f"{whole}:{asked.attribute}" if asked.attribute else whole)


def read_given(file: str) -> dict[str, Any]:
    """Read the parameters that a program gives: a JSON object in a file, or from standard input for ``-``.

    Parameters
    ----------
    file : str
        Its path.

    Raises
    ------
    UsageError
        It can't be read, or is no object. What stands in it is not shown: it may be secret.
    """
    try:
        with click.open_file(file, encoding="utf-8") as stream:
            given = json.load(stream)
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no JSON"
        raise click.UsageError(f"--params-from {file}: {why}") from None
    if not isinstance(given, dict):
        raise click.UsageError(f"--params-from {file}: allowed is an object of parameters by name")
    return given


# -- lists


def list_lines(pipelines: Sequence[HousePipeline], root: Path) -> Iterator[str]:
    """Write pipelines as a table.

    Parameters
    ----------
    pipelines : sequence of HousePipeline
        What is listed.
    root : Path
        Of the workspace: paths are shown from there.
    """
    rows = [["pipeline", "kind", "file", "stages", "parameters"]]
    for one in pipelines:
        view, problem = _described(one)
        shown = ", ".join(_parameter(param) for param in view.parameters) if view else ""
        stages = str(len(view.nodes)) if view else "?"
        rows.append([one.name, one.kind, os.path.relpath(one.file, root), stages, problem or shown or "-"])
    yield from columns([[clean(cell) for cell in row] for row in rows], right=[3])


def _parameter(one: ParamView) -> str:
    kind = "" if one.type == "any" else f": {one.type}"
    return f"{one.name}{kind}" if one.is_required else f"{one.name}{kind} = {one.default}"


def _described(one: HousePipeline) -> tuple[Any, str | None]:
    """Give what a pipeline is made of, or why that is not known."""
    from sinagot.errors import SinagotError

    try:
        return one.description(), None
    except SinagotError as error:
        return None, f"can't be loaded: {plain(error)}"


def list_json(pipelines: Sequence[HousePipeline]) -> list[dict[str, Any]]:
    """Give pipelines as plain values.

    Parameters
    ----------
    pipelines : sequence of HousePipeline
        What is listed.
    """
    from sinagot.errors import SinagotError

    rows = [one.as_json() for one in pipelines]
    for row in rows:
        if row["problem"] is not None:
            row["problem"] = f"can't be loaded: {plain(SinagotError(row['problem']))}"
    return rows


# -- runs


def carry_out(
    one: HousePipeline,
    params: dict[str, Any],
    *,
    as_json: bool,
    run_id: str | None = None,
    logical_date: datetime | None = None,
) -> int:
    """Run a pipeline for no record, and tell what came of it.

    Parameters
    ----------
    one : HousePipeline
        Which.
    params : dict
        What was set.
    as_json : bool
        Tell it as JSON.
    run_id : str, optional
        What the run is to be called.
    logical_date : datetime, optional
        The moment that it is for.

    Returns
    -------
    int
        The exit code.
    """
    from sinagot.engine.stop import RunTerminated
    from sinagot.errors import PipelineDefinitionError, PipelineError

    result: PipelineResult | None = None
    signum: int | None = None
    with stdout_for_json() if as_json else nullcontext():
        try:
            result = one.run_told(
                params, printing=False, tell=_tell_stage, run_id=run_id, logical_date=logical_date
            )
        except PipelineDefinitionError:
            raise
        except PipelineError as error:
            result = error.result
        except KeyboardInterrupt as stop:
            result, signum = getattr(stop, "result", None), signal.SIGINT
        except RunTerminated as stop:
            result, signum = getattr(stop, "result", None), stop.signum
    code = (
        128 + signum if signum is not None else Exit.OK if result is not None and result.ok else Exit.FAILED
    )
    if as_json:
        print_json(_result_json(one, result, code, signum))
    elif result is not None:
        for line in _result_lines(result):
            say(line)
    else:
        note("Interrupted before the first stage.")
    sys.stdout.flush()
    return code


def _tell_stage(event: dict[str, Any]) -> None:
    """Say how a stage ended."""
    state = str(event.get("state"))
    if state not in _TOLD:
        return
    word = ACTS[state].text
    seconds = event.get("duration_s")
    took = f"  {seconds_text(seconds)}" if isinstance(seconds, float) else ""
    why = event.get("reason") or event.get("exc_message")
    kind = f"{event['exc_type']}: " if event.get("exc_type") else ""
    told = f"  {kind}{_first_line(str(why))}" if why else ""
    note(f"  {event.get('act')}  {word}{took}{told}")


def _first_line(text: str) -> str:
    line = clean(text).partition("\n")[0]
    return line if len(line) <= _LONGEST_ERROR else f"{line[:_LONGEST_ERROR]} ..."


def _result_lines(result: PipelineResult) -> Iterator[str]:
    rows = [["stage", "state", "duration", "error"]]
    words = []
    for name, state in result.status.items():
        seconds = result.durations.get(name)
        word = ACTS[state].text
        words.append(word)
        rows.append([clean(name), word, "" if seconds is None else seconds_text(seconds), _why(result, name)])
    lines = columns(rows)
    told = (word.text for word in ACTS.values() if word.text in words)
    counts = ", ".join(f"{words.count(word)} {word}" for word in told)
    message = f": {_first_line(result.message)}" if result.message else ""
    yield f"Pipeline {clean(result.pipeline)}: {counts or 'no stages'} in {seconds_text(result.duration)}{message}"
    yield f"  {lines[0].rstrip()}"
    for line, word in zip(lines[1:], words, strict=True):
        yield f"  {line.rstrip().replace(f'  {word}', f'  {painted(word)}', 1)}"
    yield f"  run {result.run_id}"


def _why(result: PipelineResult, name: str) -> str:
    error = result.errors.get(name)
    if error is None:
        return _first_line(result.reasons.get(name, ""))
    text = str(error)
    return _first_line(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _result_json(
    one: HousePipeline, result: PipelineResult | None, code: int, signum: int | None
) -> dict[str, Any]:
    stages = (
        [
            {
                "stage": name,
                "state": str(state),
                "duration_s": result.durations.get(name),
                "error": _why(result, name) or None,
            }
            for name, state in result.status.items()
        ]
        if result is not None
        else []
    )
    return {
        "pipeline": one.name,
        "run_id": None if result is None else result.run_id,
        "exit_code": code,
        "ok": code == Exit.OK,
        "stopped_by": signum,
        "message": (result.message or None) if result is not None else None,
        "duration_s": None if result is None else round(result.duration, 6),
        "stages": stages,
    }


def tell_problems(name: str, problems: Sequence[str]) -> None:
    """Say what is wrong with a pipeline, or that nothing is.

    Parameters
    ----------
    name : str
        Of the pipeline.
    problems : sequence of str
        What was found.
    """
    state = counted(len(problems), "problem") if problems else "ok"
    say(f"{clean(name)}: {state}")
    for text in problems:
        say(f"  {clean(shortened(short_path(text)))}")
