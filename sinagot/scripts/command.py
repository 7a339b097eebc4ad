"""Steps that are commands: MATLAB, R, a shell line, any program, with the same declared paths as a script.

Knows words, placeholders and processes; must not know records beyond one id.
`sinagot.scripts.loading` makes one class per command step; the engine runs it as it runs any script.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import new_class
from typing import TYPE_CHECKING, Any

from sinagot.errors import ScriptError
from sinagot.scripts.sources import Command, SourceSet, digest_of
from sinagot.scripts.spec import PathSource, StepSpec, read_paths
from sinagot.scripts.template import ScriptTemplate

if TYPE_CHECKING:
    from sinagot.config.settings import CommandSettings

__all__ = ["CommandScript", "command_class", "command_step", "wanted_params"]

# `{{name}}` stands for `{name}`; `${NAME}` belongs to the shell; braces around anything but one word belong
# to the command.
_NAME = r"(?:input|output|param)\.[^{}]+|[A-Za-z]\w*(?:\.\w+)?"
_PLACEHOLDER = re.compile(rf"\{{\{{(?P<literal>{_NAME})\}}\}}|(?<!\$)\{{(?P<field>{_NAME})\}}")
_OWN_VARIABLES = re.compile(r"SINAGOT_(ID|TASK|MODALITY|(INPUT|OUTPUT|PARAM)(_.*)?)")


class CommandScript(ScriptTemplate):
    """The script of a command step: runs the command, and its output lines go to the record's log.

    Notes
    -----
    The command runs in the scripts folder, without a shell unless asked for, with its input closed, in a
    process group of its own that is ended with it. Lines of standard output are logged as INFO, those of
    standard error as WARNING. Its environment has ``SINAGOT_ID``, ``SINAGOT_TASK``, ``SINAGOT_MODALITY``,
    ``SINAGOT_INPUT`` and ``SINAGOT_OUTPUT`` (``SINAGOT_INPUT_<KEY>`` when there are several; a list of paths
    is one path a line) and ``SINAGOT_PARAM_<NAME>`` for each parameter (tables and lists as JSON).
    """

    COMMAND: Command

    def run(self) -> None:
        """Run the command.

        Raises
        ------
        CommandFailedError
            When it cannot be started or ends with a code other than 0.
        """
        from sinagot.scripts.process import run_process

        words = self.words()
        command: str | list[str] = " ".join(words) if self.COMMAND.shell else words
        run_process(command, folder=self.COMMAND.folder, environment=self.environment(), tell=self._tell)

    def words(self) -> list[str]:
        """Give the words of the command with every placeholder filled in; for a shell, values are quoted."""
        quote = shlex.quote if self.COMMAND.shell else str
        values = {"id": [self.id], "task": [self.task or ""], "modality": [self.modality or ""]}
        values |= dict(_iter_paths("input", self.path.input)) | dict(_iter_paths("output", self.path.output))
        for name in wanted_params(self.COMMAND.words):
            values[f"param.{name}"] = self._param(name)
        return [filled for word in self.COMMAND.words for filled in _fill(word, values, quote)]

    def _param(self, name: str) -> list[str]:
        found: Any = {**self.opts, **self.params}
        for part in name.split("."):
            if not isinstance(found, Mapping) or part not in found:
                raise ScriptError(
                    f"step {self.label!r}: the command has {{param.{name}}}, and nothing gives it a value: "
                    "write it below [params], or give it for one run (--set)",
                    step=self.label,
                )
            found = found[part]
        return [_value_text(one) for one in (found if isinstance(found, list | tuple) else [found])]

    def environment(self) -> dict[str, str]:
        """Give the environment of the command: that of this process and the variables of this record."""
        # Those of a step that we ourselves may be running in are not ours.
        found = {name: value for name, value in os.environ.items() if not _OWN_VARIABLES.fullmatch(name)}
        own: dict[str, str | None] = {"ID": self.id, "TASK": self.task, "MODALITY": self.modality}
        for side, paths in (("input", self.path.input), ("output", self.path.output)):
            own |= {_variable(key): "\n".join(value) for key, value in _iter_paths(side, paths)}
        for key, value in {**self.opts, **self.params}.items():
            own[_variable(f"param.{key}")] = _value_text(value)
        return found | {f"SINAGOT_{name}": value for name, value in own.items() if value is not None}

    def _tell(self, level: int, line: str) -> None:
        if self.logger is None:
            sys.stdout.write(f"{line}\n")
        else:
            self.logger.log(level, line)


def command_step(
    name: str, modality: str | None, settings: CommandSettings, folder: str
) -> tuple[StepSpec, SourceSet]:
    """Make the spec and the source set of a command step.

    Parameters
    ----------
    name, modality : str
        What the step is.
    settings : CommandSettings
        What the configuration says.
    folder : str
        The scripts folder. Words that name files there are sources of the step: when one changes, so does its
        digest.

    Returns
    -------
    spec : StepSpec
        The step as plain data.
    source : SourceSet
        What travels in a job.

    Raises
    ------
    ScriptError
        When its paths or placeholders are of no use.
    """
    inputs: PathSource = {}
    if settings.input:
        inputs = read_paths(settings.input, "input", step=name, file="command", may_be_empty=True)
    outputs = read_paths(settings.output, "output", step=name, file="command")
    words = tuple(settings.command)
    _check_words(name, words, inputs, outputs)
    sources = tuple(_iter_files(words, folder, settings.shell))
    facts = [words, settings.shell, inputs, outputs, [digest for _, digest in sources]]
    digest = digest_of(json.dumps(facts).encode())
    command = Command(words, folder, inputs, outputs, settings.shell)
    spec = StepSpec(
        name, modality, folder, digest, inputs, outputs, sources=sources, command=words, shell=settings.shell
    )
    return spec, SourceSet(name, modality, folder, "", digest, digest, command=command)


def command_class(source: SourceSet) -> type[CommandScript]:
    """Make the class of a command step.

    Examples
    --------
    >>> command = Command(("sort", "{input}", "-o", "{output}"), ".", "raw/{id}.txt", "sorted/{id}.txt")
    >>> Script = command_class(SourceSet("sort", None, ".", "", "", "", command=command))
    >>> Script("data", "REC-1").words()
    ['sort', 'data/raw/REC-1.txt', '-o', 'data/sorted/REC-1.txt']
    """
    command = source.command
    assert command is not None, "only command steps come here"
    members = {
        "COMMAND": command,
        "PATH_IN": command.inputs,
        "PATH_OUT": command.outputs,
        "label": source.step,
        "modality": source.modality,
        "__module__": __name__,
    }
    script: type[CommandScript] = new_class(
        "Script", (CommandScript,), exec_body=lambda body: body.update(members)
    )
    return script


def wanted_params(words: Iterable[str]) -> list[str]:
    """List the parameters that a command has placeholders for.

    Parameters
    ----------
    words : iterable of str
        Its words.

    Returns
    -------
    list of str
        Each name once, those of inner tables with dots.

    Examples
    --------
    >>> wanted_params(["filter", "--band={param.band.low}-{param.band.high}", "{{param.none}}", "{input}"])
    ['band.low', 'band.high']
    """
    found = [match["field"] or "" for word in words for match in _PLACEHOLDER.finditer(word)]
    return list(dict.fromkeys(name.removeprefix("param.") for name in found if name.startswith("param.")))


def _value_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _iter_paths(side: str, paths: Any) -> Iterator[tuple[str, list[str]]]:
    if isinstance(paths, dict):
        for key, value in paths.items():
            yield from _iter_paths(f"{side}.{key}", value)
    else:
        yield side, [str(path) for path in (paths if isinstance(paths, list) else [paths])]


def _fill(word: str, values: dict[str, list[str]], quote: Callable[[str], str]) -> list[str]:
    whole = _PLACEHOLDER.fullmatch(word)
    if whole and whole["field"]:
        # A word of its own may become many: all runs of a session as arguments.
        return [quote(value) for value in values[whole["field"]]]

    def replace(match: re.Match[str]) -> str:
        if match["literal"]:
            return "{" + match["literal"] + "}"
        return " ".join(quote(value) for value in values[match["field"]])

    return [_PLACEHOLDER.sub(replace, word)]


def _check_words(step: str, words: tuple[str, ...], inputs: PathSource, outputs: PathSource) -> None:
    known = ["id", "task", "modality"]
    for side, paths in (("input", inputs), ("output", outputs)):
        known += [f"{side}.{key}" for key in paths] if isinstance(paths, dict) else [side]
    if not words or any("\0" in word for word in words):
        raise ScriptError(
            f"step {step!r}: command must be a list of texts, and not empty; found {words!r}", step=step
        )
    for word in words:
        for match in _PLACEHOLDER.finditer(word):
            name = match["field"]
            if name and name not in known and not name.startswith("param."):
                allowed = ", ".join(f"{{{name}}}" for name in [*known, "param.NAME"])
                raise ScriptError(
                    f"step {step!r}: command: unknown placeholder {match[0]} in {word!r}; "
                    f"allowed are {allowed}, and {{{match[0]}}} writes the braces themselves",
                    step=step,
                )


def _iter_files(words: tuple[str, ...], folder: str, shell: bool) -> Iterator[tuple[str, str]]:
    for word in words:
        try:
            names = shlex.split(word) if shell else [word]
        except ValueError:
            names = [word]
        for name in names:
            file = Path(folder, name)
            if not os.path.isabs(name) and "\0" not in name and file.is_file():
                yield str(file), digest_of(file.read_bytes())


def _variable(key: str) -> str:
    return re.sub(r"\W", "_", key, flags=re.ASCII).upper()
