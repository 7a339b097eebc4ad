"""Programs in a mount namespace of their own: drives of any size, for nobody else."""

from __future__ import annotations

import subprocess

import pytest

from tests.chaos.conftest import StartProgram

__all__ = ["PRIVATE", "check_program", "needs_mounts"]

HAS_MOUNTS = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0
needs_mounts = pytest.mark.skipif(not HAS_MOUNTS, reason="private mounts are not allowed here")

#: Begins a program in a mount namespace of its own: what it mounts, nobody else sees.
PRIVATE = """
import os, subprocess, sys
if "inside" not in sys.argv:
    os.execvp("unshare", ["unshare", "-rm", sys.executable, __file__, "inside"])

def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)
"""


def check_program(start: StartProgram, text: str) -> None:
    """Run a program in a namespace of its own; it must end well."""
    program = start(PRIVATE + text)
    assert program.wait() == 0, program.said
