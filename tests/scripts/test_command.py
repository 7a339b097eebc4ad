"""Steps that are commands."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from sinagot.config.settings import CommandSettings
from sinagot.errors import CommandFailedError, ScriptError
from sinagot.scripts.command import command_step
from sinagot.scripts.loading import load_script
from sinagot.scripts.template import StepPaths

PYTHON = sys.executable


class Lines:
    """A logger that keeps what it gets."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def log(self, level: int, line: str) -> None:
        self.lines.append((level, line))


def make(
    folder: Path, *words: str, reads: Any = "raw/{id}.txt", writes: Any = "made/{id}.txt", **options: Any
) -> Any:
    """Make the script of a command for one record."""
    shell = options.pop("shell", False)
    _, source = command_step("sort", "EEG", CommandSettings(words, reads, writes, shell), str(folder))
    script = load_script(source)(folder, options.pop("id", "REC-1"), **options)
    script.logger = Lines()
    return script


def test_command_writes_where_it_is_told(tmp_path: Path) -> None:
    """A command reads the input and writes the output through placeholders."""
    (tmp_path / "in.txt").write_text("b\na\n")
    script = make(tmp_path, "sort", "{input}", "--output={output}")
    script.path = StepPaths(tmp_path / "in.txt", tmp_path / "stage.txt", final=tmp_path / "final.txt")
    script.run()
    assert (tmp_path / "stage.txt").read_text() == "a\nb\n"


def test_placeholders_are_filled_in_one_pass(tmp_path: Path) -> None:
    """Fields are filled, values are never looked at again; doubled braces write braces, others are the command's."""
    script = make(
        tmp_path,
        *(
            "{id}",
            "{task}",
            "{modality}",
            "{{id}}",
            "{input.a b}/{input.c}",
            "{print $1}",
            "${HOME}",
            "x{1}}}",
            "-",
        ),
        reads={"a b": "raw/{id}.txt", "c": "raw/{id}.csv"},
        id="{task}",
        task="RS",
    )
    raw = tmp_path / "raw"
    values = [
        "{task}",
        "RS",
        "EEG",
        "{id}",
        f"{raw}/{{task}}.txt/{raw}/{{task}}.csv",
        "{print $1}",
        "${HOME}",
        "x{1}}}",
        "-",
    ]
    assert script.words() == values


def test_list_becomes_words(tmp_path: Path) -> None:
    """A list of inputs becomes one word each where its placeholder stands alone, and one text inside a word."""
    script = make(tmp_path, "cat", "{input}", "--all={input}", "{output}")
    script.path = StepPaths([Path("a b"), Path("c")], Path("out"))
    assert script.words() == ["cat", "a b", "c", "--all=a b c", "out"]


def test_parameters_are_filled_in(tmp_path: Path) -> None:
    """A parameter is its text, one of an inner table has dots, and a list becomes words as a list of inputs does."""
    script = make(
        tmp_path,
        *(
            "{param.low}-{param.band.high}",
            "{param.names}",
            "{{param.low}}",
            "{param.is_fast}",
            "{param.table}",
        ),
    )
    script._given_params = {
        "low": 8,
        "band": {"high": 12.5},
        "names": ["O1", "O2"],
        "is_fast": True,
        "table": {"a": [1]},
    }
    assert script.words() == ["8-12.5", "O1", "O2", "{param.low}", "true", '{"a": [1]}']


@pytest.mark.parametrize("name", ["high", "low.more", "band.high"])
def test_parameter_without_a_value_is_told(tmp_path: Path, name: str) -> None:
    """A placeholder for a parameter that nobody gives is a ScriptError that says what to do."""
    script = make(tmp_path, f"{{param.{name}}}")
    script._given_params = {"low": 8, "band": {}}
    with pytest.raises(ScriptError, match=rf"\{{param\.{name}\}}, and nothing gives it a value.*--set"):
        script.words()


@pytest.mark.parametrize("word", ["{inptu}", "{input}", "{input.c}", "{output.a}"])
def test_unknown_placeholder_is_told(tmp_path: Path, word: str) -> None:
    """A placeholder that does not exist is a ScriptError that lists those that do."""
    with pytest.raises(
        ScriptError, match=r"unknown placeholder .*allowed are .*\{input.a\}, \{output\}"
    ) as caught:
        make(tmp_path, "cat", f"x{word}", reads={"a": "x/{id}"})
    assert caught.value.step == "sort"


@pytest.mark.parametrize("words", [(), ("a\0b",)])
def test_command_must_be_words(tmp_path: Path, words: tuple[str, ...]) -> None:
    """An empty command is refused."""
    with pytest.raises(ScriptError, match="command must be a list of texts"):
        make(tmp_path, *words)


def test_command_without_output_is_refused(tmp_path: Path) -> None:
    """A command step may have no input, but it must declare what it writes."""
    assert make(tmp_path, "date", reads=None).path.input == {}
    with pytest.raises(ScriptError, match="output must be text"):
        make(tmp_path, "date", writes=None)


def test_values_are_never_shell_text(tmp_path: Path) -> None:
    """An id full of shell text is one word for a command, and quoted for a shell."""
    nasty = "REC; touch hacked $(touch hacked) `touch hacked` ' \""
    code = "import sys; print(sys.argv[1])"
    plain = make(tmp_path, PYTHON, "-c", code, "{id}", id=nasty)
    shell = make(tmp_path, "printf '%s\\n' {id} | cat", id=nasty, shell=True)
    for script in (plain, shell):
        script.run()
        assert script.logger.lines == [(logging.INFO, nasty)]
    assert not (tmp_path / "hacked").exists()


def test_no_shell_unless_asked(tmp_path: Path) -> None:
    """Pipes and redirections are words without a shell, and work with one."""
    plain = make(tmp_path, "echo", "x", "|", "cat", ">", "y")
    plain.run()
    assert plain.logger.lines == [(logging.INFO, "x | cat > y")]
    make(tmp_path, "echo x", "> y", shell=True).run()
    assert (tmp_path / "y").read_text() == "x\n", "it runs in the scripts folder"


def test_environment_tells_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Id, labels, paths and options stand in the environment; those of an outer step do not, other variables do."""
    for name in [name for name in os.environ if name.startswith("SINAGOT_")]:
        monkeypatch.delenv(name)  # of the machine that tests
    monkeypatch.setenv("SINAGOT_INPUT_OLD", "outer")
    monkeypatch.setenv("SINAGOT_WORKSPACE", "kept")
    script = make(tmp_path, "env", reads={"a-b": "x/{id}"}, task="RS", opts={"cut": 3, "name": "n"})
    script.path = StepPaths({"a-b": [Path("1"), Path("2")]}, Path("out"))
    own = {name: value for name, value in script.environment().items() if name.startswith("SINAGOT_")}
    assert own == {
        "SINAGOT_WORKSPACE": "kept",
        "SINAGOT_ID": "REC-1",
        "SINAGOT_TASK": "RS",
        "SINAGOT_MODALITY": "EEG",
        "SINAGOT_INPUT_A_B": "1\n2",
        "SINAGOT_OUTPUT": "out",
        "SINAGOT_PARAM_CUT": "3",
        "SINAGOT_PARAM_NAME": "n",
    }
    assert script.environment()["PATH"] == os.environ["PATH"]


def test_absent_task_is_no_variable(tmp_path: Path) -> None:
    """Without a task, the placeholder is empty and the variable absent."""
    script = make(tmp_path, "echo", "[{task}]")
    assert script.words() == ["echo", "[]"]
    assert "SINAGOT_TASK" not in script.environment()


def test_command_reads_the_environment(tmp_path: Path) -> None:
    """A program sees the variables."""
    script = make(tmp_path, PYTHON, "-c", "import os; print(os.environ['SINAGOT_ID'])")
    script.run()
    assert script.logger.lines == [(logging.INFO, "REC-1")]


def test_failing_command_fails_the_step(tmp_path: Path) -> None:
    """A code other than 0 is a CommandFailedError with the code, the command and what was said last."""
    script = make(tmp_path, PYTHON, "-c", "import sys; sys.stderr.write('no licence\\n'); sys.exit(3)")
    with pytest.raises(CommandFailedError, match="ended with exit code 3: no licence") as caught:
        script.run()
    assert caught.value.exit_code == 3
    assert script.logger.lines == [(logging.WARNING, "no licence")]


def test_hand_made_command_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Outside a run there is no logger: lines are printed."""
    script = make(tmp_path, "echo", "hello")
    script.logger = None
    script.run()
    assert capsys.readouterr().out == "hello\n"


def test_digest_follows_command_and_files(tmp_path: Path) -> None:
    """Another word, another path, or an edit of a file in the scripts folder that it names: another version."""

    def digest(*words: str, output: str = "made/{id}.txt", shell: bool = False) -> str:
        spec, source = command_step(
            "fit", None, CommandSettings(words, "raw/{id}", output, shell), str(tmp_path)
        )
        assert spec.digest == source.digest
        json.dumps(spec.sources)
        return spec.digest

    (tmp_path / "fit.R").write_text("1")
    digests = [
        digest("Rscript", "fit.R"),
        digest("Rscript", "other.R"),
        digest("Rscript", "fit.R", output="other/{id}"),
        digest("Rscript fit.R 'x", shell=True),
        digest("Rscript fit.R", shell=True),
    ]
    (tmp_path / "fit.R").write_text("2")
    digests += [digest("Rscript", "fit.R"), digest("Rscript fit.R", shell=True)]
    assert len(set(digests)) == len(digests)
    assert digest("Rscript", "other.R") == digests[1]
