"""A script that is run as a program finds its workspace and runs its step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sinagot.scripts.alone import command_words
from sinagot.testing import make_workspace, script_text

TAIL = '\n\nif __name__ == "__main__":\n    Script.main()\n'
BODY = "print('hello from', self.id, self.task)\nself.path.output.write_text(self.path.input.read_text())"


def run(script: Path, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script as a user does, from any folder."""
    return subprocess.run(
        [sys.executable, str(script), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_script_runs_alone(tmp_path: Path) -> None:
    """The records that are named are run, and no other; again when asked again; the output is where it belongs."""
    workspace = make_workspace(
        tmp_path / "lab",
        scripts={"a": script_text(BODY) + TAIL, "b": script_text(BODY, path_out=("b", "{id}.txt"))},
    )
    script = workspace.scripts_path / "a.py"
    for _ in range(2):
        done = run(script, "REC-1", "REC-3", folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "hello from REC-1 None" in done.stdout and "2 done" in done.stdout
    assert "Nothing to do" in run(script, "REC-1", "--keep", folder=tmp_path).stdout
    assert sorted(path.name for path in (workspace.data_path / "out").iterdir()) == ["REC-1.txt", "REC-3.txt"]
    assert not (workspace.data_path / "b").exists()


def test_script_of_a_modality(tmp_path: Path) -> None:
    """In a workspace with tasks the folder is the modality, and the task may be named."""
    own = ("{task}", "{id}.txt")
    scripts = {"EEG": {"a": script_text(BODY, ("raw", "{id}.txt"), ("out", *own)) + TAIL}}
    workspace = make_workspace(tmp_path, records=1, tasks={"RS": ["EEG"], "HDC": ["EEG"]}, modalities=scripts)
    done = run(workspace.scripts_path / "EEG" / "a.py", "REC-1", "--task", "RS", folder=tmp_path)
    assert done.returncode == 0 and "hello from REC-1 RS" in done.stdout, done.stderr
    assert "HDC" not in done.stdout


def test_error_of_the_script_is_shown_as_it_is(tmp_path: Path) -> None:
    """The first error ends it, with the script's own traceback and exit code 3."""
    workspace = make_workspace(tmp_path, scripts={"a": script_text("raise ValueError('no good')") + TAIL})
    done = run(workspace.scripts_path / "a.py", "REC-1", folder=tmp_path)
    assert done.returncode == 3 and "ValueError: no good" in done.stderr


def test_no_workspace_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a workspace above the script the message says how to name one; so do missing records."""
    monkeypatch.delenv("SINAGOT_WORKSPACE", raising=False)
    for words, says in ((["REC-1"], "name the workspace by -w PATH"), ([], "RECORD")):
        with pytest.raises(SystemExit) as caught:
            command_words(str(tmp_path / "a.py"), words)
        assert caught.value.code == 2 and says in capsys.readouterr().err
