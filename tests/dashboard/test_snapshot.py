"""What the server holds of a workspace, and what a page shows before it has looked."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
import pytest

from sinagot.dashboard.app import create_app
from sinagot.dashboard.server import Server, bind
from sinagot.dashboard.snapshot import Snapshot
from sinagot.testing import make_workspace

TOKEN = "a-token-of-this-test"


def test_first_page_does_not_wait_for_the_first_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where counting takes long the page is there at once, says so, and asks for the counts by itself."""
    workspace = make_workspace(tmp_path, records=3)
    may_look = threading.Event()
    look = Snapshot.look

    def slow(self: Snapshot) -> bool:
        assert may_look.wait(100)
        return look(self)

    monkeypatch.setattr(Snapshot, "look", slow)
    taken = bind("127.0.0.1", 0)
    server = Server(create_app(workspace, token=TOKEN))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
    thread.start()
    address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    try:
        with (
            workspace,
            httpx.Client(
                base_url=address, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60
            ) as client,
        ):
            page = client.get("/")
            assert page.status_code == 200
            assert "Counting the records" in page.text and 'hx-trigger="load, sse:change' in page.text
            may_look.set()
            part = client.get("/parts/overview").text
            assert "Counting" not in part and "records" in part and ">3<" in "".join(part.split())
            again = client.get("/").text
            assert "Counting the records" not in again and 'hx-trigger="sse:change' in again
    finally:
        may_look.set()
        server.should_exit = True
        thread.join(60)
    assert not thread.is_alive()
