"""The app as other servers find it: what it needs stands in the environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from sinagot.testing import await_true, make_workspace

WORDS = [sys.executable, "-m", "uvicorn", "sinagot.dashboard.app:app", "--port", "0"]


def _environment(**given: str) -> dict[str, str]:
    ours = ("SINAGOT_WORKSPACE", "SINAGOT_TOKEN", "SINAGOT_ALLOW_HOSTS", "WORKFLOW_ROOT_PATH")
    return {**{name: value for name, value in os.environ.items() if name not in ours}, **given}


def test_another_server_serves_the_app(tmp_path: Path) -> None:
    """With SINAGOT_WORKSPACE uvicorn serves the workspace; a new token is told on standard error, and is needed."""
    make_workspace(tmp_path / "lab", records=["A"]).close()
    log = tmp_path / "log"
    with log.open("w") as file:
        server = subprocess.Popen(
            WORDS, stderr=file, env=_environment(SINAGOT_WORKSPACE=str(tmp_path / "lab")), cwd=tmp_path
        )
    try:
        await_true(
            lambda: server.poll() is not None or "running on" in log.read_text(), "the server to be ready"
        )
        text = log.read_text()
        address, token = re.search(r"http://\S+", text), re.search(r"The token is (\S+)", text)
        assert address and token, text
        with httpx.Client(base_url=address[0], trust_env=False) as client:
            assert client.get("/health").text == "ok\n"
            assert client.get("/status").status_code == 401
            answer = client.get("/status", headers={"Authorization": f"Bearer {token[1]}"})
            assert answer.json()["records"] == 1
    finally:
        server.terminate()
        server.wait()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "SINAGOT_WORKSPACE"),
        ({"SINAGOT_WORKSPACE": "nowhere"}, "nowhere"),
        ({"SINAGOT_WORKSPACE": "lab", "SINAGOT_ALLOW_HOSTS": "lab.example.org"}, "SINAGOT_TOKEN"),
        ({"SINAGOT_WORKSPACE": "lab", "SINAGOT_TOKEN": "short"}, "characters"),
        ({"SINAGOT_WORKSPACE": "lab", "WORKFLOW_API_DB_URL": "oracle://db/lab"}, "no history in 'oracle'"),
    ],
)
def test_what_is_missing_is_told_without_a_traceback(
    tmp_path: Path, given: dict[str, str], words: str
) -> None:
    """Without a workspace, or with hosts but no token of one's own, it says what to set and ends."""
    make_workspace(tmp_path / "lab").close()
    code = "import sinagot.dashboard.app as module; module.app"
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=_environment(**given),
        cwd=tmp_path,
        check=False,
    )
    assert found.returncode == 4 and words in found.stderr and "Traceback" not in found.stderr
