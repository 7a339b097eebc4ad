"""What a paper says about the processing: a paragraph of plain English, and tables in Markdown.

Pure: the facts of a `Study` in, text out. Numbers are those of the study, which add up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sinagot.engine.accounts.flow import WITHOUT_INPUT
from sinagot.workspace.origins import Shown
from sinagot.workspace.reports.study import CITATION, Study

__all__ = ["MethodsReport", "origin_text", "value_text", "versions_text"]

#: Of the standard library alone.
_NO_PACKAGES = "none besides Python's standard library"
#: Runs of older versions did not note them.
_UNKNOWN = "not recorded"
_LONGEST_VALUE = 120
#: What became of one, and of several.
_BECAME = {
    "excluded": ("was excluded", "were excluded"),
    "missing_input": ("had no input data", "had no input data"),
    "failed": ("failed", "failed"),
    "blocked": ("was blocked by a step that failed before", "were blocked by a step that failed before"),
    "interrupted": ("was interrupted", "were interrupted"),
    "not_begun": ("was not begun", "were not begun"),
    "running": ("is being processed", "are being processed"),
    "ready": ("has not been run yet", "have not been run yet"),
    "waiting": ("waits for a step before", "wait for a step before"),
    "outdated": ("has outdated results", "have outdated results"),
    "unknown": ("ended in a way that is not on record", "ended in a way that is not on record"),
    "done": ("is done", "are done"),
}
#: What Markdown would read as its own.
_SPECIAL = frozenset("\\`*_{}[]<>#|~$")


class MethodsReport:
    """Answer of `sinagot report methods`: text for the methods section of a paper.

    Parameters
    ----------
    study : Study
        The facts.
    """

    def __init__(self, study: Study) -> None:
        self.study = study

    # -- the paragraph

    @property
    def paragraph(self) -> str:
        """The text, without markup."""
        return " ".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        study, way = self.study, self.study.way
        tool = f"sinagot {versions_text(study.versions.get('sinagot'))}"
        python = f"Python {versions_text(study.versions.get('python'))}"
        span = study.span
        if span is None:
            yield f"The records of the workspace {study.name} (version {study.version}) have not been processed yet."
        else:
            days = [day[:10] for day in span]
            when = f"on {days[0]}" if days[0] == days[1] else f"between {days[0]} and {days[1]}"
            runs = "in one run" if len(study.runs) == 1 else f"in {len(study.runs)} runs"
            yield (
                f"Recordings were processed with {tool} ({python}) {runs} {when} (UTC), "
                f"in the workspace {study.name}, version {study.version}."
            )
        yield from self._about_steps()
        drops = [drop for drop in way.drops if drop.number]
        parts = [_became(drop.name, drop.number, drop.reasons) for drop in drops]
        noun = way.noun if way.found != 1 else way.noun.removesuffix("s")
        found = f"Of {way.found:,} {noun}" + (" found" if way.noun == "records" else " asked for")
        yield f"{found}, {_listed([*parts, _became('done', way.done, {})])}."
        if way.without_input:
            yield f"Besides, there are {way.without_input:,} {WITHOUT_INPUT}."
        packages = study.packages
        if packages:
            named = _listed([f"{name} {versions_text(found)}" for name, found in packages.items()])
            yield f"The scripts import {named}."
        elif span is not None:
            yield f"Packages that the scripts import: {_NO_PACKAGES if packages == {} else _UNKNOWN}."
        if study.params:
            own = len({record_id for _, record_id, _ in study.params if record_id})
            yield "Parameters are given in the table" + (
                f"; {_counted(own, 'record')} {'has' if own == 1 else 'have'} some of their own."
                if own
                else "."
            )

    def _about_steps(self) -> Iterator[str]:
        each = [step.name for step in self.study.steps if not step.is_group]
        groups = [step.name for step in self.study.steps if step.is_group]
        if each:
            yield (
                f"The steps of a record are {', '.join(each)}."
                if len(each) > 1
                else f"Each record has one step, {each[0]}."
            )
        if groups:
            yield f"The records are joined by {', '.join(groups)}."

    # -- tables

    def markdown(self) -> str:
        """Give paragraph and tables as Markdown."""
        study = self.study
        sections: list[Iterable[str]] = [
            ["## Methods", "", _plain(self.paragraph)],
            ["### Software", "", *_table(["what", "version"], self._software())],
        ]
        if study.params:
            rows = [
                [
                    f"{step} ({record_id})" if record_id else step,
                    one.key,
                    value_text(one.value),
                    origin_text(one),
                ]
                for step, record_id, one in study.params
            ]
            sections.append(["### Parameters", "", *_table(["step", "parameter", "value", "origin"], rows)])
        if study.overrides:
            rows = [[run_id, value_text(given)] for run_id, given in study.overrides.items()]
            sections.append(["Given to single runs:", "", *_table(["run", "parameters"], rows)])
        sections.append([f"### {study.way.noun.capitalize()}", "", *self._counts()])
        if study.exclusions:
            rows = [[reason, f"{records:,}", f"{jobs:,}"] for reason, records, jobs in study.exclusions]
            sections.append(
                ["### Exclusions", "", *_table(["reason", "records", "steps of records"], rows, right=[1, 2])]
            )
        sections.append(["### How to cite", "", _plain(CITATION)])
        return "\n\n".join("\n".join(section) for section in sections) + "\n"

    def _software(self) -> list[list[str]]:
        study = self.study
        rows = [[name, versions_text(found)] for name, found in study.versions.items() if name != "workspace"]
        rows.append([f"workspace {study.name}", study.version])
        if study.packages is None:
            rows.append(["packages of the scripts", _UNKNOWN])
        rows += [[name, versions_text(found)] for name, found in (study.packages or {}).items()]
        return rows

    def _counts(self) -> list[str]:
        way, flow = self.study.way, self.study.flow
        used = [drop for drop in way.drops if drop.number]
        if flow is None:
            rows = [["asked for", f"{way.found:,}"], *([drop.word.text, f"{drop.number:,}"] for drop in used)]
            return _table(["jobs", "number"], [*rows, ["done", f"{way.done:,}"]], right=[1])
        names = [drop.name for drop in way.drops if any(row.places[drop.name] for row in flow.rows)]
        words = {drop.name: drop.word.text for drop in way.drops}
        head = ["step", "found", *(words[name] for name in names), "done"]
        names.append("done")
        rows = [
            [one.name, f"{one.found:,}", *(f"{one.places[name]:,}" for name in names)] for one in flow.rows
        ]
        return _table(head, rows, right=range(1, len(head)))

    # -- plain values

    def as_json(self) -> dict[str, Any]:
        """Give plain values: what text and tables tell."""
        study = self.study
        return {
            "run": study.run.run_id if study.run is not None else None,
            "paragraph": self.paragraph,
            "workspace": {"name": study.name, "version": study.version},
            "runs": len(study.runs),
            "span": list(study.span) if study.span else None,
            "versions": study.versions,
            "packages": study.packages,
            "steps": [
                {
                    "step": step.name,
                    "is_group": step.is_group,
                    "params": [
                        {
                            "key": one.key,
                            "value": one.value,
                            "origin": origin_text(one),
                            "record_id": record_id,
                        }
                        for record_id, params in ((None, step.params), *step.own.items())
                        for one in params
                    ],
                }
                for step in study.steps
            ],
            "overrides": study.overrides,
            "counts": study.way.as_json(),
            "flow": study.flow.as_json() if study.flow is not None else None,
            "exclusions": [
                {"reason": reason, "records": records, "jobs": jobs}
                for reason, records, jobs in study.exclusions
            ],
            "durations": {name: one.as_json() for name, one in study.durations.items()},
            "citation": CITATION,
        }

    def __repr__(self) -> str:
        return f"<MethodsReport instance | {self.paragraph}>"

    def _repr_markdown_(self) -> str:
        return self.markdown()


def versions_text(found: dict[str, int] | None) -> str:
    """Give a version; of several each with the number of runs that used it.

    Examples
    --------
    >>> versions_text({"2.1": 3}), versions_text({"2.1": 3, "2.2": 1}), versions_text(None)
    ('2.1', '2.1 (3 runs) and 2.2 (1 run)', 'not recorded')
    """
    if not found:
        return _UNKNOWN
    if len(found) == 1:
        return next(iter(found))
    return _listed([f"{version} ({_number(runs, 'run')})" for version, runs in found.items()])


def value_text(value: Any) -> str:
    """Write a value nearly as TOML has it, on one line."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]} ..."


def origin_text(one: Shown) -> str:
    """Say where a value comes from, without folders of one machine."""
    if one.file is None:
        return one.origin
    name = one.file.replace("\\", "/").rpartition("/")[2]
    return f"{name}:{one.line}" if one.line else name


def _became(name: str, number: int, reasons: Mapping[str, int]) -> str:
    """Say what became of some records or jobs."""
    if name == "done" and not number:
        return "none is done"
    one, many = _BECAME[name]
    text = f"{number:,} {one if number == 1 else many}"
    if reasons:
        text += " (" + "; ".join(f"{why}: {count:,}" for why, count in reasons.items()) + ")"
    return text


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _counted(number: int, noun: str) -> str:
    return f"one {noun}" if number == 1 else _number(number, noun)


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _plain(text: str) -> str:
    """Write a text so that Markdown shows it as it is, on one line."""
    flat = "".join(one if one.isprintable() else " " for one in text)
    return "".join(f"\\{one}" if one in _SPECIAL else one for one in flat)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Write a table."""
    marks = ["---:" if number in set(right) else "---" for number in range(len(head))]
    lines = [head, marks, *([_plain(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]
