"""Runs in words: a table of them, one in detail, and what differs between two.

Knows the accounts of runs; must not know how the command line named them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sinagot.cli.moments import local_time, span
from sinagot.cli.stages import stage_lines, stages_json
from sinagot.cli.texts import clean, columns, counted, painted, plain_list, short_path
from sinagot.config.quantities import bytes_text
from sinagot.engine.words import OUTCOMES

if TYPE_CHECKING:
    from sinagot.engine.accounts.contrasts import Change, RunDiff
    from sinagot.engine.accounts.digests import RunDigest
    from sinagot.engine.accounts.runs import RunFacts
    from sinagot.engine.accounts.standing import StandingFailure
    from sinagot.engine.accounts.underway import RunProgress
    from sinagot.workspace.history import Run

__all__ = ["diff_json", "diff_lines", "run_json", "run_lines", "table_lines"]

#: Changed jobs, failures and files that are named one by one.
_MOST = 20
#: Characters of a value, of which the rest is left out.
_LONGEST = 60
#: A step is slower or faster when its median is so many times the other.
_RATIO = 1.2


def _tone_of(facts: RunFacts) -> str:
    """Give the word whose colour the state of a run has."""
    if facts.state == "running":
        return "running"
    if facts.state == "ended":
        return "done" if facts.ok else "failed"
    return "interrupted"


def _who(facts: RunFacts) -> str:
    parts = [part for part in (facts.user, facts.host) if part]
    return "@".join(parts) or "-"


def table_lines(runs: Sequence[RunFacts], width: int | None) -> Iterator[str]:
    """Give the table of runs, newest first.

    Parameters
    ----------
    runs : sequence of RunFacts
        What is known of each.
    width : int or None
        Of the terminal; the command is cut to it.

    Yields
    ------
    str
        A line; none when there are no runs.
    """
    if not runs:
        return
    rows = [["run", "started", "by", "state", "jobs", "done", "failed", "took", "command"]]
    for facts in runs:
        jobs = "-" if facts.jobs is None else f"{facts.jobs:,}"
        done, failed = (f"{facts.counts[outcome]:,}" for outcome in ("done", "failed"))
        command = facts.command if facts.kind == "run" else f"({facts.kind}) {facts.command}"
        cells = [local_time(facts.start), _who(facts), facts.state, jobs, done, failed]
        rows.append([*map(clean, [facts.run_id, *cells]), span(facts.duration_s), _one_line(command)])
    lines = columns(rows, right=[4, 5, 6, 7])
    yield lines[0]
    for line, facts in zip(lines[1:], runs, strict=True):
        shown = line if width is None or len(line) <= width else line[: max(width - 3, 1)] + "..."
        # Beginning at the column of states: a user may be called as a state is.
        head, state, tail = shown.partition(f"  {facts.state}  ")
        yield f"{head}  {painted(_tone_of(facts), facts.state)}  {tail}" if state else shown


def _one_line(text: str) -> str:
    return clean(text).replace("\n", "\\n").replace("\t", " ")


def run_json(facts: RunFacts, run: Run | None = None) -> dict[str, Any]:
    """Give a run as plain values; with the run itself, in detail."""
    plain = facts._asdict()
    if run is None:
        return plain
    digest, before = run.digest(), run.before()
    progress = run.progress() if facts.state == "running" else None
    return {
        **plain,
        "progress": None if progress is None else _progress_json(progress),
        "steps": [step._asdict() for step in digest.steps],
        "slowest": [job._asdict() for job in digest.slowest],
        "failures": [_failure_json(group) for group in digest.failures],
        "peak_memory_mb": digest.peak_memory_mb,
        "pipelines": stages_json(run),
        "changes": None if before is None else diff_json(before.diff(run)),
    }


def _progress_json(progress: RunProgress) -> dict[str, Any]:
    running = [job._asdict() for job in progress.running]
    facts = {name: getattr(progress, name) for name in ("settled", "total", "rate", "eta_s")}
    return {**facts, "running": running}


def _failure_json(group: StandingFailure) -> dict[str, Any]:
    names = ("step", "outcome", "exc_type", "message", "where", "stage", "count", "records")
    return {name: getattr(group, name) for name in names}


def diff_json(diff: RunDiff) -> dict[str, Any]:
    """Give what differs between two runs as plain values."""
    lists = ("config", "scripts", "versions", "packages", "params", "command", "outcomes", "steps")
    named = {name: [one._asdict() for one in getattr(diff, name)] for name in lists}
    return {"a": diff.a.run_id, "b": diff.b.run_id, **named, "cleaned": list(diff.cleaned)}


def run_lines(run: Run) -> Iterator[str]:
    """Give a run in detail, as lines."""
    facts, digest = run.facts, run.digest()
    yield from _head(facts)
    if facts.state == "running":
        yield from _progress_lines(run.progress())
    yield from _digest_lines(digest)
    yield from stage_lines(run)
    if facts.warnings:
        yield from ["", "Warnings", *(f"  {clean(text)}" for text in facts.warnings[:_MOST])]
    before = run.before()
    if before is not None:
        lines = [*diff_lines(before.diff(run), is_short=True)]
        yield from ["", f"Different from the run before, {before.facts.run_id}", *lines]


def _head(facts: RunFacts) -> Iterator[str]:
    word = facts.state if facts.state != "ended" else "ended well" if facts.ok else "ended with failures"
    if facts.stopped_by is not None:
        import signal

        known = {int(one): one.name for one in signal.Signals}
        word += f" by {known.get(facts.stopped_by, facts.stopped_by)}"
    yield f"Run {clean(facts.run_id)}: {painted(_tone_of(facts), word)}"
    rows = [
        [
            "started",
            f"{local_time(facts.start)} by {_who(facts)}" + (f", process {facts.pid}" if facts.pid else ""),
        ],
        ["ended", local_time(facts.end)],
        ["took", span(facts.duration_s)],
        ["command", _one_line(facts.command)],
    ]
    if facts.mode is not None:
        workers = "" if facts.workers is None else f", {counted(facts.workers, 'worker')}"
        rows.append(["mode", f"{facts.mode}{workers}"])
    if facts.version is not None:
        rows.append(["sinagot", facts.version])
    yield from (f"  {line}" for line in columns([[name, clean(text)] for name, text in rows]))
    about = "" if facts.jobs is None else f" of {counted(facts.jobs, 'job')}"
    about += "" if facts.records is None else f" of {counted(facts.records, 'record')}"
    yield f"Settled: {facts.settled:,}{about}"
    for outcome, count in facts.counts.items():
        if count:
            text = OUTCOMES[outcome].text if outcome in OUTCOMES else outcome
            yield f"  {painted(text, clean(f'{count:,} {text}'))}"
    if facts.open and facts.state != "running":
        yield f"  {facts.open:,} open: nobody knows what became of them, the next run looks"
    if facts.stopped_because:
        yield f"  {clean(facts.stopped_because)}"


def _progress_lines(progress: RunProgress) -> Iterator[str]:
    share = f" ({100 * progress.settled / progress.total:.0f} %)" if progress.total else ""
    eta = "" if progress.eta_s is None else f", about {span(progress.eta_s)} to go"
    yield f"Going on: {progress.settled:,} of {progress.total:,}{share}, {progress.rate:.3g} a second{eta}"
    for job in progress.running[:_MOST]:
        since = f" since {local_time(job.since)}" if job.since else ""
        yield f"  {clean(job.key)}{since} ({clean(job.worker)})"


def _digest_lines(digest: RunDigest) -> Iterator[str]:
    if digest.steps:
        rows = [["step", "done", "failed", "interrupted", "retried", "median", "longest", "memory"]]
        for step in digest.steps:
            counts = [f"{count:,}" for count in (*step.counts.values(), step.retried)]
            times = [span(step.median_s), span(step.max_s)]
            rows.append([clean(step.step), *counts, *times, _memory(step.peak_memory_mb)])
        yield ""
        yield from columns(rows, right=range(1, 8))
    if digest.slowest:
        yield from ["", "Slowest jobs"]
        rows = [[span(job.duration_s), clean(job.record_id), clean(job.step)] for job in digest.slowest]
        yield from (f"  {line}" for line in columns(rows, right=[0]))
    if digest.failures:
        yield from ["", "Failures by cause"]
        for group in digest.failures[:_MOST]:
            yield painted("failed", clean(f"  {group.step}: {group.cause}"))
            where = f", at {short_path(group.where)}" if group.where else ""
            where += f", stage {group.stage}" if group.stage else ""
            yield clean(f"    {counted(group.count, 'record')}: {plain_list(group.records)}{where}")
        if len(digest.failures) > _MOST:
            yield f"  ... and {len(digest.failures) - _MOST:,} more causes"


def _memory(megabytes: float | None) -> str:
    return "-" if megabytes is None else bytes_text(megabytes * (1 << 20))


def diff_lines(diff: RunDiff, *, is_short: bool = False) -> Iterator[str]:
    """Give what differs between two runs, as lines.

    Parameters
    ----------
    diff : RunDiff
        What differs.
    is_short : bool
        Of steps only those that became slower or faster, and of jobs only how many.

    Yields
    ------
    str
        A line.
    """
    told = bool(diff.cleaned)
    for run_id in dict.fromkeys(diff.cleaned):
        yield f"  {clean(run_id)} was cleaned: its configuration and failed jobs are not kept, and not compared"
    for title, changes in (
        ("configuration", diff.config),
        ("parameters", diff.params),
        ("code", diff.scripts),
        ("versions", diff.versions),
        ("packages", diff.packages),
        ("command", diff.command),
    ):
        if changes:
            told = True
            yield f"  {title}"
            yield from (f"    {_change(one, is_code=title == 'code')}" for one in changes[:_MOST])
            if len(changes) > _MOST:
                yield f"    ... and {len(changes) - _MOST:,} more"
    for line in (*_outcome_lines(diff, is_short=is_short), *_step_lines(diff, is_short=is_short)):
        told = True
        yield line
    if not told:
        yield "  nothing"


def _outcome_lines(diff: RunDiff, *, is_short: bool) -> Iterator[str]:
    if not diff.outcomes:
        return
    yield f"  {counted(len(diff.outcomes), 'job')} ended otherwise"
    for one in () if is_short else diff.outcomes[:_MOST]:
        yield clean(f"    {one.key}: {_outcome(one.old)} -> {_outcome(one.new)}")
    if not is_short and len(diff.outcomes) > _MOST:
        yield f"    ... and {len(diff.outcomes) - _MOST:,} more"


def _outcome(outcome: str | None) -> str:
    return "not run" if outcome is None else OUTCOMES[outcome].text


def _step_lines(diff: RunDiff, *, is_short: bool) -> Iterator[str]:
    shown = [
        step
        for step in diff.steps
        if not is_short or (step.ratio is not None and not 1 / _RATIO < step.ratio < _RATIO)
    ]
    if not shown:
        return
    yield "  durations (median of good attempts)"
    rows = []
    for step in shown:
        ratio = "" if step.ratio is None else f"{step.ratio:.3g} times as long"
        rows.append([clean(step.step), f"{span(step.median_old)} -> {span(step.median_new)}", ratio])
    yield from (f"    {line}" for line in columns(rows))


def _change(one: Change, *, is_code: bool) -> str:
    if is_code:
        what = "is new" if one.old is None else "is gone" if one.new is None else "changed"
        digests = " -> ".join(str(digest)[:12] for digest in (one.old, one.new) if digest is not None)
        return clean(f"{one.name} {what} ({digests})")
    return clean(f"{one.name}: {_value(one.old)} -> {_value(one.new)}")


def _value(value: Any) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else repr(value)
    text = _one_line(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
