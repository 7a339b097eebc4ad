"""The peers that are Python packages: an environment of their own, made once and again when the requirements change.

Knows how they are installed and which are there; must not know what is asked of them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys

from measuring import HERE

ENVIRONMENT = HERE.parents[1] / ".venv-peers"
PYTHON = ENVIRONMENT / "bin" / "python"
_REQUIREMENTS = HERE / "requirements.txt"
_STAMP = ENVIRONMENT / ".installed"
_VERSIONS = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def requirements() -> list[str]:
    """List what is asked for, one requirement each."""
    lines = _REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [line for line in map(str.strip, lines) if line and not line.startswith("#")]


def install() -> None:
    """Make the environment, unless it is there; what cannot be installed is missing from it."""
    wanted = _digest()
    if _STAMP.is_file() and _STAMP.read_text() == wanted:
        return
    if not _is_done([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)]):
        return
    (ENVIRONMENT / ".gitignore").write_text("*\n")
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    is_whole = _is_done([*pip, *requirements()])
    # One that has no wheel here must not keep the others away; it is tried again next time.
    for requirement in () if is_whole else requirements():
        _is_done([*pip, requirement])
    if is_whole:
        _STAMP.write_text(wanted)


def versions() -> dict[str, str]:
    """Give the version of each package that is there."""
    if not PYTHON.exists():
        return {}
    names = [requirement.split(">")[0] for requirement in requirements()]
    done = subprocess.run([PYTHON, "-c", _VERSIONS, *names], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def program(name: str) -> str | None:
    """Find a program of the system, else one of the environment."""
    return shutil.which(name) or shutil.which(name, path=str(ENVIRONMENT / "bin"))


def _digest() -> str:
    return hashlib.sha256(_REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()


def _is_done(argv: list[str]) -> bool:
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0
