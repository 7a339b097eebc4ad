"""Puts environment variables into the scalars of a YAML object: ``${VAR}``, ``${VAR:default}``, ``$${VAR}``.

Knows the environment and what a secret is; must not know what the object is.
Runs after parsing, once: what a variable holds is never read again, neither as YAML nor as a template.
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from sinagot.config.hints import did_you_mean
from sinagot.errors import ConfigurationError, ExitPipeline, PipelineError
from sinagot.pipeline.templates.places import KeyPath, Places
from sinagot.runlog.secrets import redactor

__all__ = [
    "SHORTEST_SECRET",
    "Resolved",
    "redact_error",
    "resolve_variables",
    "without_secrets",
]

#: Characters. A shorter value is not hidden: `***` for every 1 or no in a log would hide the log, not the value,
#: and would tell which signs the value has.
SHORTEST_SECRET = 3

# An expression (left alone), an escape, or a variable.
_PIECE = re.compile(
    r"(?P<expression>\$\{\{.*?\}\})|(?P<escape>\$\$\{(?!\{))|\$\{(?!\{)(?P<body>[^}]*)(?P<end>\}?)", re.DOTALL
)
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<colon>:)?(?P<default>.*)", re.DOTALL)


class Resolved(NamedTuple):
    """An object with its variables put in."""

    data: Any
    #: What must never be shown.
    secrets: frozenset[str]
    problems: tuple[ConfigurationError, ...]


def resolve_variables(data: Any, places: Places, environ: Mapping[str, str] | None = None) -> Resolved:
    """Put variables into the scalar values of an object; keys are left as they are.

    Parameters
    ----------
    data : object
        Plain data; not changed.
    places : Places
        Of the data.
    environ : mapping of str to str, optional
        The variables; those of the process by default.

    Returns
    -------
    Resolved
        A variable that is unset and has no default is a problem, and so is text that begins like a variable and is
        none. The value of a variable is text, also where the scalar is nothing but the variable.

    Notes
    -----
    In the text of a `bash` stage (``stages: [{bash: ...}]``) variables are checked, but the shell puts them in:
    ``${VAR}`` stays, and ``${VAR:default}`` becomes ``${VAR-default}``, the shell's form of it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from sinagot.pipeline.templates.places import Mark
    >>> places = Places(Path("a.yaml"), Mark(1, 1))
    >>> found = resolve_variables(
    ...     {"a": "${KEY}", "b": "$${KEY}", "c": "${NO:5} ${{ x }}"}, places, {"KEY": "s3cret"}
    ... )
    >>> found.data, sorted(found.secrets)
    ({'a': 's3cret', 'b': '${KEY}', 'c': '5 ${{ x }}'}, ['s3cret'])
    >>> print(resolve_variables("${NOWHERE}", places, {}).problems[0])
    a.yaml:1: the variable NOWHERE is not set; set it, or write ${NOWHERE:default}
    """
    work = _Work(places, os.environ if environ is None else environ)
    return Resolved(work.resolved(data, ()), frozenset(work.secrets), tuple(work.problems))


class _Work:
    def __init__(self, places: Places, environ: Mapping[str, str]) -> None:
        self.places = places
        self.environ = environ
        self.secrets: set[str] = set()
        self.problems: list[ConfigurationError] = []

    def resolved(self, data: Any, path: KeyPath) -> Any:
        if isinstance(data, dict):
            return {key: self.resolved(value, (*path, key)) for key, value in data.items()}
        if isinstance(data, list):
            return [self.resolved(value, (*path, at)) for at, value in enumerate(data)]
        return self._text(data, path) if isinstance(data, str) and "${" in data else data

    def _text(self, text: str, path: KeyPath) -> str:
        used: list[str] = []

        def put(found: re.Match[str]) -> str:
            if found["expression"] is not None:
                return found[0]
            if found["escape"]:
                return "${"
            value = self._value(found, path, used)
            return _shell_form(found["body"]) if is_shell else value

        is_shell = _is_shell_text(path)
        if is_shell:
            # The shell reads the variable itself: a value that became part of the text could become a command.
            return _PIECE.sub(put, text)
        result = _PIECE.sub(put, text)
        # What the author wrote as a template, or as an escape, stays one; a variable adds none.
        if used and result.count("${{") != _PIECE.sub(_without_values, text).count("${{"):
            names = ", ".join(dict.fromkeys(used))
            self._problem(
                path, f"with the value of {names} the text holds '${{{{', which begins an expression"
            )
        return result

    def _value(self, found: re.Match[str], path: KeyPath, used: list[str]) -> str:
        body = _BODY.fullmatch(found["body"])
        is_variable = body is not None and found["end"] and (body["colon"] or not body["default"])
        if body is None or not is_variable or "{" in body["default"]:
            shown = found[0] if len(found[0]) <= 40 else found[0][:37] + "..."
            hint = "for the text itself write $${"
            self._problem(path, f"found {shown!r}, allowed ${{NAME}} or ${{NAME:default}}", hint)
            return found[0]
        name = body["name"]
        value = self.environ.get(name)
        if value is not None:
            used.append(name)
            if len(value.strip()) >= SHORTEST_SECRET:
                self.secrets.add(value)
            return value
        if body["colon"]:
            return body["default"]
        near = did_you_mean(name, [one for one in self.environ if one.isupper()])
        hint = near or f"set it, or write ${{{name}:default}}"
        self._problem(path, f"the variable {name} is not set", hint, variable=name)
        return found[0]

    def _problem(self, path: KeyPath, message: str, hint: str | None = None, **facts: Any) -> None:
        self.problems.append(self.places.error(path, message, hint=hint, **facts))


def _is_shell_text(path: KeyPath) -> bool:
    return len(path) > 2 and path[-1] == "bash" and isinstance(path[-2], int) and path[-3] == "stages"


def _shell_form(body: str) -> str:
    name, colon, default = body.partition(":")
    return f"${{{name}-{default}}}" if colon else f"${{{name}}}"


def _without_values(found: re.Match[str]) -> str:
    # A sign stands for a value: what was apart in the file stays apart.
    return found[0] if found["expression"] is not None else "${" if found["escape"] else "_"


def redact_error(error: ConfigurationError, secrets: Iterable[str]) -> ConfigurationError:
    """Write `***` for every secret in what an error says.

    Parameters
    ----------
    error : ConfigurationError
        The error.
    secrets : iterable of str
        What must not be shown.

    Returns
    -------
    ConfigurationError
        The same one where it holds no secret. A fact that is no text is kept only when no secret is in it.

    Examples
    --------
    >>> error = ConfigurationError.at("found 's3cret', allowed is a day", found="s3cret", line=3)
    >>> hidden = redact_error(error, {"s3cret"})
    >>> str(hidden), hidden.found, hidden.line
    ("found '***', allowed is a day", '***', 3)
    """
    redact = redactor(secrets)
    if redact is str:
        return error
    facts = {}
    for name, value in error.facts.items():
        if name in ("file", "line", "column") or value is None:
            facts[name] = value
        else:
            text = value if isinstance(value, str) else str(value)
            shown = redact(text)
            facts[name] = value if shown == text else shown
    return type(error)(redact(error.message), **facts)


def without_secrets(error: BaseException | None, redact: Callable[[str], str]) -> BaseException | None:
    """Give an exception that shows no secret, neither in its text nor in the lines of code of its traceback.

    Parameters
    ----------
    error : BaseException or None
        What a stage failed with.
    redact : callable
        Takes secrets out of a text.

    Returns
    -------
    BaseException or None
        The same one where it holds none; else one of ours, with its type and text and nothing chained to it.

    Examples
    --------
    >>> without_secrets(ValueError("no hunter2"), lambda text: text.replace("hunter2", "***"))
    PipelineError('ValueError: no ***')
    """
    if error is None or redact is str or isinstance(error, KeyboardInterrupt):
        return error
    shown = "".join(traceback.format_exception(error))
    if redact(shown) == shown:
        return error
    text = redact(str(error))
    if isinstance(error, ExitPipeline):
        return ExitPipeline(text, error=error.error)
    if isinstance(error, PipelineError):
        return PipelineError(text, stage=error.stage, outputs=getattr(error, "outputs", None))
    return PipelineError(f"{type(error).__name__}: {text}")
