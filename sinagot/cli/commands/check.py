"""`sinagot check`: everything that is wrong, all at once, and what is found when it is right.

Knows how to show findings; they are those of configuration, scripts and patterns. Keys of ``--json``: ``errors`` and
``warnings`` (lists of ``message``, ``file``, ``line``, the last two null where unknown); ``paths`` (object:
configuration, dataset, scripts, output, log, state; absent when it cannot be opened); ``records`` (number, null when
ids can't be listed); ``looked_for`` (text); ``units`` (list of task, modality, steps, raw_data: the number of records
whose raw data are there, null where unknown).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from sinagot.cli.exits import Exit
from sinagot.cli.failures import plain
from sinagot.cli.findings import where_records_are
from sinagot.cli.options import json_option, open_workspace, workspace_options
from sinagot.cli.texts import clean, columns, counted, print_json, say, short_path, shortened

if TYPE_CHECKING:
    from sinagot.workspace.workspace import Workspace

__all__ = ["command"]

#: Groups of ids that look alike that are told one by one.
_MOST_TWINS = 3


@click.command(
    "check",
    epilog="""
\b
Examples:
  sinagot check
  sinagot -w study check --json

\b
Exit codes: 0 all is well (there may be warnings); 4 something is wrong;
5 nothing is wrong, but there is no record.
""",
)
@json_option
@workspace_options
def command(as_json: bool) -> int:
    """Check configuration, scripts and patterns, and show what they find.

    Nothing is run and nothing is written.
    """
    findings = _Findings()
    findings.look()
    if as_json:
        print_json(findings.as_json())
    else:
        for line in findings.lines():
            say(line, wrap=line.startswith(("Error", "Warning")))
    if findings.errors:
        return Exit.INVALID
    return Exit.OK if findings.n_records else Exit.NOTHING


class _Findings:
    """What a look at the workspace found."""

    def __init__(self) -> None:
        self.errors: list[dict[str, Any]] = []
        self.warnings: list[dict[str, Any]] = []
        self.workspace: Workspace | None = None
        self.n_records: int | None = None
        self.some_ids: list[str] = []
        self.looked_for = ""
        self.units: list[dict[str, Any]] = []

    # -- looking

    def look(self) -> None:
        """Look at everything; an error of one thing does not hide those of others."""
        from sinagot.errors import ConfigurationError
        from sinagot.workspace.pipelines.checking import stray_tables_of

        try:
            self.workspace = open_workspace(show_warnings=False)
        except ConfigurationError as error:
            for one in error.problems or (error,):
                self._note_error(one)
            for text in error.warnings or ():
                self._note(self.warnings, text)
            return
        for text in self.workspace.configuration.warnings:
            self._note(self.warnings, text)
        for _, problem in self.workspace.blueprint.check():
            self._note_error(problem)
        pipelines = self.workspace.pipelines
        for broken in pipelines.errors:
            self._note_error(broken)
        for text in stray_tables_of(self.workspace, pipelines):
            self._note(self.warnings, text)
        self._look_for_records(self.workspace)
        self._look_at_units(self.workspace)
        for text in self.workspace.problems:
            self._note(self.warnings, text)

    def _look_for_records(self, workspace: Workspace) -> None:
        from sinagot.errors import SinagotError

        try:
            ids = workspace.records.ids()
            self.n_records, self.some_ids = len(ids), [*ids[:1], *ids[1:][-1:]]
            self.looked_for = where_records_are(workspace.records)
            self._look_for_twins(ids)
        except SinagotError as error:
            self._note_error(error)

    def _look_for_twins(self, ids: list[str]) -> None:
        from sinagot.dataset.twins import find_twins

        twins = find_twins(ids)
        for group in twins[:_MOST_TWINS]:
            # Two forms of one letter look the same: only escapes tell them apart.
            names = " and ".join(ascii(one) for one in group)
            text = f"the ids {names} are several records here, and one on a drive that is blind to case or accents"
            self._note(self.warnings, text)
        if len(twins) > _MOST_TWINS:
            self._note(
                self.warnings, f"... and {len(twins) - _MOST_TWINS} more groups of ids that look alike"
            )

    def _look_at_units(self, workspace: Workspace) -> None:
        from sinagot.errors import SinagotError

        try:
            raw = _raw_data(workspace) if self.n_records is not None else None
        except SinagotError as error:
            raw = None
            self._note_error(error)
        for task, modality in workspace.blueprint.units():
            steps = workspace.blueprint.script_names(task, modality)
            groups = workspace.blueprint.group_names(task, modality)
            count = None if raw is None or not steps else raw.get((task, modality), 0)
            self.units.append(
                {"task": task, "modality": modality, "steps": [*steps, *groups], "raw_data": count}
            )

    def _note_error(self, error: Exception) -> None:
        text, file, line = plain(error), getattr(error, "file", None), getattr(error, "line", None)
        # The error of a script has its line in the text only.
        found = re.search(rf"{re.escape(str(file))}:(\d+)", text) if file and line is None else None
        self._note(self.errors, text, file, int(found[1]) if found else line)

    @staticmethod
    def _note(notes: list[dict[str, Any]], text: str, file: Any = None, line: int | None = None) -> None:
        note = {"message": text, "file": str(file) if file else None, "line": line}
        if note not in notes:
            notes.append(note)

    # -- showing

    def as_json(self) -> dict[str, Any]:
        """Give the findings as plain values."""
        found: dict[str, Any] = {"errors": self.errors, "warnings": self.warnings}
        if self.workspace is not None:
            found["paths"] = dict(self._paths(self.workspace))
        return found | {"records": self.n_records, "looked_for": self.looked_for, "units": self.units}

    @staticmethod
    def _paths(workspace: Workspace) -> Iterator[tuple[str, str]]:
        configuration = workspace.configuration
        yield "configuration", ", ".join(map(str, configuration.files))
        for name, key in (("data", "dataset"), ("scripts", "scripts"), ("output", "output"), ("log", "log")):
            yield key, str(getattr(configuration, f"{name}_path"))
        yield "state", str(configuration.state_path)

    def lines(self) -> Iterator[str]:
        """Give the findings for people."""
        if self.workspace is not None:
            rows = [[f"{key}:", clean(short_path(path))] for key, path in self._paths(self.workspace)]
            yield from columns(rows)
            yield ""
            yield from self._record_lines()
            yield from self._unit_lines()
        for word, notes in (("warning", self.warnings), ("error", self.errors)):
            if notes:
                yield ""
            for note in notes:
                yield f"{word.capitalize()}: {shortened(clean(note['message']))}"
        if self.errors or self.warnings:
            yield ""
        if self.workspace is None:
            yield "The workspace can't be opened; scripts and records are looked at when this is mended."
        facts = [
            counted(len(notes), word) for word, notes in (("error", self.errors), ("warning", self.warnings))
        ]
        if self.errors or self.warnings:
            yield f"{facts[0]}, {facts[1]}"
        else:
            yield "\nAll is well." if self.n_records else "\nNothing is wrong, but there is no record."

    def _record_lines(self) -> Iterator[str]:
        if self.n_records is None:
            yield "records: can't be listed, see below"
            return
        some = f": {clean(' ... '.join(self.some_ids))}" if self.some_ids else ""
        yield f"{counted(self.n_records, 'record')}{some}"
        if self.looked_for:
            yield (
                f"  found by {clean(self.looked_for)}"
                if self.n_records
                else f"  looked for {clean(self.looked_for)}"
            )

    def _unit_lines(self) -> Iterator[str]:
        yield ""
        rows = [["task", "modality", "raw data", "steps"]]
        for unit in self.units:
            count = "-" if unit["raw_data"] is None else f"{unit['raw_data']:,}"
            rows.append(
                [unit["task"] or "-", unit["modality"] or "-", count, ", ".join(unit["steps"]) or "none"]
            )
        if self.workspace is not None and self.workspace.is_unit_mode:
            rows = [row[2:] for row in rows]
        yield from columns(rows, right=[len(rows[0]) - 2])


def _raw_data(workspace: Workspace) -> dict[tuple[str | None, str | None], int]:
    """Count the records whose raw data are there, by unit."""
    table = workspace.records.count_raw_data()
    return {
        (row["task"] or None, row["modality"] or None): int(row["count"])
        for row in table.astype(object).where(table.notna(), None).to_dict("records")
    }
