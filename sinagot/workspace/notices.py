"""Messages about runs: to a program, to a web address, by e-mail; one for each run in which something was done.

Knows reports and the settings of `[notify]`; must not know what a run does. A message that fails is told, and is never
the failure of the run; all of it takes no longer than its time.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sinagot.engine.job import Outcome
from sinagot.engine.words import OUTCOMES

if TYPE_CHECKING:
    from sinagot.config.settings import Configuration, EmailSettings, NotifySettings
    from sinagot.engine.accounts.report import RunReport

__all__ = ["message_of", "send_message", "send_notice"]

#: Causes of failures in a message, and records that are named for each.
_MOST_CAUSES, _MOST_NAMED = 10, 20
_LONGEST = 500  # characters of a cause
#: What counts as something that was done.
_DONE = (Outcome.DONE, Outcome.FAILED, Outcome.INTERRUPTED)
#: Seconds beyond its own time that a way gets to say that it was too slow.
_SPARE = 0.5


def send_notice(report: RunReport, configuration: Configuration) -> list[str]:
    """Tell those of `[notify]` of a run, if something was done in it.

    Parameters
    ----------
    report : RunReport
        Of the run.
    configuration : Configuration
        Says who is told, and when.

    Returns
    -------
    list of str
        What went wrong with that, in words; nothing is raised.
    """
    if report.dry or not any(report.counts[one] for one in _DONE):
        return []
    return send_message(configuration.notify, lambda: message_of(report, configuration), ok=report.ok)


def send_message(settings: NotifySettings, make: Callable[[], dict[str, Any]], *, ok: bool) -> list[str]:
    """Tell those who want to know of something that is over.

    Parameters
    ----------
    settings : NotifySettings
        Say who is told, and when.
    make : callable
        Makes the message, with the keys of `message_of`.
    ok : bool
        It went well.

    Returns
    -------
    list of str
        What went wrong with that, in words; nothing is raised.
    """
    ways = _ways(settings)
    if not ways or not (settings.when == "always" or (settings.when == "failures" and not ok)):
        return []
    message = make()
    problems: dict[str, str] = {}
    # Each in a thread of its own: a server may answer one byte at a time, and no call of the library bounds that.
    threads = [
        threading.Thread(target=_try, args=(name, way, message, problems), name="sinagot-notice", daemon=True)
        for name, way in ways.items()
    ]
    end = time.monotonic() + settings.timeout + _SPARE
    for thread in threads:
        thread.start()
    for name, thread in zip(ways, threads, strict=True):
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            problems.setdefault(name, f"no end after {settings.timeout:g} s")
    return [f"message not sent ({name}): {text}" for name, text in problems.items()]


def message_of(report: RunReport, configuration: Configuration) -> dict[str, Any]:
    """Give the message about a run, as plain values.

    Parameters
    ----------
    report : RunReport
        Of the run.
    configuration : Configuration
        Names the workspace.

    Returns
    -------
    dict
        What `json` can write; the keys are those of the how-to page on watching. `text` is for people.
    """
    counts = {outcome: count for outcome, count in report.counts.items() if count}
    failures: list[dict[str, Any]] = [
        {
            "step": group.step,
            "exc_type": group.exc_type,
            "message": group.message[:_LONGEST],
            "where": group.where or None,
            "count": group.count,
            "records": list(group.records[:_MOST_NAMED]),
        }
        for group in report.failures[:_MOST_CAUSES]
        if group.outcome == Outcome.FAILED
    ]
    words = ", ".join(f"{count:,} {OUTCOMES[outcome].text}" for outcome, count in counts.items())
    title = f"{configuration.root.name}: {words}"
    lines = [title, f"run {report.run_id} on {os.uname().nodename}: {_records(report.n_records)}"]
    for one in failures:
        named = ", ".join(one["records"][:5]) + (", ..." if one["count"] > 5 else "")
        cause = str(one["message"]).partition("\n")[0]
        lines.append(f"failed: {one['step']}: {one['exc_type']}: {cause} ({_records(one['count'])}: {named})")
    return {
        "event": "run",
        "title": title,
        "text": "\n".join(lines),
        "workspace": str(configuration.root),
        "run_id": report.run_id,
        "ok": report.ok,
        "stopped_by": report.stopped_by,
        "records": report.n_records,
        "jobs": report.total,
        "counts": counts,
        "duration_s": round(report.duration, 3),
        "failures": failures,
        "host": os.uname().nodename,
    }


def _records(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


Way = Callable[[dict[str, Any]], None]


def _ways(settings: NotifySettings) -> dict[str, Way]:
    """Give the ways that a message goes, by a name without secrets."""
    ways: dict[str, Way] = {}
    command, email = settings.command, settings.email
    if command:
        ways[f"command {os.path.basename(command[0])}"] = lambda message: _run(
            command, message, settings.timeout
        )
    if settings.webhook or settings.webhook_env:
        ways["webhook"] = lambda message: _post(settings, message)
    if email is not None:
        ways[f"e-mail by {email.host}"] = lambda message: _mail(email, message, settings.timeout)
    return ways


def _try(name: str, way: Way, message: dict[str, Any], problems: dict[str, str]) -> None:
    try:
        way(message)
    except Exception as error:  # noqa: BLE001  whatever it is: the run is done, and that is told
        problems[name] = str(error).partition("\n")[0][:_LONGEST] or type(error).__name__


def _run(command: tuple[str, ...], message: dict[str, Any], timeout: float) -> None:
    """Let a program tell; it gets the message on its standard input, and the main facts as variables."""
    import signal
    import subprocess
    import tempfile

    counts = message["counts"]
    facts = {
        "SINAGOT_WORKSPACE": message["workspace"],
        "SINAGOT_RUN_ID": message["run_id"],
        "SINAGOT_OK": "1" if message["ok"] else "0",
        "SINAGOT_DONE": str(counts.get(Outcome.DONE, 0)),
        "SINAGOT_FAILED": str(counts.get(Outcome.FAILED, 0)),
        "SINAGOT_TITLE": message["title"],
    }
    # Files, not pipes: neither a program that does not read nor one that leaves a child behind holds us.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(json.dumps(message).encode())
        given.seek(0)
        program = subprocess.Popen(
            command,
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=said,
            cwd=message["workspace"],
            env={**os.environ, **{name: text.replace("\0", "") for name, text in facts.items()}},
            start_new_session=True,  # Ctrl-C is meant for us
        )
        try:
            code = program.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
            raise TimeoutError(f"ended after {timeout:g} s") from None
        if code:
            said.seek(0)
            words = said.read(_LONGEST).decode(errors="replace").strip()
            raise RuntimeError(f"exit code {code}{': ' + words if words else ''}")


def _post(settings: NotifySettings, message: dict[str, Any]) -> None:
    """Hand the message to a web address; the address may be a secret, and stands in no error."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    address = os.environ.get(settings.webhook_env or "") if settings.webhook_env else settings.webhook
    if not address:
        raise ValueError(f"the environment variable {settings.webhook_env} is not set")
    if not address.lower().startswith(("http://", "https://")):
        raise ValueError("the address begins neither with https:// nor with http://")
    body = json.dumps(message).encode()
    head = {"Content-Type": "application/json", "User-Agent": "sinagot"}
    try:
        asked = Request(address, body, head, method="POST")  # noqa: S310  looked at above
        with urlopen(asked, timeout=settings.timeout):  # noqa: S310
            pass
    except HTTPError as error:
        error.close()
        raise RuntimeError(f"the server answered {error.code}") from None
    except URLError as error:
        raise RuntimeError(str(error.reason)) from None
    except (HTTPException, ValueError) as error:
        raise RuntimeError(f"no answer that can be understood ({type(error).__name__})") from None


def _mail(email: EmailSettings, message: dict[str, Any], timeout: float) -> None:
    """Send the message by e-mail."""
    import smtplib
    import ssl
    from email.message import EmailMessage

    mail = EmailMessage()
    mail["Subject"] = " ".join(f"sinagot {message['title']}".split())
    mail["From"], mail["To"] = email.sender, ", ".join(email.to)
    mail.set_content(message["text"])
    password = os.environ.get(email.password_env) if email.password_env else None
    if email.password_env and password is None:
        raise ValueError(f"the environment variable {email.password_env} is not set")
    context = ssl.create_default_context() if email.security != "none" else None
    server = (
        smtplib.SMTP_SSL(email.host, email.port, timeout=timeout, context=context)
        if email.security == "ssl"
        else smtplib.SMTP(email.host, email.port, timeout=timeout)
    )
    with server:
        if email.security == "starttls":
            server.starttls(context=context)
        if email.user:
            server.login(email.user, password or "")
        server.send_message(mail)
