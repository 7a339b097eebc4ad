"""The lab in the pictures: the harbor of `example/harbor`, grown to sixty days of made-up boats.

Knows what is run and broken there, and the programs that are left running; must not know a browser.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from docs import terminals

EXAMPLE = Path(__file__).resolve().parents[1] / "example" / "harbor"
#: Seconds.
_PATIENCE = 120
_COUNTRIES = ("Denmark", "France", "Germany", "Netherlands", "Portugal", "Spain", "United Kingdom")
_NAMES = ("Albatros", "Bonne Mere", "Curlew", "Dunja", "Estrela do Mar", "Freya", "Gaviota", "Hirondelle")
_CHART = '''"""Draw the boats of a day, the longest first."""

import csv
import time

from sinagot import ScriptTemplate


class Script(ScriptTemplate):
    PATH_IN = {"boats": ("raw", "{id}.csv"), "sizes": ("mean", "{id}.csv")}
    PATH_OUT = ("chart", "{id}.svg")

    def run(self):
        with self.path.input["boats"].open(newline="") as file:
            sizes = sorted((float(row["size"]) for row in csv.DictReader(file)), reverse=True)
        self.logger.info("%d boats, the longest has %.1f m", len(sizes), sizes[0])
        if sizes[0] > self.params.longest:
            self.logger.warning("longer than %s m: is it a size in feet?", self.params.longest)
        time.sleep(len(sizes) * self.params.pace)
        bars = "".join(
            f'<rect y="{14 * number}" width="{8 * size:.0f}" height="12"/>' for number, size in enumerate(sizes)
        )
        self.path.output.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 {14 * len(sizes)}" fill="#369">{bars}</svg>'
        )
'''


class Lab:
    """A workspace in which something has been done, has failed, and is going on."""

    def __init__(self, folder: Path, kept: ExitStack) -> None:
        self.folder = folder
        self._kept = kept
        self._dice = random.Random(1)  # noqa: S311  made-up boats
        self._days = [f"REC-{date(2020, 6, 1) + timedelta(days=day):%Y%m%d}" for day in range(60)]
        self.failed = self._days[16]
        #: What stood on the terminal, by the name of the picture.
        self.terminal: dict[str, str] = {}

    @classmethod
    @contextmanager
    def made(cls, folder: Path) -> Iterator[Lab]:
        """Make the lab; it is gone, and all its programs have ended, after the block."""
        if folder.parent.exists():
            sys.exit(f"{folder.parent} is there already: remove it, or name another folder by --lab")
        folder.parent.mkdir(parents=True)
        with ExitStack() as kept:
            kept.callback(shutil.rmtree, folder.parent, ignore_errors=True)
            lab = cls(folder, kept)
            lab._fill()
            lab._live()
            yield lab

    def _fill(self) -> None:
        shutil.copytree(
            EXAMPLE, self.folder, ignore=shutil.ignore_patterns("dataset", "__pycache__", ".sinagot")
        )
        (self.folder / "dataset" / "raw").mkdir(parents=True)
        config = self.folder / "workspace.toml"
        text = config.read_text().replace('["count", "mean"]', '["count", "mean", "chart"]')
        config.write_text(text + "\n[params]\nlongest = 36.0              # metres\npace = 0.004\n")
        (self.folder / "scripts" / "chart.py").write_text(_CHART)
        for number, day in enumerate(self._days[:48]):
            self._write(day, 5 + number % 7)
        # What happens: a cell that is no number, a column that has another name.
        for number in (2, 4, 16):
            self._mend(self._days[number], r",([\d.]+)$", ",n/a")
        self._mend(self._days[5], "size$", "length")

    def _write(self, day: str, boats: int) -> None:
        rows = [
            f"{self._dice.choice(_NAMES)},{self._dice.choice(_COUNTRIES)},{self._dice.uniform(6, 38):.1f}\n"
            for _ in range(boats)
        ]
        (self.folder / "dataset" / "raw" / f"{day}.csv").write_text(
            "boat_name,country,size\n" + "".join(rows)
        )

    def _mend(self, day: str, found: str, wanted: str) -> None:
        path = self.folder / "dataset" / "raw" / f"{day}.csv"
        path.write_text(re.sub(found, wanted, path.read_text(), count=1, flags=re.MULTILINE))

    def _live(self) -> None:
        """Run, fail, exclude, be killed, go on."""
        days = self._days
        self.terminal["terminal-run"] = self.told("run", "--jobs", "2")
        self.told("exclude", days[8], "--reason", "fog: the harbor was closed")
        self._mend(days[4], "n/a", "12.5")
        self.told("run", "--failed")
        # One day with so many boats that its chart takes as long as the pictures do.
        self._write(days[48], 100_000)
        killed = self.start("run", "--record", days[48])
        self._await(lambda: self._is_running(days[48]))
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
        self.terminal["terminal-show"] = self.told("show", self.failed)
        for number, day in enumerate(days[49:]):
            self._write(day, 100_000 if number in (3, 4) else 8)
        (self.folder / "new.txt").write_text("\n".join(days[49:]) + "\n")
        self.start("run", "--jobs", "2", "--select", "new.txt")
        self._await(lambda: self._is_running(days[52]))
        self.terminal["terminal-status"] = self.told("status")

    def _is_running(self, day: str) -> bool:
        return "running" in self.told("status", "--record", day, "--step", "chart", piped=True)

    def _await(self, question: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not question():
            if time.monotonic() > deadline:
                raise TimeoutError("nothing runs in the lab")

    def told(self, *words: str, piped: bool = False) -> str:
        """Run a command to its end and give what it prints, on a terminal unless it is piped."""
        command = [*_program(), *words]
        if piped:
            return subprocess.run(
                command, cwd=self.folder, env=_environment(), capture_output=True, text=True, check=True
            ).stdout
        return f"$ sinagot {' '.join(map(_quoted, words))}\n" + terminals.record(
            command, self.folder, _environment()
        )

    def start(self, *words: str, output: Any = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Leave a command running; it ends with the lab."""
        process = subprocess.Popen(
            [*_program(), *words],
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._kept.callback(_end, process)
        return process

    def last_run(self) -> str:
        """Give the id of the run that has failures to show."""
        return min(path.name for path in (self.folder / "dataset" / ".sinagot" / "runs").iterdir())

    def report(self) -> Path:
        """Write the page for those who have no sinagot."""
        self.told("report", "html", piped=True)
        return self.folder / "report.html"

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Start the dashboard and give its link."""
        with tempfile.TemporaryFile() as output:
            process = self.start("serve", "--port", "0", output=output)
            link = r"http://\S+#token=\S+(?=\n)"
            self._await(lambda: bool(re.search(link, _text(output))) or process.poll() is not None)
            found = re.search(link, _text(output))
            if found is None:
                sys.exit(f"no dashboard: {_text(output)}")
            yield found[0]
            _end(process)

    def notebook(self) -> dict[str, str]:
        """Give what cells of a notebook show, as pages."""
        program = (
            "import json, sinagot\n"
            "ws = sinagot.Workspace('.')\n"
            f"codes = ['ws', 'ws.steps.plan()', 'ws[\"{self.failed}\"]']\n"
            "print(json.dumps({code: eval(code)._repr_html_() for code in codes}))\n"
        )
        said = subprocess.run(
            [*_elsewhere(), sys.executable, "-c", program],
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        names = ("notebook-workspace", "notebook-plan", "notebook-record")
        cells = json.loads(said).items()
        return {name: terminals.cell(code, html) for name, (code, html) in zip(names, cells, strict=True)}


def _text(output: Any) -> str:
    return os.pread(output.fileno(), 100_000, 0).decode()


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


def _program() -> list[str]:
    """Give the words that start sinagot, on a machine called lab where Linux lets us say so."""
    return [*_elsewhere(), str(Path(sys.executable).with_name("sinagot"))]


@cache
def _elsewhere() -> list[str]:
    words = ["unshare", "--user", "--map-root-user", "--uts", "sh", "-c", 'hostname lab && exec "$@"', "sh"]
    try:
        subprocess.run([*words, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        print("the name of this machine will be in the pictures: it cannot be changed here", file=sys.stderr)
        return []
    return words


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SINAGOT")}
    names = dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"), "ada")
    return (
        kept
        | names
        | {
            "TERM": "xterm-256color",
            "COLUMNS": str(terminals.COLUMNS),
            "LINES": str(terminals.ROWS),
            "LC_ALL": "C.UTF-8",
        }
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
