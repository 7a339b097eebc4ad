"""Doctests and the code blocks of README and docs run in a scratch folder with a copy of the examples."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import tomllib
from doctest import ELLIPSIS, IGNORE_EXCEPTION_DETAIL, NORMALIZE_WHITESPACE
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sybil import Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from sybil import Example

ROOT = Path(__file__).parent

# A run in the background (nohup, some CI) inherits ignored signals, and so would every program that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Modules that must not be imported as doctest modules.
collect_ignore_glob = ["docs/*.py", "docs/**/*.py", "sinagot/__main__.py", "example/*"]


def copy_examples(folder: Path) -> None:
    """Copy the examples, without what runs of them have made."""
    made = shutil.ignore_patterns(".sinagot", "LOG", "__pycache__", "count", "mean")
    for example in ("harbor",):
        shutil.copytree(ROOT / "example" / example, folder / "example" / example, ignore=made)


@pytest.fixture(autouse=True)
def _scratch_for_doctests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let ``Workspace("example/harbor")`` in a docstring open a fresh copy."""
    if not isinstance(request.node, pytest.DoctestItem):
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        copy_examples(Path(folder))
        monkeypatch.chdir(folder)
        yield
        monkeypatch.undo()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the blocks of one page together and in order, after the shuffled tests."""
    pages = [item for item in items if isinstance(item, SybilItem)]
    pages.sort(key=lambda item: (item.example.path, item.example.start))
    items[:] = [item for item in items if not isinstance(item, SybilItem)] + pages


def _open_page(namespace: dict[str, Any]) -> None:
    namespace["_home"] = os.getcwd()
    namespace["_scratch"] = tempfile.TemporaryDirectory()
    copy_examples(Path(namespace["_scratch"].name))
    os.chdir(namespace["_scratch"].name)


def _close_page(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_home"])
    namespace["_scratch"].cleanup()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell of a block that failed what the logs of its page's workspaces say: a report names counts, no cause."""
    report = yield
    if report.failed and isinstance(item, SybilItem) and "_scratch" in item.example.namespace:
        logs = Path(item.example.namespace["_scratch"].name).rglob("LOG/*.log")
        told = [line for log in sorted(logs) for line in log.read_text().splitlines() if '"ERROR"' in line]
        report.sections.append(("Errors in logs", "\n".join(told)))
    return report


def _parse_toml(example: Example) -> None:
    tomllib.loads(example.parsed)


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(doctest_optionflags=ELLIPSIS | NORMALIZE_WHITESPACE | IGNORE_EXCEPTION_DETAIL),
        CodeBlockParser(language="toml", evaluator=_parse_toml),
        SkipParser(),
    ],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    setup=_open_page,
    teardown=_close_page,
).pytest()
