"""`sinagot show`: all that is known of one record.

Knows how it is shown; what is known is the workspace's. Keys of ``--json``: ``record_id``; ``entities`` (object);
``has_data``; ``steps``, a list of ``task, modality, step_index, step_label, status`` (int), ``status_name, finished,
duration_s, cpu_s, peak_memory_mb, run_id, attempt`` (of the last good attempt), ``files`` (list of ``role, name, path,
is_there, is_folder, size, changed, age_s``), ``exclusion``, ``problem``, ``error`` (``exc_type, message, traceback,
where, time, run_id, attempt, excerpt, kept, stage``, or null; ``excerpt`` has ``file, line, function, lines, note``),
``stages`` (of a pipeline or a flow: its last attempt with its ``acts``, as of `sinagot runs show`; else null);
``decisions``; ``notes``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from sinagot.cli.completion import known
from sinagot.cli.exits import Exit
from sinagot.cli.findings import is_group
from sinagot.cli.moments import ago, local_time, span
from sinagot.cli.options import json_option, open_workspace, scope_options, workspace_options, workspace_words
from sinagot.cli.stages import attempt_line
from sinagot.cli.texts import clean, columns, command_line, note, painted, print_json, say, short_path
from sinagot.config.hints import words_about
from sinagot.config.quantities import bytes_text

if TYPE_CHECKING:
    from sinagot.workspace.details import FileDetails, LastError, RecordDetails, StepDetails
    from sinagot.workspace.workspace import Workspace

__all__ = ["command"]


@click.command(
    "show",
    epilog="""
\b
Examples:
  sinagot show REC-20200601
  sinagot show REC-20200601 --task RS
  sinagot show REC-20200601 --json | jq '.steps[].error.where'

Durations and memory are those of the last good attempt. The code is shown as it was when it failed. Exit code 5 when
nothing is known of such a record.
""",
)
@click.argument("record_id", shell_complete=known("records"), metavar="RECORD")
@scope_options
@json_option
@workspace_options
def command(record_id: str, task: str | None, modality: str | None, as_json: bool) -> int:
    """Show all about a record: files, steps, decisions, last error.

    Of each error that stands the line of your code is shown, and the commands to go on with.
    """
    workspace = open_workspace()
    if not workspace.blueprint.ids.matches(record_id):
        return _unknown(workspace, record_id)
    record: Any = workspace.records.get(record_id)
    if task is not None or modality is not None:
        record = record.get_subscope(task, modality)
    found: RecordDetails = record.details()
    if not _is_known(found):
        return _unknown(workspace, record_id)
    if as_json:
        print_json(found.as_json())
        return Exit.OK
    for line in _lines(found, str(workspace.data_path)):
        say(line)
    return Exit.OK


def _is_known(found: RecordDetails) -> bool:
    """Say whether anything is known of a record: data, results, failures or decisions."""
    told = found.decisions or any(step.error or step.finished for step in found.steps)
    is_there = any(file.is_there for step in found.steps for file in step.files if file.role == "output")
    return bool(found.has_data or told or is_there)


def _unknown(workspace: Workspace, record_id: str) -> int:
    from sinagot.config.hints import did_you_mean

    if is_group(workspace, record_id):
        see = command_line(*workspace_words(), "why", record_id)
        note(f"{record_id} is no record, but a step for all of them; see: {see}")
        return Exit.NOTHING
    hint = did_you_mean(record_id, workspace.records.ids())
    pattern = workspace.configuration.id_pattern
    if not hint and pattern and not workspace.blueprint.ids.matches(record_id):
        hint = f"ids match {pattern}"
    note(f"No record {record_id}{'; ' + hint if hint else ''} (sinagot records)")
    return Exit.NOTHING


def _lines(found: RecordDetails, data_path: str) -> Iterator[str]:
    entities = ", ".join(f"{name} {value}" for name, value in found.entities.items())
    yield clean(found.record_id + (f"  ({entities})" if entities else ""))
    if found.steps:
        yield ""
        yield from _step_lines(found.steps)
        yield ""
        yield from _file_lines(found.steps, data_path)
        told = [(step, step.stages) for step in found.steps if step.stages is not None]
        for heading, of_flow in (("Stages", False), ("Processors", True)):
            lines = [
                f"  {clean(step.place)}: {attempt_line(stages)}"
                for step, stages in told
                if any(act.is_processor for act in stages.acts) == of_flow
            ]
            yield from ["", heading, *lines] if lines else []
    if found.decisions:
        yield from ["", "Decisions"]
        for one in found.decisions:
            what = one.target.text.removeprefix(found.record_id).strip()
            yield clean(f"  {what + ' ' if what else ''}{one.text}")
    if found.notes:
        yield from ["", "Notes", *(f"  {clean(text)}" for text in found.notes)]
    for step in found.steps:
        if step.error is not None:
            yield from ["", *_error_lines(found.record_id, step, step.error)]
        elif step.problem is not None:
            yield from ["", f"{clean(step.place)} can't run", f"  {clean(step.problem)}"]


def _step_lines(steps: tuple[StepDetails, ...]) -> Iterator[str]:
    rows = [["step", "status", "done at", "took", "memory"]]
    for step in steps:
        memory = "-" if step.peak_memory_mb is None else bytes_text(step.peak_memory_mb * (1 << 20))
        rows.append([clean(step.place), step.word, local_time(step.finished), span(step.duration_s), memory])
    lines = columns(rows, right=[3, 4])
    yield lines[0]
    for line, step in zip(lines[1:], steps, strict=True):
        # The word alone is coloured: the table stays calm.
        before, word, after = line.partition(f"  {step.word}")
        yield f"{before}  {painted(step.word)}{after}" if word else line


def _file_lines(steps: tuple[StepDetails, ...], data_path: str) -> Iterator[str]:
    rows = [["file", "", "step", "size", "changed"]]
    shown: set[tuple[str, str]] = set()
    for step in steps:
        for file in step.files:
            if (file.role, file.path) not in shown:  # of an input that several steps read, once
                shown.add((file.role, file.path))
                rows.append(_file_cells(step, file, data_path))
    if len(rows) > 1:
        yield from columns(rows, right=[3])


def _file_cells(step: StepDetails, file: FileDetails, data_path: str) -> list[str]:
    size = "folder" if file.is_folder else "-" if file.size is None else bytes_text(file.size)
    path = file.path.removeprefix(data_path.rstrip("/") + "/")
    changed = ago(file.age_s) if file.is_there else "not there"
    return [clean(short_path(path)), file.role, clean(step.place), size, changed]


def _error_lines(record_id: str, step: StepDetails, error: LastError) -> Iterator[str]:
    when = f", {local_time(error.time)}" if error.time else ""
    run = f", run {error.run_id}" if error.run_id else ""
    yield painted(step.word, clean(f"{step.place}: {step.word}{when}{run}"))
    first, *more = error.message.rstrip("\n").split("\n")
    yield painted("error", f"  {clean(f'{error.exc_type}: {first}' if error.exc_type else first)}")
    yield from (f"  {clean(line)}" for line in more[:10])
    excerpt = error.excerpt
    if excerpt is not None:
        about = f" ({excerpt.note})" if excerpt.note else ""
        stage = f", stage {clean(error.stage)}" if error.stage else ""
        yield f"  {clean(short_path(excerpt.file))}:{excerpt.line} in {clean(excerpt.function)}{stage}{about}"
        width = len(str(excerpt.lines[-1].number)) if excerpt.lines else 0
        for line in excerpt.lines:
            text = f"  {'>' if line.is_marked else ' '} {line.number:>{width}} | {clean(line.text)}".rstrip()
            yield painted("error", text) if line.is_marked else text
    narrow = ["--step", step.step_label]
    for option, name in (("--task", step.task), ("--modality", step.modality)):
        narrow += [option, name] if name else []
    words = workspace_words()
    yield from ["", "  the whole log:  " + command_line(*words, *words_about("logs", record_id, *narrow))]
    yield "  run it again:   " + command_line(*words, "run", "--record", record_id, *narrow)
    yield "  run it here:    " + command_line(*words, "run", "--record", record_id, *narrow, "--debug")
