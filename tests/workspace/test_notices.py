"""Messages about runs: to a program, a web address and a mail server, all of them real."""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sinagot.testing import await_true
from sinagot.workspace.notices import send_notice
from tests.services import PostOffice
from tests.workspace.conftest import Lab


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    """Let a server answer as long as the context lasts; gives its port."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1]  # type: ignore[misc]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def web() -> Iterator[tuple[int, list[dict[str, Any]], list[int]]]:
    """Give a web server: its port, what was posted, and the codes that it answers with."""
    got: list[dict[str, Any]] = []
    codes: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append({"path": self.path, "type": self.headers["Content-Type"], **json.loads(body)})
            self.send_response(codes.pop() if codes else 204)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, got, codes


def test_web_address_gets_the_message(lab: Lab, web: Any) -> None:
    """What happened is posted as JSON: counts, causes, records, and a text for people."""
    port, got, _ = web
    lab.unit("a", more=f"[notify]\nwebhook = 'http://127.0.0.1:{port}/hook'\n")
    lab.fail("a-REC-2")
    workspace = lab.open()
    assert send_notice(workspace.steps.run(printing=False), workspace.configuration) == []
    assert [(one["path"], one["type"], one["ok"]) for one in got] == [("/hook", "application/json", False)]
    assert got[0]["counts"] == {"done": 1, "failed": 1}
    assert [(one["step"], one["exc_type"], one["records"]) for one in got[0]["failures"]] == [
        ("a", "ValueError", ["REC-2"])
    ]
    assert got[0]["title"] == "lab: 1 done, 1 failed"
    assert "failed: a: ValueError: no good (1 record: REC-2)" in got[0]["text"]


@pytest.mark.parametrize(("when", "after"), [("always", [1, 2]), ("failures", [2]), ("never", [])])
def test_messages_are_sent_when_asked_for(lab: Lab, web: Any, when: str, after: list[int]) -> None:
    """`when` says after which runs; never after one in which nothing was done, nor after a dry one."""
    port, got, _ = web
    lab.unit("a", ids=["REC-1"], more=f"[notify]\nwhen = '{when}'\nwebhook = 'http://127.0.0.1:{port}/'\n")
    workspace = lab.open()
    runs: list[Callable[[], Any]] = [
        lambda: workspace.steps.run(dry_run=True),
        lambda: workspace.steps.run(printing=False),
        lambda: workspace.steps.run(printing=False),
        lambda: lab.fail("a-REC-1"),
        lambda: workspace.steps.run(printing=False, force=True),
    ]
    for run in runs:
        report = run()
        if report is not None:
            assert send_notice(report, workspace.configuration) == []
    assert [{True: 1, False: 2}[one["ok"]] for one in got] == after


def test_mail_is_sent(lab: Lab) -> None:
    """The letter has the counts as its subject and the causes as its text, and goes to all who are named."""
    with PostOffice() as office:
        lab.unit("a", ids=["REC-1"])
        both = 'to = ["a@lab.example", "b@lab.example"]'
        lab.config("[steps]\nscripts = ['a']\n" + office.toml.replace('to = ["eeg@lab.example"]', both))
        lab.fail("a-REC-1", "ValueError('first line\\nBcc: all@world.example')")
        workspace = lab.open()
        assert send_notice(workspace.steps.run(printing=False), workspace.configuration) == []
    (letter,) = office.letters
    assert letter.to == ["a@lab.example", "b@lab.example"]
    assert (letter.subject, letter.head.get("Bcc")) == ("sinagot lab: 1 failed", None)
    assert "ValueError: first line" in letter.text


def test_program_gets_the_message(lab: Lab) -> None:
    """A program gets it on its standard input, and the main facts as variables; it runs in the workspace's folder."""
    code = (
        "import json, os, sys; facts = json.load(sys.stdin); said = [os.environ[name] for name in "
        "('SINAGOT_OK', 'SINAGOT_DONE')]; print(facts['title'], *said, file=open('told.txt', 'w'), sep='|')"
    )
    lab.unit("a", more=f"[notify]\ncommand = {json.dumps([sys.executable, '-c', code])}\n")
    workspace = lab.open()
    assert send_notice(workspace.steps.run(printing=False), workspace.configuration) == []
    assert (lab.root / "told.txt").read_text() == "lab: 2 done|1|2\n"


def test_message_that_fails_is_told_without_secrets(
    lab: Lab, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each way that fails is told in words; address and password are not; the others go all the same."""
    port, got, codes = web
    codes.append(500)
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{port}/token-1234")
    lab.unit(
        "a",
        more=f"""
        [notify]
        webhook_env = "HOOK"
        command = ["{sys.executable}", "-c", "import sys; sys.exit('no such channel')"]
        [notify.email]
        to = "a@lab.example"
        from = "b@lab.example"
        host = "127.0.0.1"
        port = 1
        user = "me"
        password_env = "NO_SUCH_VARIABLE"
        """,
    )
    workspace = lab.open()
    told = "\n".join(send_notice(workspace.steps.run(printing=False), workspace.configuration))
    assert len(got) == 1
    assert "the server answered 500" in told
    assert "exit code 1: no such channel" in told
    assert "NO_SUCH_VARIABLE is not set" in told
    assert "token-1234" not in told


def test_message_takes_no_longer_than_its_time(lab: Lab) -> None:
    """A server that never answers and a program that never ends, with its child, are given up; nobody hangs."""
    begun = lab.root / "begun"
    program = f"sleep 60 & : > '{begun}'; sleep 60"  # a shell has begun long before the time is over
    over = threading.Event()

    class Silent(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            over.wait(60)

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Silent)) as port:
        lab.unit(
            "a",
            more=f"[notify]\ntimeout = 2\nwebhook = 'http://127.0.0.1:{port}/'\n"
            f"command = {json.dumps(['sh', '-c', program])}\n",
        )
        workspace = lab.open()
        told = send_notice(workspace.steps.run(printing=False), workspace.configuration)
        over.set()
    assert len(told) == 2
    await_true(begun.exists, "the program had begun")


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://127.0.0.1/", "", "no address"])
def test_address_of_another_kind_is_refused(lab: Lab, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only web addresses are called."""
    monkeypatch.setenv("HOOK", address)
    lab.unit("a", more="[notify]\nwebhook_env = 'HOOK'\n")
    workspace = lab.open()
    (told,) = send_notice(workspace.steps.run(printing=False), workspace.configuration)
    assert "HOOK is not set" in told or "https://" in told
