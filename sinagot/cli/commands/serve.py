"""`sinagot serve`: the dashboard, on a port of this machine.

Knows options and words; what is served is made by `sinagot.dashboard`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sinagot.cli.exits import Exit
from sinagot.cli.options import open_workspace, workspace_options, workspace_words

if TYPE_CHECKING:
    from types import ModuleType

    from sinagot.dashboard.reception import Reception

__all__ = ["command"]

_VARIABLE = "SINAGOT_TOKEN"


@click.command(
    "serve",
    epilog="""
\b
Examples:
  sinagot serve                                   a link is printed; open it in a browser
  sinagot serve --port 0 --open                   any free port, and open the browser
  sinagot serve --prefix /user/ada/proxy/8765     behind a proxy that serves it below a path
  sinagot serve --host 0.0.0.0 --allow-host lab.example.org --token-file ~/.token

It reads the same files as the other commands: start it before, during, after or
without a run, also on another machine that sees the dataset.

\b
From elsewhere:
  ssh -L 8765:localhost:8765 MACHINE              then open the link that serve printed

Where pipelines in conf/ say when they run, they run as long as it is up, and so
does what is asked for by the API: POST /pipelines/NAME/runs.

Ctrl-C ends it; runs that were started go on.
""",
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="NAME", help="Address to listen at.")
@click.option(
    "--port",
    default=8765,
    show_default=True,
    type=click.IntRange(0, 65535),
    metavar="N",
    help="Port; 0 takes any that is free.",
)
@click.option("--prefix", default="", metavar="PATH", help="Path that all addresses begin with.")
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Host name that browsers may ask for; may be given several times.",
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"File with the token, which only you can read; else the variable {_VARIABLE}, else a new one is made.",
)
@click.option("--open", "is_opened", is_flag=True, help="Open the page in the browser.")
@click.option("--read-only", is_flag=True, help="Nothing is started or changed: no schedules either.")
@click.option("--no-schedules", is_flag=True, help="Leave schedules to other services.")
@workspace_options
def command(
    host: str,
    port: int,
    prefix: str,
    allowed_hosts: tuple[str, ...],
    token_file: Path | None,
    is_opened: bool,
    read_only: bool,
    no_schedules: bool,
) -> int:
    """Show the dashboard, answer programs, run what is due: pages, REST API and schedules."""
    dashboard = _load()
    from sinagot.dashboard.auth import is_loopback, new_token

    token = _read_token(token_file)
    if not is_loopback(host):
        if token is None:
            raise click.UsageError(
                f"--host {host}: others can reach it there; give a token of your own by --token-file or {_VARIABLE}, "
                "or stay on this machine (--host 127.0.0.1) and come by ssh -L"
            )
        if not allowed_hosts:
            raise click.UsageError(
                f"--host {host}: say under which name browsers will ask for it: --allow-host NAME"
            )
    workspace = open_workspace()
    token = token or new_token()
    app = dashboard.create_app(
        workspace,
        token=token,
        prefix=prefix,
        allowed_hosts=allowed_hosts,
        read_only=read_only,
        words=_absolute(workspace_words()),
        decides=not no_schedules,
    )
    from sinagot.dashboard.server import Server, bind

    reception = app.state.house.reception
    listener = bind(host, port)
    try:
        trouble = reception.reach()
    except BaseException:
        listener.close()
        raise
    name = allowed_hosts[0] if allowed_hosts else "[::1]" if ":" in host else host
    address = f"http://{name}:{listener.getsockname()[1]}{app.state.house.prefix}/"
    _tell(f"{address}#token={token}", is_read_only=read_only)
    _tell_schedules(reception, trouble)
    sys.stdout.flush()
    if is_opened:
        import webbrowser

        webbrowser.open(f"{address}#token={token}")
    server = Server(app)
    reception.note_failure = server.give_up
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # before it was ready
        return Exit.INTERRUPTED
    finally:
        listener.close()
        workspace.close()
    if reception.failure is not None:
        raise reception.failure
    return 128 + server.stopped_by if server.stopped_by else Exit.OK


def _load() -> ModuleType:
    """Import the dashboard, or say which extra it needs."""
    try:
        import jinja2  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401

        from sinagot.dashboard import app
    except ModuleNotFoundError as error:
        from sinagot.errors import MissingExtraError

        package = (error.name or "").partition(".")[0]
        if package not in ("fastapi", "jinja2", "prometheus_client", "starlette", "uvicorn"):
            raise
        raise MissingExtraError(
            f"the dashboard needs {package}, which is not installed here; install the extra 'web' of sinagot: "
            "pip install fastapi jinja2 prometheus-client uvicorn",
            package=package,
            extra="web",
        ) from error
    return app


def _read_token(file: Path | None) -> str | None:
    import os

    if file is None:
        return os.environ.get(_VARIABLE) or None
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--token-file {file}: {getattr(error, 'strerror', None) or error}") from error
    if mode & 0o077:
        raise click.UsageError(f"--token-file {file}: others can read it; first: chmod 600 {file}")
    if not text:
        raise click.UsageError(f"--token-file {file}: it is empty")
    return text


def _absolute(words: list[str]) -> list[str]:
    """Give options of a workspace that hold in any folder."""
    import os

    return [
        word if word.startswith("-") or "=" in word else os.path.abspath(os.path.expanduser(word))
        for word in words
    ]


def _tell(link: str, *, is_read_only: bool) -> None:
    from sinagot.cli.texts import note, say

    say("The dashboard is open at")
    say(f"  {link}")
    power = "" if is_read_only else ", and can start runs"
    note(f"Whoever has this link sees all data{power}. Ctrl-C ends it.")


def _tell_schedules(reception: Reception, trouble: str) -> None:
    """Say how many schedules there are, and when the next one runs, or why nobody knows."""
    from sinagot.cli.texts import counted, note
    from sinagot.errors import HistoryUnavailableError

    reception.tell = _tell_now
    states = []
    try:
        if reception.decides and not reception.read_only and not trouble:
            states = reception.service.states()
    except HistoryUnavailableError as error:
        trouble = str(error)
    if trouble and reception.read_only:
        note(f"What schedules have done can't be shown: {trouble}")
    elif trouble:
        note(f"No schedule runs, and no run can be asked for, until the history can be reached: {trouble}")
    if not states:
        return
    ticks = sorted((one.next_tick, one.name) for one in states if one.next_tick is not None)
    following = "none of them has a next run"
    if ticks:
        moment, name = ticks[0]
        following = f"the next run is that of {name}, {moment.astimezone():%Y-%m-%d %H:%M}"
    note(f"{counted(len(states), 'schedule')} here; {following}.")


def _tell_now(text: str) -> None:
    """Say something while the server runs, on any thread."""
    from datetime import datetime

    from sinagot.cli.texts import note

    note(f"{datetime.now().astimezone():%H:%M:%S}  {text}")
    sys.stdout.flush()
