"""Workspaces with schedules, clocks that tests set, and services as programs that tests kill."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sinagot.schedule.clock import Clock
from sinagot.schedule.history.contract import History
from sinagot.schedule.history.facts import Decision, Launch, State, Verdict
from sinagot.schedule.history.files import FileHistory
from sinagot.schedule.history.opening import open_history
from sinagot.schedule.launching import Launcher
from sinagot.schedule.service import Service
from sinagot.testing import await_true
from sinagot.workspace.workspace import Workspace

TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)
ECHO = "echo: at ${{ release.logical_date }}"
#: Goes on until a file is there that is called like the pipeline.
WAIT = 'bash: until [ -e "$ROOT/go" ]; do sleep 0.05; done'
FAIL = "bash: echo oops >&2; exit 7"


class SetClock(Clock):
    """A clock that a test sets; seconds go with it."""

    def __init__(self, now: datetime = TEN) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(min(seconds, 0.05))

    def go(self, **span: float) -> datetime:
        """Go on by a span; gives the time."""
        self._now += timedelta(**span)
        return self._now


class FileClock(Clock):
    """A clock whose time stands in a file, so that several processes have the same."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def now(self) -> datetime:
        return datetime.fromisoformat(self.path.read_text())

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(min(seconds, 0.05))

    def set(self, now: datetime) -> None:
        """Set it, for all."""
        new = self.path.with_suffix(".new")
        new.write_text(now.isoformat())
        new.replace(self.path)


def begin_at_once(self: Launcher, launches: Sequence[Launch]) -> None:
    """Let runs end as soon as they are asked for, without a program: stands in for `Launcher.begin`."""
    for launch in launches:
        if launch.state == State.QUEUED:
            self._history.change(launch, state=State.DONE, began=self._now(), ended=self._now())


def template(name: str, stage: str = ECHO, *, on: str = "0 * * * *", **keys: Any) -> str:
    """Write a pipeline of one stage."""
    lines = [f"{name}:", "  type: pipeline.Pipeline"]
    lines += [f"  on: {{cron: '{on}'}}"] if on else []
    lines += [f"  {key.replace('_', '-')}: {value}" for key, value in keys.items()]
    stage = stage.replace("$ROOT/go", f"$ROOT/{name}.go")
    env = ["          env: {ROOT: '${ROOT}'}"] if "$ROOT" in stage else []
    return "\n".join(
        [*lines, "  jobs:", "    one:", "      stages:", "        - name: it", f"          {stage}", *env, ""]
    )


class Lab:
    """A workspace with templates, its history, and its services."""

    def __init__(self, root: Path, *templates: str, toml: str = "", grace: float = 0.3) -> None:
        self.root = root
        (root / "conf").mkdir(parents=True)
        (root / "data").mkdir()
        (root / "workspace.toml").write_text(f'[path]\ndataset = "data"\n[run]\nstop_grace = {grace}\n{toml}')
        self.write(*templates)
        self.clock: Any = SetClock()
        self.services: list[Service] = []
        self.servants: list[Servant] = []
        self.said: list[tuple[str, str]] = []
        #: Of a database, in place of files.
        self.url: str | None = None
        self._opened: History | None = None

    def write(self, *templates: str, name: str = "all.yaml") -> None:
        """Write a file of templates."""
        text = "\n".join(templates).replace("${ROOT}", str(self.root))
        (self.root / "conf" / name).write_text(text)

    @property
    def state(self) -> Path:
        """The state folder."""
        return Path(Workspace(self.root).configuration.state_path)

    @property
    def history(self) -> History:
        """A history of its own: what is on the disk, or in the database."""
        if self.url is None:
            return FileHistory(self.state)
        if self._opened is None:
            self._opened = open_history(self.state, self.url)
        return self._opened

    def service(self, history: History | None = None, **options: Any) -> Service:
        """Make a service, which is not started."""
        options.setdefault("clock", self.clock)
        made = Service(
            Workspace(self.root),
            history or self.history,
            tell=lambda level, text: self.said.append((level, text)),
            **options,
        )
        self.services.append(made)
        return made

    def seen(self, *names: str, at: datetime = TEN) -> None:
        """Let schedules have been seen at a moment."""
        for name in names:
            assert self.history.decide(Decision(name, at, Verdict.BEGUN, "seen", at, "somebody"))

    def go(self, name: str) -> None:
        """Let the runs of a pipeline end that wait for it."""
        (self.root / f"{name}.go").touch()

    def drive(self, service: Service, question: Callable[[], Any], what: str) -> None:
        """Let a service work until something is so."""

        def asked() -> bool:
            service.step()
            return bool(question())

        await_true(asked, what, 60)

    def verdicts(self, name: str) -> list[tuple[str, str, int]]:
        """Give all decisions about a schedule, oldest first."""
        found, _ = self.history.decisions(name, limit=1000)
        return [(f"{one.tick:%H:%M}", str(one.verdict), one.number) for one in reversed(found)]

    def launches(self, name: str) -> list[Launch]:
        """Give all launches of a pipeline, oldest first."""
        return self.history.launches(pipeline=name, limit=1000)[0][::-1]

    def states(self, name: str) -> list[State]:
        """Give the states of all launches of a pipeline, oldest first."""
        return [one.state for one in self.launches(name)]

    def all_over(self, *names: str) -> bool:
        """Say whether all launches of pipelines are over."""
        return all(
            one.state not in (State.QUEUED, State.RUNNING) for name in names for one in self.launches(name)
        )

    def close(self) -> None:
        """End what still goes on."""
        for servant in self.servants:
            servant.process.kill()
            servant.process.wait()
        for service in self.services:
            service.stop(end=True)
        for launch in self.history.open_launches():
            if launch.pid is not None and launch.start is not None:
                from sinagot.schedule.programs import send

                send(launch.pid, launch.start, 9)
        if self._opened is not None:
            self._opened.close()


class Servant:
    """A service as a program of its own, with the clock of a file; `way` leads to another host."""

    def __init__(
        self,
        lab: Lab,
        environ: Mapping[str, str] | None = None,
        way: Sequence[str] = (),
        *,
        beat: float | None = None,
    ) -> None:
        words = [sys.executable, "-m", "tests.schedule.servant", str(lab.root), str(lab.clock.path)]
        words += [] if beat is None else [str(beat)]
        self.log = lab.root / f"servant-{time.monotonic_ns()}.txt"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [*way, *words],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=Path(__file__).parents[2],
                env={**os.environ, **(environ or {})},
            )
        lab.servants.append(self)

    @property
    def said(self) -> str:
        """What it has told."""
        return self.log.read_text()

    def send(self, signum: int) -> None:
        """Send it a signal."""
        self.process.send_signal(signum)

    def end(self, signum: int) -> int:
        """Send it a signal, and wait for its end."""
        self.process.send_signal(signum)
        return self.process.wait(60)


__all__ = [
    "ECHO",
    "FAIL",
    "TEN",
    "WAIT",
    "FileClock",
    "Lab",
    "Servant",
    "SetClock",
    "begin_at_once",
    "template",
]
