"""`make test`: what fails alone has failed; what failed beside others only is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]


def _run(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = str(_ROOT)
    # Three runs of pytest with a dozen plugins take long to begin; these are those that its options are of.
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}
    command = [sys.executable, "-m", "tests.suite", "-q", "-n", "0"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def test_what_passes_twice_alone_is_told(tmp_path: Path) -> None:
    """A test that fails once and then passes twice fails nothing, and is named at the end."""
    text = "import os\ndef test_it():\n    if not os.path.exists('x'):\n        open('x', 'w').close()\n        assert 0\n"
    done = _run(tmp_path, text)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-2:] == [
        "FLAWED, passed twice alone (what it failed with is above):",
        "  test_it.py::test_it",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "def test_it():\n    assert 0\n",
        "import os\ndef test_it():\n    open('x', 'a').write('x')\n    assert os.path.getsize('x') == 2\n",
        "def test_a(): assert 0\ndef test_b(): assert 0\ndef test_c(): assert 0\ndef test_d(): assert 0\n",
    ],
    ids=["always", "once alone", "many"],
)
def test_what_fails_alone_has_failed(tmp_path: Path, text: str) -> None:
    """A test that fails once more alone, and more failures than a few, fail the suite."""
    assert _run(tmp_path, text).returncode == 1
