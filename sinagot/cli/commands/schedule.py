"""`sinagot schedule`: pipelines that run by themselves, when, what became of each tick, and the service for them.

Knows the command line; how schedules are shown is `sinagot.cli.schedules`'s. Keys of ``list --json``: ``schedules``
(list of ``name``; ``file``; ``on``, cron texts with zones; ``policies``, names to texts; ``unable``, why it can't run,
or null; ``paused``; ``pause``: ``since``, ``user``, ``reason``, or null; ``next_tick``, UTC, or null; ``newest``, a
decision, or null; ``open``, list of ``run_id``, ``state``, ``tick``) and ``problems`` (list of text). Of a decision:
``schedule``, ``tick``, ``verdict``, ``reason``, ``time``, ``service``, ``run_id``, ``number``, ``first``, and where a
run was asked for ``state``, ``message``, ``began``, ``ended``, ``attempt`` and ``last_run_id`` of its last try. Of
``next --json``: ``schedule``, ``ticks`` (UTC). Of ``history --json``: ``decisions``.
"""

from __future__ import annotations

from datetime import datetime

import click

from sinagot.cli.exits import Exit
from sinagot.cli.options import json_option, read_settings, workspace_options

__all__ = ["command"]


@click.group(
    "schedule",
    epilog="""
\b
Examples:
  sinagot schedule run                        start what is due, until Ctrl-C
  sinagot schedule list                       when each runs next, and how it stands
  sinagot schedule next night -n 5
  sinagot schedule pause night --reason "new scanner"
  sinagot schedule history night              what became of each tick
  sinagot schedule run night --at 2026-01-31T06:00

A schedule is a pipeline of the folder `conf` that has a key `on`.
""",
)
def command() -> None:
    """Run pipelines at their times, and show, pause and repeat them."""


@command.command("list", epilog="\b\nExamples:\n  sinagot schedule list\n  sinagot schedule list --json")
@json_option
@workspace_options
def list_(as_json: bool) -> int:
    """List the schedules: when each is due next, and how it stands.

    Times are local. One that can't run is listed with the reason. Exit code 5 when there is none.
    """
    from sinagot.cli.schedules import opened, state_json, state_lines, tell_problems
    from sinagot.cli.texts import note, print_json, say

    with opened() as service:
        states = service.states()
        if as_json:
            print_json(
                {"schedules": [state_json(one) for one in states], "problems": service.roster.problems}
            )
        elif states:
            for line in state_lines(states):
                say(line.rstrip())
        if not as_json:
            tell_problems(service)
        if not states and not service.roster.problems:
            note(
                "No schedule here: a pipeline of the folder conf has one with a key `on`, such as cron: 0 6 * * *"
            )
        return Exit.OK if states or service.roster.problems else Exit.NOTHING


@command.command(
    "next", epilog="\b\nExamples:\n  sinagot schedule next night\n  sinagot schedule next night -n 5"
)
@click.argument("name", metavar="NAME")
@click.option("-n", "number", type=click.IntRange(1, 10_000), default=20, metavar="N", help="How many.  [20]")
@json_option
@workspace_options
def next_(name: str, number: int, as_json: bool) -> int:
    """Show when a schedule is due next, in local time and in UTC."""
    from sinagot.cli.schedules import local, opened
    from sinagot.cli.texts import print_json, say

    with opened() as service:
        ticks = service.next_ticks(name, number)
        if as_json:
            print_json({"schedule": name, "ticks": [one.isoformat() for one in ticks]})
        else:
            for one in ticks:
                say(f"{local(one)}    {one:%Y-%m-%d %H:%M} UTC")
        return Exit.OK if ticks else Exit.NOTHING


@command.command(
    "pause",
    epilog='\b\nExamples:\n  sinagot schedule pause night\n  sinagot schedule pause night --reason "new scanner"',
)
@click.argument("name", metavar="NAME")
@click.option("--reason", default="", metavar="TEXT", help="Why, for others.")
@workspace_options
def pause(name: str, reason: str) -> int:
    """Pause a schedule: its ticks are decided as disabled, and never made up for.

    It holds for all services, and over their ends. A run that goes on, goes on.
    The first pause stands until `resume`: who and why of a second one are not taken.
    """
    from sinagot.cli.schedules import local, opened
    from sinagot.cli.texts import clean, note, say
    from sinagot.schedule.registrar import user_name

    with opened() as service:
        former = service.state_of(name).pause
        found = service.pause(name, user_name(), reason).pause
        assert found is not None, "it is paused now"
        why = f": {clean(found.reason)}" if found.reason else ""
        say(f"{clean(name)} is paused by {clean(found.user)}{why}")
        if former is not None:
            note(f"It was already, since {local(former.since)}; who and why stay as they were.")
    return Exit.OK


@command.command("resume", epilog="\b\nExamples:\n  sinagot schedule resume night")
@click.argument("name", metavar="NAME")
@workspace_options
def resume(name: str) -> int:
    """End a pause. What was due meanwhile is not made up for."""
    from sinagot.cli.schedules import local, opened
    from sinagot.cli.texts import clean, say
    from sinagot.schedule.registrar import user_name

    with opened() as service:
        state = service.resume(name, user_name())
        say(f"{clean(name)} runs again; next: {local(state.next_tick)}")
    return Exit.OK


def _moment(ctx: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """Read a moment; one without a zone is local."""
    if value is None:
        return None
    try:
        written = datetime.fromisoformat(value)
        moment = written.astimezone()
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{value!r}: write it like 2026-01-31T06:00", ctx, parameter) from error
    if written.tzinfo is None and moment.replace(tzinfo=None) != written:
        raise click.BadParameter(
            f"{value!r}: the clocks of this machine are put forward over it; write it with an offset, such as +02:00",
            ctx,
            parameter,
        )
    return moment


@command.command(
    "run",
    epilog="""
\b
Examples:
  sinagot schedule run                        until Ctrl-C or SIGTERM
  sinagot schedule run --once                 from cron: what is due now
  sinagot schedule run night --at 2026-01-31T06:00
  sinagot schedule run night --at 2026-01-31T06:00 --set count=3 --force

\b
Exit codes:
  0  the service was told to end, or the run of NAME is done
  1  --once: the history can't be reached; without it this is waited for
  3  the run of NAME failed
  4  NAME can't run as it is written
  5  there is no such schedule
  6  NAME has run for this time before (see --force)
  130 Ctrl-C, 143 SIGTERM: the run of NAME was ended

\b
The first Ctrl-C or SIGTERM ends the service: runs that go on get a while, and
then go on without it; the next service takes them up. The second ends them too.
A history in a database that can't be reached is waited for, but not with --once.
""",
)
@click.argument("name", required=False, metavar="[NAME]")
@click.option(
    "--at",
    "moment",
    callback=_moment,
    metavar="TIME",
    help="Run NAME for this nominal time; local without a zone.",
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Give a parameter to the run of NAME."
)
@click.option("--force", is_flag=True, help="Run NAME although it has run for this time.")
@click.option("--once", is_flag=True, help="Do what is due now, wait for it, and end.")
@click.option("--until", callback=_moment, metavar="TIME", help="End then; local without a zone.")
@workspace_options
def run(
    name: str | None,
    moment: datetime | None,
    settings: tuple[str, ...],
    force: bool,
    once: bool,
    until: datetime | None,
) -> int:
    """Start pipelines when they are due, until Ctrl-C; with NAME and --at, one of them by hand.

    Any number of services may work on one workspace: each tick runs once.
    """
    if (name is None) != (moment is None):
        raise click.UsageError(
            "NAME and --at TIME go together; without both it starts what is due, until Ctrl-C"
        )
    if name is None and (settings or force):
        raise click.UsageError("--set and --force are about one run: name it, with --at TIME")
    if name is not None and (once or until):
        raise click.UsageError("--once and --until are about the service; a run of NAME ends by itself")
    if name is not None and moment is not None:
        return _run_one(name, moment, settings, force)
    from sinagot.cli.schedules import run_service

    run_service(once=once, until=until)
    return Exit.OK


def _run_one(name: str, moment: datetime, settings: tuple[str, ...], force: bool) -> int:
    from datetime import UTC

    from sinagot.cli.schedules import opened, wait_for
    from sinagot.cli.texts import clean, note, say

    with opened(decides=False) as service:
        service.start()
        try:
            launch = service.launch_tick(name, moment.astimezone(UTC), read_settings(settings), force=force)
            waits = next((one for one in service.state_of(name).open if one.run_id != launch.run_id), None)
            if waits is not None:
                note(f"Run {waits.run_id} of it is {waits.state}: this one may have to wait.")
            launch, code = wait_for(service, launch)
        finally:
            service.stop(end=True)
        why = f": {clean(launch.message)}" if launch.message else ""
        say(f"{clean(name)} for {moment:%Y-%m-%d %H:%M %Z}: {launch.state}{why}")
        say(f"  run {launch.run_id}")
    return code


@command.command(
    "history",
    epilog="\b\nExamples:\n  sinagot schedule history\n  sinagot schedule history night -n 100 --json",
)
@click.argument("name", required=False, metavar="[NAME]")
@click.option(
    "-n", "number", type=click.IntRange(1, 100_000), default=50, metavar="N", help="How many.  [50]"
)
@json_option
@workspace_options
def history(name: str | None, number: int, as_json: bool) -> int:
    """Show what became of ticks, latest first: of one schedule, or of all.

    Also of schedules that no file has any more. A run that was tried again is
    shown by its last try.
    """
    from sinagot.cli.schedules import decision_json, decision_lines, launches_of, opened
    from sinagot.cli.texts import note, print_json, say

    with opened() as service:
        decisions = service.decisions(name, number)
        launches = launches_of(service.history, decisions)
        if as_json:
            print_json(
                {"decisions": [decision_json(one, launches.get(one.run_id or "")) for one in decisions]}
            )
        elif decisions:
            for line in decision_lines(decisions, launches):
                say(line)
        else:
            if name is not None:
                service.entry(name)
            note("Nothing is on record yet: sinagot schedule run decides")
        return Exit.OK if decisions else Exit.NOTHING
