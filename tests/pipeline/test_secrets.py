"""What nobody is to read is read nowhere: not in files, on the terminal, in messages, views or events."""

from __future__ import annotations

import logging
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from sinagot.errors import ConfigurationError
from sinagot.pipeline import (
    LoggerSettings,
    Parameters,
    Pipeline,
    PipelineDefinitionError,
    PipelineError,
    Secret,
    Stage,
    Variables,
)
from sinagot.pipeline.input import known, param, var
from sinagot.pipeline.logging import info
from sinagot.testing import make_workspace

SECRET = "hunter2-hunter2"


def leak(token: Any) -> None:
    """Say a secret in every way that a stage has."""
    text = token["deep"] if isinstance(token, dict) else token
    text = text.get_secret_value() if hasattr(text, "get_secret_value") else str.__str__(text)
    info(f"token is {text}", token=text, deep={"a": [text]})
    print("printed", text)
    try:
        raise OSError(text)
    except OSError:
        logging.getLogger("library").exception("library says %s", text)
    warnings.warn(f"careful with {text}", UserWarning, stacklevel=1)
    raise ValueError(f"bad token {text}")


class Typed(BaseModel):
    token: SecretStr = SecretStr("else")


class Deep(BaseModel):
    token: dict[str, SecretStr] = {}


@pytest.mark.parametrize(
    ("mode", "parameters", "variables", "name", "given"),
    [
        ("threads", Parameters.define(token=Secret("else")), None, "token", {"token": SECRET}),
        ("processes", Parameters.define(Typed), None, "token", {"token": SECRET}),
        ("threads", Parameters.define(Deep), None, "token", {"token": {"deep": SECRET}}),
        ("processes", None, Variables.define(token=Secret(SECRET)), "token", {}),
        ("threads", None, None, None, {}),
    ],
    ids=["Secret", "SecretStr", "deep", "variable", "known"],
)
def test_a_secret_is_told_nowhere(
    tmp_path: Path,
    capfd: Any,
    caplog: Any,
    mode: str,
    parameters: Any,
    variables: Any,
    name: Any,
    given: Any,
) -> None:
    """Wherever a secret comes from, lines, terminal, messages and views have stars in its place."""
    source = known(Secret(SECRET), "token", logged=True)
    if name is not None:
        source = (param if parameters is not None else var)(name, logged=True)
    stages = {"leak": Stage(leak, [source])}
    settings = LoggerSettings("log", log_dir=tmp_path)
    pipeline = Pipeline("p", parameters, variables, stages, settings).using(mode=mode, workers=1)
    told = nullcontext() if mode == "processes" else pytest.warns(UserWarning, match=r"careful with \*\*\*")
    with told, pytest.raises(PipelineError, match=r"bad token \*\*\*") as caught:
        pipeline.run(**given)
    shown = capfd.readouterr()
    views = [pipeline.describe(form) for form in ("text", "mermaid", "dot", "json")]
    texts = [
        *views,
        repr(pipeline),
        repr(pipeline.parameters),
        repr(stages),
        shown.out,
        shown.err,
        caplog.text,
        str(caught.value),
        pipeline._repr_html_(),
        caught.value.result._repr_html_(),
        *(path.read_text() for path in tmp_path.iterdir()),
    ]
    assert not [text for text in texts if SECRET in text]
    assert shown.out.count("***") > 4 and "library says ***" in shown.err + caplog.text


def test_a_secret_that_is_refused_is_not_repeated() -> None:
    """The message about a wrong secret says what is wrong with it, and not what it is."""

    class Short(BaseModel):
        token: SecretStr = Field(SecretStr("x"), max_length=3)

    with pytest.raises(PipelineDefinitionError, match=r"token: .*found \*\*\*") as caught:
        Pipeline("p", Parameters.define(Short)).run(token=SECRET)
    assert SECRET not in str(caught.value)


SCRIPT = """
import warnings
from sinagot.pipeline import Parameters, Pipeline, Secret, Stage
from sinagot.pipeline.input import param, path_in, path_out
from sinagot.pipeline.logging import info

def write(raw, out, token):
    info("with " + str.__str__(token), token=token)
    print(str.__str__(token))
    out.write_text("fine")
    if "bad" in raw.read_text():
        raise ValueError("refused " + str.__str__(token))

pipeline = Pipeline(
    "p",
    Parameters.define(token=Secret("else")),
    paths={"raw": ("raw", "{id}.txt"), "out": ("out", "{id}.txt")},
    stages={"write": Stage(write, [path_in("raw"), path_out("out"), param("token")])},
)
"""


@pytest.mark.parametrize("is_typed", [False, True])
def test_a_step_keeps_no_secret(tmp_path: Path, capfd: Any, is_typed: bool) -> None:
    """Of a pipeline that is a step neither logs nor the state folder nor the terminal have the secret of its call."""
    text = SCRIPT
    if is_typed:
        text = (
            "from pydantic import BaseModel, SecretStr\nclass Told(BaseModel):\n    token: SecretStr\n"
            + SCRIPT
        )
        text = text.replace("str.__str__(token)", "token.get_secret_value()")
        text = text.replace('define(token=Secret("else"))', "define(Told)")
    ws = make_workspace(tmp_path / "lab", records={"A": "fine", "B": "bad"}, scripts={"p": text})
    report = ws.steps.run(params={"token": SECRET})
    assert (report.counts["done"], report.counts["failed"]) == (1, 1)
    shown = capfd.readouterr()
    files = [path for path in (tmp_path / "lab").rglob("*") if path.is_file()]
    holders = [str(path) for path in files if SECRET.encode() in path.read_bytes()]
    assert not holders
    assert SECRET not in shown.out + shown.err + report.failures[0].message + repr(report)


def test_a_secret_of_a_step_that_is_refused_is_not_repeated(tmp_path: Path) -> None:
    """A wrong secret of a workspace is told with its place and its fault, and not as it is."""
    text = "from pydantic import BaseModel, Field, SecretStr\nclass Told(BaseModel):\n"
    text += "    token: SecretStr = Field(SecretStr('x'), max_length=3)\n" + SCRIPT
    scripts = {"p": text.replace('define(token=Secret("else"))', "define(Told)")}
    ws = make_workspace(tmp_path, records={"A": "fine"}, scripts=scripts)
    with pytest.raises(ConfigurationError, match=r"token.*\*\*\*") as caught:
        ws.steps.run(params={"token": SECRET})
    assert SECRET not in f"{caught.value} {caught.value.facts}"
