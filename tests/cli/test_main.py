"""The command as a whole: help, errors, exit codes, what is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from sinagot.cli import main as main_module
from sinagot.cli.commands import records as records_command
from sinagot.cli.main import COMMANDS, group, main
from sinagot.engine.state.names import KnownNames
from sinagot.version import __version__
from tests.cli.conftest import Invoke, Lab, Program, environment

HEAVY = {"rich", "pandas", "numpy", "pydantic", "dask", "distributed", "psutil"}


def imported(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Return the names of the modules that a program run with -X importtime has loaded."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def test_help_loads_nothing_heavy(program: Program, tmp_path: Path) -> None:
    """Help needs click and our own words: no engine, no command module, none of the heavy packages."""
    done = program(tmp_path, "--help", options=("-X", "importtime"))
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)
    modules = imported(done)
    assert not {name.partition(".")[0] for name in modules} & HEAVY
    ours = {name for name in modules if name.startswith("sinagot.")}
    assert ours <= {
        "sinagot.cli",
        "sinagot.cli.main",
        "sinagot.cli.completion",
        "sinagot.cli.exits",
        "sinagot.cli.options",
        "sinagot.cli.places",
        "sinagot.version",
    }


def test_second_run_loads_nothing_heavy(program: Program, harbor: Path) -> None:
    """A run with nothing to do imports neither rich nor pandas, pydantic or dask."""
    assert program(harbor, "run").returncode == 0
    done = program(harbor, "run", options=("-X", "importtime"))
    assert done.stdout == "Nothing to do: 6 jobs of 3 records are up to date.\n"
    assert not {name.partition(".")[0] for name in imported(done)} & HEAVY


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(invoke: Invoke, tmp_path: Path, name: str) -> None:
    """Every command shows an example, and its first sentence is the one in the list of commands."""
    result = invoke(tmp_path, name, "--help")
    assert result.exit_code == 0
    assert f"  sinagot {name}" in result.stdout.partition("Examples:")[2]
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(limit=200) == COMMANDS[name]


def test_all_commands_are_listed() -> None:
    """Every module of commands is in the list, and no other name."""
    folder = Path(records_command.__file__).parent
    assert sorted(COMMANDS) == sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def test_shell_completes_commands(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell is told the commands without any of them being loaded; for a name the workspace is not opened."""
    monkeypatch.setenv("_SINAGOT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "sinagot st")
    monkeypatch.setenv("COMP_CWORD", "1")
    done = program(tmp_path, options=("-X", "importtime"))
    assert done.stdout == "plain\tstatus\n"
    assert not {name for name in imported(done) if name.startswith("sinagot.cli.commands")}
    monkeypatch.setenv("COMP_WORDS", "sinagot run --step o")
    monkeypatch.setenv("COMP_CWORD", "3")
    (tmp_path / "workspace.toml").write_text("")
    KnownNames([], ["one"]).save(str(tmp_path / "dataset/.sinagot"), is_all=True)
    done = program(tmp_path, options=("-X", "importtime"))
    assert done.stdout == "plain\tone\n"
    modules = imported(done)
    assert not {name.partition(".")[0] for name in modules} & HEAVY
    assert not {
        name
        for name in modules
        if name.startswith(("sinagot.workspace", "sinagot.dataset", "sinagot.scripts"))
    }


def test_version(invoke: Invoke, tmp_path: Path) -> None:
    """`--version` tells the version of the package."""
    assert invoke(tmp_path, "--version").stdout == f"sinagot {__version__}\n"


def test_unknown_command_is_a_usage_error(invoke: Invoke, tmp_path: Path) -> None:
    """A misspelt command ends with 2 and the one that was meant."""
    result = invoke(tmp_path, "statsu")
    assert result.exit_code == 2
    assert "did you mean 'status'?" in result.stderr


def test_without_a_command_help_is_shown(invoke: Invoke, tmp_path: Path) -> None:
    """The bare word shows the help, and that nothing was done: exit code 2."""
    result = invoke(tmp_path)
    assert result.exit_code == 2
    assert "Commands:" in result.stderr


def test_unexpected_error_shows_its_traceback(
    invoke: Invoke, harbor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of ours ends with 1, a traceback and the wish to have it reported."""

    def broken(**options: object) -> None:
        raise AssertionError("never")

    monkeypatch.setattr(records_command.command, "callback", broken)
    result = invoke(harbor, "records")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "AssertionError: never" in result.stderr
    assert f"error of sinagot itself (version {__version__}" in result.stderr


def test_error_of_the_system_is_said_plainly(
    invoke: Invoke, harbor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk or a missing permission ends with 1 and the system's words, without a traceback."""

    def full(**options: object) -> None:
        raise OSError(28, "No space left on device", "some/file")

    monkeypatch.setattr(records_command.command, "callback", full)
    result = invoke(harbor, "records")
    assert result.exit_code == 1
    assert result.stderr == "Error: No space left on device: some/file\n"


def test_ctrl_c_anywhere_ends_with_130(invoke: Invoke, harbor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C outside a run ends without a traceback."""

    def interrupted(**options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(records_command.command, "callback", interrupted)
    result = invoke(harbor, "records")
    assert result.exit_code == 130
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("words", [["status"], ["records"], ["logs", "REC-1"], ["run", "--help"], ["--help"]])
def test_closed_pipe_is_no_error(make_lab: Lab, program: Program, words: list[str]) -> None:
    """A reader that goes away, as `head` does, causes neither traceback nor message."""
    lab = make_lab(1)
    program(lab, "run")
    process = subprocess.Popen(
        [sys.executable, "-m", "sinagot", *words],
        cwd=lab,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()  # nobody will read
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141
    process.stderr.close()


def test_names_that_the_terminal_cannot_show(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal that lacks a letter shows it escaped, instead of failing."""
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    done = program(tmp_path, "init", "\u0141odz")
    assert done.returncode == 0, done.stderr
    assert "\\u0141odz/workspace.toml" in done.stdout


def test_main_leaves_with_the_exit_code(
    harbor: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`main` is what the console script calls: it ends the program."""
    monkeypatch.chdir(harbor)
    with pytest.raises(SystemExit) as ended:
        main(["records"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.split() == ["REC-20200601", "REC-20200602", "REC-20200603"]
    assert main_module.group.main(["records"], standalone_mode=False) == 0
