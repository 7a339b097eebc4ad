"""One page of HTML with all that a report knows, readable without the tool, without scripts, without a network.

Pure: a `Study` in, text out; `save_page` writes it. Every text of people or data is escaped where it enters, and the
page itself forbids scripts and foreign contents (Content-Security-Policy).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from sinagot.config.hints import words_about
from sinagot.config.quantities import seconds_text
from sinagot.engine.accounts.flow import WITHOUT_INPUT
from sinagot.engine.accounts.runs import RunFacts
from sinagot.engine.accounts.standing import StandingFailure
from sinagot.engine.html import Markup, chip, code, facts, fold, joined, legend, paragraph, style, table, text
from sinagot.engine.state.history import replace_text
from sinagot.engine.words import OUTCOMES
from sinagot.errors import StorageError
from sinagot.version import __version__
from sinagot.workspace.reports.figures import durations_figure, way_figure
from sinagot.workspace.reports.grids import flow_grid, run_grid, switch_rules
from sinagot.workspace.reports.methods import MethodsReport, origin_text, value_text, versions_text
from sinagot.workspace.reports.study import CITATION, Study

__all__ = ["is_page", "page_of", "save_page"]

#: What is written out of each list; the rest is counted.
_MOST_RUNS = 200
_MOST_GROUPS = 200
_MOST_NAMED = 200
_MOST_DECISIONS = 5000
_MOST_WARNINGS = 500
_EXCERPT = 30  # lines of a traceback

_RULES = """
:root{color-scheme:light dark}
body{margin:0 auto;padding:1em 1.5em 4em;max-width:72em;font:16px/1.5 system-ui,sans-serif}
body{background:Canvas;color:CanvasText;--line:color-mix(in srgb,currentColor 25%,transparent)}
body.sinagot{font-size:1em;overflow-x:visible}
h1{font-size:1.6em;margin:.4em 0 .2em}
h2{font-size:1.25em;margin:2em 0 .4em;padding-top:.5em;border-top:1px solid var(--line)}
h3{font-size:1.05em;margin:1.4em 0 .2em;overflow-wrap:anywhere}
nav ul{padding:0;margin:.5em 0;list-style:none;display:flex;flex-wrap:wrap;gap:.2em 1.2em}
a{color:LinkText}
.wide{overflow-x:auto}
.sinagot .wide th,.sinagot .wide td{overflow-wrap:break-word}
svg.way,svg.durations{max-width:100%;height:auto;font:15px system-ui,sans-serif}
svg .ink{fill:currentColor}
svg .frame{fill:none;stroke:currentColor}
.sinagot table.grid{border-collapse:separate;border-spacing:1px}
.grid caption{text-align:left;font-size:.9em}
.sinagot .grid td{text-align:center;padding:.05em .5em;min-width:2.2em}
.sinagot .grid tbody th{padding:.05em .8em .05em 0;white-space:pre;font-weight:400}
.sinagot .grid thead th{position:sticky;top:0;background:Canvas;padding:.2em .5em;vertical-align:bottom}
.switches{border:1px solid var(--line);margin:.6em 0;padding:.3em .8em}
.switches label{display:inline-block;margin-right:1em}
.sinagot pre{border-left:.2em solid var(--line);padding-left:.7em}
footer{margin-top:3em;font-size:.9em}
@media print{
body{max-width:none;padding:0;font-size:10pt}
nav,.switches{display:none}
h2,h3{break-after:avoid}
svg,tr{break-inside:avoid}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.grid tbody tr.do{display:none}
.grid caption::after{content:" Records that are done are left out on paper."}
details>summary{font-weight:600}
}
"""


def save_page(study: Study, path: str | os.PathLike[str]) -> Path:
    """Write the page; who reads the file meanwhile sees the old one or the new one, never a part.

    Raises
    ------
    StorageError
        It can't be written.
    """
    file = Path(path)
    try:
        replace_text(str(file), page_of(study))
    except OSError as error:
        raise StorageError(
            f"{file} can't be written: {error.strerror or error}; say another place", path=str(file)
        ) from error
    return file


def is_page(path: str | os.PathLike[str]) -> bool:
    """Say whether a file is a page that was made here, or empty: nothing is lost when it is replaced."""
    try:
        with open(path, "rb") as file:
            head = file.read(1024)
    except OSError:
        return False
    return not head or b'<meta name="generator" content="sinagot ' in head


def page_of(study: Study) -> str:
    """Give the page.

    Parameters
    ----------
    study : Study
        The facts.
    """
    sections = [(name, title, made) for name, title, made in _sections(study) if made]
    title = f"{study.name}: run {study.run.run_id}" if study.run is not None else f"{study.name}: report"
    links = "".join(f'<li><a href="#{name}">{text(word)}</a></li>' for name, word, _ in sections)
    body = "".join(
        f'<section aria-labelledby="{name}"><h2 id="{name}">{text(word)}</h2>{made}</section>\n'
        for name, word, made in sections
    )
    # Halves of characters in names of files can't be written; `text` has made them visible everywhere.
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="generator" content="sinagot {__version__}"><title>{text(title)}</title>'
        f"{style()}<style>{_RULES}{switch_rules()}</style></head>\n"
        f'<body class="sinagot"><header><h1>{text(title)}</h1>'
        f"{paragraph('Made on ', _moment(study.made), f' by sinagot {__version__}. Times are UTC.')}"
        f'</header><nav aria-label="Sections"><ul>{links}</ul></nav>\n<main>{body}</main>'
        f"<footer>{paragraph('How to cite: ', CITATION)}</footer></body></html>\n"
    )


def _sections(study: Study) -> Iterator[tuple[str, str, Markup]]:
    """Give name, title and content of each section; one without content is left out."""
    noun = study.way.noun
    yield "summary", "Summary", _summary(study)
    yield "flow", f"Where the {noun} have gone", _flow(study)
    yield "failures", f"Failures by cause ({sum(one.count for one in study.failures):,})", _failures(study)
    yield "records", "Records", _grid(study)
    yield "durations", "Durations", _durations(study)
    yield "parameters", "Parameters", _parameters(study)
    yield "versions", "Versions", _versions(study)
    yield "decisions", f"Decisions ({len(study.decisions):,})", _decisions(study)
    yield "warnings", f"Warnings ({len(study.warnings):,})", _warnings(study)
    yield "runs", "Run" if study.run is not None else f"Runs ({len(study.runs):,})", _runs(study)


def _summary(study: Study) -> Markup:
    way = study.way
    words = {drop.name: drop.word for drop in way.drops} | {"done": OUTCOMES["done"]}
    counts = {drop.name: drop.number for drop in way.drops} | {"done": way.done}
    return joined(
        paragraph(f"{way.found:,} {way.noun} {'found' if way.noun == 'records' else 'asked for'}"),
        paragraph(legend(counts, words) or "Nothing was found."),
        paragraph(MethodsReport(study).paragraph),
    )


def _flow(study: Study) -> Markup:
    way, flow = study.way, study.flow
    made = Markup(f'<div class="wide" tabindex="0">{way_figure(way)}</div>')
    if flow is None:
        return made
    names = [drop.name for drop in way.drops if any(row.places[drop.name] for row in flow.rows)]
    words = {drop.name: drop.word.text for drop in way.drops}
    rows = [
        [one.name, one.found, *(one.places[name] for name in names), one.places["done"]] for one in flow.rows
    ]
    made = joined(made, _wide(["step", "found", *(words[name] for name in names), "done"], rows))
    if study.exclusions:
        made = joined(made, Markup("<h3>Exclusions</h3>"))
        made = joined(made, _wide(["reason", "records", "steps of records"], study.exclusions))
    if flow.strays:
        named = ", ".join(flow.strays[:_MOST_NAMED]) + (" ..." if len(flow.strays) > _MOST_NAMED else "")
        made = joined(
            made, paragraph(f"{WITHOUT_INPUT.capitalize()} ({len(flow.strays):,} records): {named}")
        )
    return made


def _failures(study: Study) -> Markup:
    groups = study.failures
    made = joined(*map(_failure, groups[:_MOST_GROUPS]))
    if len(groups) > _MOST_GROUPS:
        made = joined(made, paragraph(f"... and {len(groups) - _MOST_GROUPS:,} more causes"))
    return made or paragraph("None.")


def _failure(group: StandingFailure) -> Markup:
    word = OUTCOMES.get(group.outcome, OUTCOMES["failed"])
    names = list(group.records[:_MOST_NAMED])
    if group.count > len(names):
        names.append(f"... and {group.count - len(names):,} more")
    lines = group.traceback.rstrip().splitlines()
    excerpt = "\n".join(lines if len(lines) <= _EXCERPT else ["...", *lines[-_EXCERPT:]])
    first = group.newest_record
    commands = [words_about("logs", first), words_about("why", first)]
    if group.step_label:
        commands = [words_about("logs", first, "--step", group.step_label)]
        commands.append([*words_about("why", first), group.step_label])
        narrow = [*(["--task", group.task] if group.task else [])]
        narrow += ["--modality", group.modality] if group.modality else []
        commands.append(["run", "--failed", "--step", group.step_label, *narrow])
    shown = "\n".join(shlex.join(["sinagot", *words]) for words in commands)
    return joined(
        Markup(f"<h3>{chip(word, group.count)} {text(group.step)}: {text(group.cause)}</h3>"),
        paragraph("at ", code(group.where), _stage_text(group)) if group.where else "",
        fold("Records", paragraph(", ".join(names))) if group.count > 1 else paragraph("Record: ", *names),
        fold(f"Traceback of {first}", Markup(f"<pre>{text(excerpt)}</pre>")) if excerpt else "",
        Markup(f"<pre>{text(shown)}</pre>"),
    )


def _stage_text(group: StandingFailure) -> Markup:
    return joined(", in stage ", code(group.stage)) if group.stage else Markup()


def _grid(study: Study) -> Markup:
    if study.flow is not None:
        made = flow_grid(study.flow) if study.flow.ids else paragraph("No record was found.")
    else:
        note = paragraph("Of each record the last attempt in this run; what it did not try stays empty.")
        made = joined(note, run_grid(study.grid)) if study.grid else paragraph("This run tried no record.")
    return Markup(f'<div class="wide" tabindex="0">{made}</div>')


def _durations(study: Study) -> Markup:
    if not study.durations:
        return Markup()
    rows = []
    for name, one in study.durations.items():
        memory = "" if one.peak_memory_mb is None else f"{one.peak_memory_mb:,.0f} MB"
        rows.append([name, one.count, *map(seconds_text, one.quartiles()), seconds_text(one.total), memory])
    head = [
        "step",
        "attempts",
        "least",
        "lower quarter",
        "median",
        "upper quarter",
        "most",
        "together",
        "most memory",
    ]
    return joined(
        Markup(f'<div class="wide" tabindex="0">{durations_figure(study.durations)}</div>'),
        paragraph("Of attempts that were done. The bar is the middle half, the mark in it the median."),
        _wide(head, rows),
    )


def _parameters(study: Study) -> Markup:
    rows = [
        [step, record_id, code(one.key), code(value_text(one.value)), origin_text(one)]
        for step, record_id, one in study.params
    ]
    head = ["step", "record", "parameter", "value", "origin"]
    if not any(row[1] for row in rows):
        head, rows = [head[0], *head[2:]], [[row[0], *row[2:]] for row in rows]
    made = _wide(head, rows) if rows else Markup()
    if study.overrides:
        given = [[run_id, code(value_text(values))] for run_id, values in study.overrides.items()]
        made = joined(made, Markup("<h3>Given to single runs</h3>"), _wide(["run", "parameters"], given))
    return made or paragraph("None.")


def _versions(study: Study) -> Markup:
    named = {name: found for name, found in study.versions.items() if name != "workspace"}
    rows: list[tuple[str, object]] = [(name, versions_text(found)) for name, found in named.items()]
    rows.append((f"workspace {study.name}", study.version))
    if study.packages is None:
        rows.append(("packages that the scripts import", "not recorded"))
    rows += [(name, versions_text(found)) for name, found in (study.packages or {}).items()]
    hosts = ", ".join(f"{host} ({_runs_text(count)})" for host, count in study.hosts.items())
    return _wide(["what", "version"], [*rows, *([("machines", hosts)] if hosts else [])])


def _runs_text(count: int) -> str:
    return f"{count:,} run" + ("" if count == 1 else "s")


def _decisions(study: Study) -> Markup:
    rows = [[_moment(one.time), one.what, one.target.text, one.reason, one.user] for one in study.decisions]
    return _wide(["when", "what", "of", "reason", "by"], rows, most=_MOST_DECISIONS) if rows else Markup()


def _warnings(study: Study) -> Markup:
    rows = [[warning] for warning in study.warnings]
    return _wide([], rows, most=_MOST_WARNINGS) if rows else Markup()


def _runs(study: Study) -> Markup:
    if study.run is not None:
        return facts(_run_facts(study.run))
    rows = [
        [
            code(run.run_id),
            _moment(run.start),
            run.state,
            "" if run.duration_s is None else seconds_text(run.duration_s),
            legend(run.counts, OUTCOMES),
            run.user or "",
            run.host or "",
            code(run.command),
        ]
        for run in study.runs[:_MOST_RUNS]
    ]
    head = ["run", "began", "state", "took", "jobs", "by", "on", "command"]
    return _wide(head, rows, most=_MOST_RUNS, total=len(study.runs)) if rows else paragraph("None.")


def _run_facts(run: RunFacts) -> list[tuple[str, object]]:
    return [
        ("run", run.run_id),
        ("state", run.state),
        ("began", _moment(run.start)),
        ("ended", _moment(run.end)),
        ("took", "" if run.duration_s is None else seconds_text(run.duration_s)),
        ("jobs", legend(run.counts, OUTCOMES)),
        ("command", code(run.command)),
        ("by", run.user),
        ("on", run.host),
        ("mode", run.mode),
        ("workers", run.workers),
        ("stopped by signal", run.stopped_by),
        ("stopped because", run.stopped_because),
    ]


def _moment(found: str | None) -> str:
    """Write a time of day without parts of a second."""
    return (found or "")[:19].replace("T", " ")


def _wide(head: list[str], rows: object, *, most: int = _MOST_DECISIONS, total: int | None = None) -> Markup:
    """Give a table that can be moved sideways on narrow screens."""
    return Markup(f'<div class="wide" tabindex="0">{table(head, rows, most=most, total=total)}</div>')  # type: ignore[arg-type]
