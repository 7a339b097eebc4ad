"""`sinagot watch`: run new recordings as they arrive, once they are complete; until Ctrl-C, or once for cron.

Knows options, signals and how events are told; what is complete is the workspace's to say. With ``--json`` one object a
line: ``time`` (UTC), ``kind`` (begun, arrived, run, note, ended), ``text``, ``records`` (list of ids), and for ``run``
the keys of ``sinagot run --json`` below ``report``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

import click

from sinagot.cli.exits import Exit
from sinagot.cli.options import json_option, open_workspace, scope_options, workspace_options
from sinagot.cli.summary import exit_code, report_json
from sinagot.cli.texts import clean, counted, painted, plain_list, say, shortened, warn
from sinagot.engine.words import OUTCOMES

if TYPE_CHECKING:
    from sinagot.engine.accounts.report import RunReport
    from sinagot.workspace.watch.watching import Watch, WatchEvent

__all__ = ["command"]

#: Causes of failures that are told of one run.
_MOST_CAUSES = 5
_LONGEST = 160


def _seconds(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Read a duration: ``90``, ``"90 s"``, ``"10 min"``."""
    from sinagot.config.quantities import SECONDS_WORDS, pause_of

    if value is None:
        return None
    try:
        seconds = pause_of(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: write {SECONDS_WORDS}", ctx, parameter) from error
    if not seconds and parameter.name == "interval":
        raise click.BadParameter("between two looks there must be a pause", ctx, parameter)
    return seconds


@click.command(
    "watch",
    epilog="""
\b
Examples:
  sinagot watch                            run what arrives, until Ctrl-C
  sinagot watch --quiet "2 min" --jobs 4   slow copies; in 4 processes
  sinagot watch --sentinel "raw/{id}.done" a recording is whole when this file is there
  sinagot watch --once                     from cron: what is complete now
  sinagot watch --retry                    also what failed before, once more

\b
Exit codes:
  0  --once: all that was complete is done
  3  --once: a job failed
  4  configuration or script is wrong
  130 Ctrl-C, 143 SIGTERM, 129 SIGHUP
""",
)
@scope_options
@click.option(
    "--quiet", callback=_seconds, metavar="TIME", help="How long files must not change before they are read."
)
@click.option("--interval", callback=_seconds, metavar="TIME", help="Pause between two looks where it polls.")
@click.option(
    "--events",
    type=click.Choice(["auto", "on", "off"]),
    help="Let the system tell of changes, or poll; auto polls on network drives.",
)
@click.option("--sentinel", metavar="PATTERN", help="A file that says that a recording is complete.")
@click.option(
    "--outdated/--no-outdated", default=None, help="Run also what was made from something that changed."
)
@click.option(
    "--retry", is_flag=True, help="Run what failed before once more, though its inputs are the same."
)
@click.option("--once", is_flag=True, help="Look at what is there, run what is complete, and end.")
@click.option("-j", "--jobs", "workers", type=click.IntRange(min=1), metavar="N", help="Run in N processes.")
@click.option("--address", metavar="URL", help="Run through the Dask scheduler at this address.")
@click.option("--exclusive", is_flag=True, help="Do not start anything while another run works here.")
@json_option
@workspace_options
def command(as_json: bool, **options: Any) -> int:
    """Run new recordings as they arrive.

    A step runs when all its inputs are there and have been the same for a while (`quiet` of `[watch]`, 30 s), so that
    half-copied files are never read. What failed is tried again when its inputs change. The watch may be stopped, or
    killed, at any moment: the next one goes on with what is left.
    """
    with open_workspace() as workspace:
        watch = workspace.watch(notify=True, reopen=open_workspace, **options)
        reports: list[RunReport] = []
        with _obeyed(watch), _own_stdout() if as_json else nullcontext() as stream:
            try:
                for event in watch:
                    _tell(event, stream)
                    if event.report is not None and options["once"]:
                        reports.append(event.report)
            except KeyboardInterrupt:
                return Exit.INTERRUPTED
        return max((code for code in map(exit_code, reports) if code != Exit.NOTHING), default=Exit.OK)


@contextmanager
def _obeyed(watch: Watch) -> Iterator[None]:
    """Let signals reach the watch, whatever it does at the moment."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    former = {}
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup: it is meant to live on
            former[number] = signal.signal(number, lambda signum, frame: watch.stop(signum))
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def _own_stdout() -> Iterator[Any]:
    """Give standard output for our lines alone; what scripts print goes to standard error meanwhile."""
    stdout: Any = sys.stdout
    real = sys.__stdout__
    descriptor = real.fileno() if real is not None and real is stdout else None
    with redirect_stdout(sys.stderr):
        if descriptor != 1:  # replaced by whoever called us
            yield stdout
            return
        stdout.flush()
        with os.fdopen(os.dup(1), "w", encoding="utf-8") as kept:
            os.dup2(2, 1)  # programs that scripts start, and libraries that write by themselves
            try:
                yield kept
            finally:
                kept.flush()
                os.dup2(kept.fileno(), 1)


def _tell(event: WatchEvent, stream: TextIO | None) -> None:
    """Tell an event: as JSON on a stream of its own, else in lines for people."""
    if stream is not None:
        told: dict[str, Any] = {
            "time": event.time,
            "kind": event.kind,
            "text": event.text,
            "records": list(event.ids),
        }
        if event.report is not None:
            told["report"] = report_json(event.report, exit_code(event.report))
        click.echo(json.dumps(told, default=str), file=stream)
        return
    clock = datetime.fromisoformat(event.time).astimezone().strftime("%H:%M:%S")
    for number, line in enumerate(_lines(event)):
        say(f"{clock if not number else ' ' * len(clock)}  {line}")
    for text in event.report.warnings if event.report is not None else ():
        warn(text)


def _lines(event: WatchEvent) -> Iterator[str]:
    """Give what people read of an event."""
    report = event.report
    if report is None:
        yield clean(shortened(event.text))
        return
    words = [(OUTCOMES[outcome].text, count) for outcome, count in report.counts.items() if count]
    counts = ", ".join(painted(word, f"{count:,} {word}") for word, count in words)
    named = f"{counted(len(event.ids), 'record')}: {clean(plain_list(event.ids))}"
    yield f"run {report.run_id}, {named}: {counts}"
    failed = [group for group in report.failures if group.outcome == "failed"]
    for group in failed[:_MOST_CAUSES]:
        cause = clean(group.cause)
        cause = f"{cause[:_LONGEST]} ..." if len(cause) > _LONGEST else cause
        yield f"  {painted('failed', f'{group.step}: {cause}')} ({clean(plain_list(group.records))})"
    if len(failed) > _MOST_CAUSES:
        yield f"  ... and {counted(len(failed) - _MOST_CAUSES, 'more cause')}"
