"""Run the suite as `make test` does: all tests side by side, then those that failed once more, twice, each time alone.

A test with a real browser, cluster or kill -9 can fail because of its neighbours. One that fails alone as well has
failed. One that passes twice alone is told at the end, with what it failed with above: it is a flaw all the same, of
the test or of what it tests, and somebody has to find it. More than a few are never put down to chance.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

#: More failures than this are no accident.
MOST = 3
_FAILED = 1
_MEMORY = Path(".pytest_cache/v/cache/lastfailed")


def main(arguments: list[str]) -> int:
    """Run the tests; gives the exit code of pytest."""
    _MEMORY.unlink(missing_ok=True)  # what failed in earlier days is not this run's
    code = _run(*arguments)
    names = _failed() if code == _FAILED else []
    if not 0 < len(names) <= MOST:
        return code
    for turn in ("first", "second"):
        print(f"\n{len(names)} failed beside others; alone, {turn} time:", flush=True)
        if _run("-q", "-n", "0", "-p", "no:randomly", "-p", "no:cacheprovider", *names) != 0:
            return code
    print("\nFLAWED, passed twice alone (what it failed with is above):", *names, sep="\n  ", flush=True)
    return 0


def _run(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode


def _failed() -> list[str]:
    try:
        names = json.loads(_MEMORY.read_text())
    except (OSError, ValueError):
        return []
    # A block of a page stands on those above it.
    return sorted({name if ".py::" in name else name.partition("::")[0] for name in names})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
