"""Laws of the library: every object that is right is found, whatever else lies about."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.documents import parse_documents
from sinagot.pipeline.templates.folders import find_root
from sinagot.pipeline.templates.kinds import kind_of, load_kind, register_kind
from sinagot.pipeline.templates.library import Library
from sinagot.pipeline.templates.outline import outline_of
from sinagot.pipeline.templates.sheets import Sheet
from sinagot.pipeline.templates.triggers import read_triggers
from sinagot.pipeline.templates.typed import declare
from tests.pipeline.blocks import BLOCKS

VARIABLES = {
    "API_ACCESS_REFRESH_TOKEN": "t0ken",
    "AWS_ACCESS_CLIENT_ID": "id-1",
    "AWS_ACCESS_CLIENT_SECRET": "s3cret",
}
PIPELINE = "pipeline.Pipeline"


def write(root: Path, **files: str | bytes) -> Path:
    """Write files below `conf`, and give the root; `__` in a name is a folder."""
    for name, text in files.items():
        file = root / "conf" / (name.replace("__", "/") + ".yaml")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
    return root


def library(root: Path | str, **environ: str) -> Library:
    """Give the library of a folder, with no variables but those."""
    return Library(root, environ=environ)


def on(name: str, cron: str = "0 6 * * *") -> str:
    """Write an object."""
    return f"{name}:\n  type: on.On\n  cron: {cron}\n"


def error_of(call: Callable[[], Any]) -> ConfigurationError:
    """Return the error that a call raises."""
    with pytest.raises(ConfigurationError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("folder", ["", "a__b__"], ids=["conf", "conf/a/b"])
@pytest.mark.parametrize("is_relative", [False, True], ids=["absolute", "relative"])
def test_objects_are_found_at_any_depth(
    folder: str, is_relative: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three objects of one file are found, with types, parameters, time tables and variables, below any root."""
    write(tmp_path / "lab", **{f"{folder}flows": BLOCKS})
    monkeypatch.chdir(tmp_path)
    catalog = library("lab" if is_relative else tmp_path / "lab", **VARIABLES).look()
    assert catalog.names() == ["on_every_5_min", "pipeline-name", "run_py_local"]
    assert catalog.names("on.On") == ["on_every_5_min"]
    assert catalog.problems() == {}
    first = catalog.find("pipeline-name", PIPELINE)
    second = catalog.find("run_py_local", PIPELINE)
    tables = [
        read_triggers(found.data["on"], found.places.below(["on"]), catalog).triggers
        for found in (first, second)
    ]
    assert [table[:2] for (table,) in tables] == [("*/5 * * * *", "Etc/UTC"), ("*/5 * * * *", "Asia/Bangkok")]
    assert [(table.place.line, table.name) for (table,) in tables] == [(3, "on_every_5_min"), (19, None)]
    for found in (first, second):
        declared = declare(found.data["params"], found.places.below(["params"]))
        assert [one.type for one in declared.values()] == ["str", "datetime"]
    (stage,) = second.data["jobs"]["getting-api-data"]["stages"]
    assert stage["with"]["auth"] == "t0ken" and stage["uses"] == "tasks/get-api-with-oauth-to-s3@requests"
    assert second.secrets == {"t0ken", "id-1", "s3cret"} and first.secrets == frozenset()
    assert (
        second.place.line == 16
        and second.place.file == tmp_path / "lab/conf" / f"{folder.replace('__', '/')}flows.yaml"
    )


BAD: dict[str, str | bytes] = {
    "broken": "a: [",
    "tab": "a:\n\tb: 1",
    "not UTF-8": b"a: \xff",
    "twice": on("bad") + on("bad"),
    "no type": "bad:\n  cron: 0 6 * * *",
    "unknown type": "bad:\n  type: pipeline.Pipelin",
    "type of a wrong type": "bad:\n  type: [1]",
    "no object": "bad: 5",
    "list": "- a\n- b",
    "unset": on("bad", "${NOWHERE}"),
    "bomb": "a: &a [1]\nb: &b [" + "*a, " * 900 + "]\nc: [" + "*b, " * 20 + "]",
    "object": "bad: !!python/object:os.system {}",
    "no name": on('""'),
    "name of two lines": on('"a\\nb"'),
    "huge": b"#" * 300_000,
}


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), st.data())
def test_one_bad_file_hides_no_other(count: int, data: st.DataObject) -> None:
    """Whatever is wrong with one file of many: all objects of the others are found, and it alone is told."""
    kind = data.draw(st.sampled_from(sorted(BAD)))
    at = data.draw(st.integers(0, count))
    with tempfile.TemporaryDirectory() as folder:
        files: dict[str, str | bytes] = {f"f{2 * n}": on(f"good{n}") for n in range(count)}
        root = write(Path(folder), **files, **{f"f{2 * at - 1}".replace("-1", ""): BAD[kind]})
        catalog = library(root).look()
        for n in range(count):
            assert catalog.find(f"good{n}", "on.On").data == {"cron": "0 6 * * *"}
        assert {f"good{n}" for n in range(count)} <= set(catalog.names())
        (problems,) = catalog.problems().values()
        assert problems and all(problem.file and problem.file.name.startswith("f") for problem in problems)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("twice", "x.yaml:4: the key 'bad' stands twice, first in line 1"),
        ("no type", "x.yaml:1: bad: has no type; write one"),
        ("unknown type", "x.yaml:2: bad.type: unknown type 'pipeline.Pipelin', known are"),
        ("unset", "x.yaml:3: bad.cron: the variable NOWHERE is not set"),
        ("no object", "x.yaml:1: bad: found 5 (an integer), allowed an object with a type"),
        ("object", "not all could be read ("),
    ],
)
def test_asking_for_the_bad_one_says_what_is_wrong(kind: str, words: str, tmp_path: Path) -> None:
    """Who asks for the object that is wrong is told its fault, with file and line."""
    root = write(tmp_path, x=BAD[kind], y=on("good"))
    assert words in str(error_of(lambda: library(root).find("bad", "on.On")))


def test_unknown_name_says_where_was_looked(tmp_path: Path) -> None:
    """An unknown name is answered by what is alike, or all that is known, and by where was looked."""
    found = library(write(tmp_path, x=on("daily") + on("hourly")))
    assert str(error_of(lambda: found.find("dayly"))) == (
        f"no object 'dayly' in the 1 YAML file of {tmp_path / 'conf'}; did you mean 'daily'?"
    )
    assert str(error_of(lambda: found.find("zzz", "on.On"))).endswith("known are daily, hourly")
    assert "allowed is the name of an object" in str(error_of(lambda: found.find(5)))  # type: ignore[arg-type]
    error = error_of(lambda: library(tmp_path / "nowhere").find("daily"))
    assert f"there is no folder {tmp_path / 'nowhere/conf'} (by the argument root)" in str(error)


def test_two_objects_of_one_name_are_an_error_with_both_places(tmp_path: Path) -> None:
    """A name in two files is told with both places, when it is asked for and among the problems; others work."""
    found = library(write(tmp_path, a__x="\n" + on("daily"), b=on("other") + on("daily")))
    words = f"{tmp_path}/conf/b.yaml:4: daily: stands twice, also at {tmp_path}/conf/a/x.yaml:2; rename one of them"
    assert str(error_of(lambda: found.find("daily"))) == words
    assert [str(problem) for (problem,) in found.problems().values()] == [words]
    assert found.find("other").name == "other"


def test_an_object_of_another_type_is_an_error(tmp_path: Path) -> None:
    """The type that is needed is compared with the one that is written."""
    found = library(write(tmp_path, x=on("daily")))
    assert "x.yaml:2: daily.type: is of type on.On, needed is pipeline.Pipeline" in str(
        error_of(lambda: found.find("daily", PIPELINE))
    )


def test_a_mended_file_is_read_anew(tmp_path: Path) -> None:
    """An edit counts at once, also one that leaves size, time and inode of the file as they were."""
    file = write(tmp_path, x=on("daily", "${A")) / "conf" / "x.yaml"
    found = library(tmp_path)
    before = file.stat()
    error_of(lambda: found.find("daily"))
    with file.open("r+b") as stream:
        stream.write(on("daily", "1 * ").encode())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    assert found.find("daily").data == {"cron": "1 *"}
    file.write_text("daily: [")
    error_of(lambda: found.find("daily"))
    file.write_text(on("hourly"))
    assert found.names() == ["hourly"]
    file.unlink()
    assert found.names() == []


def test_a_catalog_is_of_one_moment(tmp_path: Path) -> None:
    """What was looked at stays as it was, while the files go on."""
    found = library(write(tmp_path, x=on("daily")))
    catalog = found.look()
    write(tmp_path, x=on("hourly"))
    assert (catalog.names(), found.names()) == (["daily"], ["hourly"])
    catalog.find("daily").data["cron"] = "changed"
    assert catalog.find("daily").data["cron"] == "0 6 * * *"


def test_only_yaml_files_of_people_are_read(tmp_path: Path) -> None:
    """Hidden files and folders and what editors leave are passed over; links are followed, each file once."""
    root = write(tmp_path, b=on("b"), a__a=on("a"), **{".git__x": "[", ".hidden": "[", "#x": "["})
    conf = root / "conf"
    for name in ("x.yaml~", "x.yaml.bak", "#y.yaml#", ".x.yaml.swp", "x.txt", "x.json"):
        (conf / name).write_text("[")
    (conf / "c.YML").write_text(on("c"))
    (conf / "again.yaml").symlink_to(conf / "b.yaml")
    (conf / "a" / "loop").symlink_to(conf)
    (conf / ".#b.yaml").symlink_to("someone@host.1:2")
    found = library(root).look()
    assert found.names() == ["a", "b", "c"]
    assert [file.relative_to(conf).as_posix() for file in found.files] == ["a/a.yaml", "again.yaml", "c.YML"]
    assert found.problems() == {}


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A link that leads nowhere, a pipe and a missing folder are problems; the other files work."""
    conf = write(tmp_path, x=on("daily")) / "conf"
    (conf / "gone.yaml").symlink_to(conf / "nowhere")
    (conf / "ring.yaml").symlink_to(conf / "ring.yaml")
    os.mkfifo(conf / "pipe.yaml")
    found = library(tmp_path)
    assert [file.name for file in found.problems()] == ["gone.yaml", "pipe.yaml", "ring.yaml"]
    assert found.find("daily").name == "daily"
    assert list(library(tmp_path / "x").problems()) == [tmp_path / "x/conf"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    """A folder that can't be listed is a problem of its own, and hides no other."""
    conf = write(tmp_path, x=on("daily"), a__y=on("hidden")) / "conf"
    (conf / "a").chmod(0)
    try:
        assert list(library(tmp_path).problems()) == [conf / "a"]
        assert library(tmp_path).names() == ["daily"]
    finally:
        (conf / "a").chmod(0o700)


def test_externals_win_in_depth(tmp_path: Path) -> None:
    """Given values are merged over the object; what they replace needs no variables, and they hold none."""
    text = "p:\n  type: pipeline.Pipeline\n  a: {x: 1, y: '${NOWHERE}'}\n  b: [1, 2]\n"
    found = library(write(tmp_path, x=text))
    given_values: dict[str, Any] = {
        "a": {"y": "${VAR}", "z": {"n": 1}},
        "b": [3],
        "type": "pipeline.Pipeline",
    }
    data = found.find("p", PIPELINE, given_values).data
    assert data == {"a": {"x": 1, "y": "${VAR}", "z": {"n": 1}}, "b": [3]}
    data["a"]["z"]["n"] = 2
    assert given_values["a"]["z"] == {"n": 1}
    assert "externals.type" in str(error_of(lambda: found.find("p", None, {"type": "on.On"})))
    assert found.find("p", None, {"a": None}).data["a"] is None


def test_parts_for_aliases_are_no_objects(tmp_path: Path) -> None:
    """Top-level keys that begin with x- or a dot hold parts for aliases."""
    text = "x-base: &base {cron: 0 6 * * *}\n.more: 5\ndaily:\n  <<: *base\n  type: on.On\n"
    found = library(write(tmp_path, x=text))
    assert (found.names(), found.problems()) == (["daily"], {})
    assert found.find("daily").data == {"cron": "0 6 * * *"}


def test_several_documents_are_one_file(tmp_path: Path) -> None:
    """Objects of all documents of a file count, and a name in two of them is twice."""
    found = library(write(tmp_path, x=on("a") + "---\n" + on("b") + "---\n" + on("a")))
    assert found.names() == ["a", "b"]
    assert "x.yaml:9: a: stands twice" in str(error_of(lambda: found.find("a")))


@pytest.mark.parametrize(
    ("argument", "environ", "expected"),
    [
        ("/r", {"WORKFLOW_ROOT_PATH": "/e"}, "/r/conf"),
        (None, {"WORKFLOW_ROOT_PATH": "/e", "SINAGOT_WORKSPACE": "/w"}, "/e/conf"),
        (None, {"WORKFLOW_ROOT_PATH": "/e", "WORKFLOW_CORE_PATH_CONF": "yaml/x"}, "/e/yaml/x"),
        ("/r", {"WORKFLOW_CORE_PATH_CONF": "/abs"}, "/abs"),
        (None, {"SINAGOT_WORKSPACE": "/w", "WORKFLOW_ROOT_PATH": ""}, "/w/conf"),
        (None, {"SINAGOT_WORKSPACE": "lab.flows:Lab=/data/lab"}, "/data/lab/conf"),
        (None, {"SINAGOT_WORKSPACE": "{here}/workspace.toml"}, "{here}/conf"),
        (None, {"WORKFLOW_ROOT_PATH": "../other"}, "{here}/sub/other/conf"),
        ("rel", {}, "{here}/sub/deep/rel/conf"),
        (None, {}, "{here}/conf"),
    ],
)
def test_the_root_is_found(
    argument: str | None,
    environ: dict[str, str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The argument wins, then the variables in their order, then the nearest workspace upwards."""
    (tmp_path / "workspace.toml").touch()
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "sub" / "deep")
    filled = {name: value.format(here=tmp_path) for name, value in environ.items()}
    assert str(find_root(argument, environ=filled).conf) == expected.format(here=tmp_path)


def test_without_a_workspace_the_current_folder_is_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing says otherwise, the files are in `conf` of the current folder."""
    monkeypatch.chdir(tmp_path)
    assert find_root(environ={})[1:] == (tmp_path / "conf", "the current folder")


def test_types_are_known_by_two_parts_and_made_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A type of others is found by its last two parts, and its module is imported only when it is loaded."""
    (tmp_path / "late_kinds.py").write_text("class Counter:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    register_kind("late.Counter", "late_kinds:Counter")
    root = write(tmp_path, x="n:\n  type: any.where.late.Counter\n")
    assert library(root).find("n").kind == "late.Counter"
    assert "late_kinds" not in sys.modules
    assert load_kind("late.Counter").__name__ == "Counter"
    register_kind("late.Absent", "late_kinds:Absent")
    assert "late_kinds:Absent" in str(error_of(lambda: load_kind("late.Absent")))
    assert "is taken by" in str(error_of(lambda: register_kind("late.Counter", "other:Counter")))
    for name, target in [("Counter", "a:b"), ("a.b.c", "a:b"), ("a.b", "a.b"), ("a.b", "a:b c")]:
        error_of(lambda name=name, target=target: register_kind(name, target))  # type: ignore[misc]


@pytest.mark.parametrize(
    "written", ["Pipeline", "pipeline.pipeline", "PIPELINE.Pipeline", "x.pipline.Pipeline"]
)
def test_a_type_that_is_nearly_known_is_proposed(written: str) -> None:
    """The class alone, a wrong case and a lost letter are answered by the type that was meant."""
    assert str(error_of(lambda: kind_of(written))).endswith("did you mean 'pipeline.Pipeline'?")


LINES = st.lists(
    st.sampled_from(
        [
            *(
                "a:",
                "b:",
                "c:  # c",
                "'d':",
                "e: {type: on.On}",
                "---",
                "# c",
                "",
                "f: 5",
                "true:",
                "x-g:",
                '"h',
            ),
            *(
                "  type: on.On",
                "  type: 'on.On'",
                '  type: "pipeline.Pipeline"  # x',
                "  type: ${X}",
                "    type: on.On",
            ),
            *(
                "  cron: 0 6 * * *",
                "  text: |",
                "   more",
                "    type: on.On # '",
                "  - type: on.On",
                "  it's: 1",
                "x",
            ),
            *(
                '  q: "a',
                '  b"',
                "  q: 'x' # it's",
                "  f: [1, 2]",
                "  f: [1,",
                "  ]",
                "  t: >-",
                "      type: x",
                " y: 1",
            ),
            *(
                "  <<: *a",
                "  &a type: on.On",
                "  ? type",
                "  : on.On",
                "  type:",
                "    on.On",
                "  !!str type: on.On",
            ),
            *(
                'k"b: "val',
                "type: on.On",
                '  k"b: "val',
                "  'type': on.On",
                "  - |",
                "  a: &x 1",
                "\ttype: on.On",
            ),
        ]
    ),
    max_size=9,
)


@settings(deadline=None, max_examples=200)
@given(LINES)
def test_a_look_at_the_lines_is_right_or_says_nothing(lines: list[str]) -> None:
    """Where names and types are given without parsing, parsing gives the same, whatever lines stand together."""
    text = "\n".join(lines) + "\n"
    found = outline_of(text)
    if found is None:
        return
    try:
        documents = parse_documents(text, Path("x.yaml"))
    except ConfigurationError:
        return  # broken at another place; who asks for an object of it is told
    parsed = [
        (name, value["type"])
        for one in documents
        if one.data
        for name, value in one.data.items()
        if value is not None
    ]
    assert found == parsed


def test_usual_files_are_not_parsed_for_a_list() -> None:
    """The files as people write them are listed without being parsed, and asking for an object parses one file."""
    assert outline_of(BLOCKS) == [
        ("on_every_5_min", "on.On"),
        ("pipeline-name", "ddeutil.workflow.pipeline.Pipeline"),
        ("run_py_local", "pipeline.Pipeline"),
    ]
    text = BLOCKS + "last:\n  type: on.On\n  run: |\n    it's \"open\n   [\n"
    assert outline_of(text.replace("   [", "    ["))[-1] == ("last", "on.On")  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (on("'it''s daily'"), "it's daily"),
        (on('"d\\u0061ily"'), "daily"),
        (on("'two  words'"), "two  words"),
        ("? daily\n: {type: on.On}\n", "daily"),
        ("{daily: {type: on.On}}", "daily"),
        ("x: &n daily\n*n : {type: on.On}", "daily"),
        (on("täglich"), "täglich"),
    ],
)
def test_no_spelling_hides_a_name(text: str, name: str, tmp_path: Path) -> None:
    """However a name is written in YAML, the object is found by it and listed."""
    found = library(write(tmp_path, x=text, y=on("other")))
    assert found.find(name).name == name
    assert name in found.names()


def test_only_files_that_may_hold_the_name_are_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking for one of many parses the one, once; the next look parses nothing."""
    parsed: list[Path] = []
    whole = Sheet.parsed
    monkeypatch.setattr(
        Sheet, "parsed", lambda self: (self._data is not None and parsed.append(self.file), whole(self))[1]
    )
    found = library(
        write(
            tmp_path, **{f"f{n}": on(f"day-{n}.") + on(f"x-day-1.{n}").replace("x-", "") for n in range(20)}
        )
    )
    for _ in range(2):
        assert found.find("day-1.").data == {"cron": "0 6 * * *"}
        assert len(found.names()) == 40
    assert [file.name for file in parsed] == ["f1.yaml"]


@pytest.mark.parametrize(
    ("on_value", "words"),
    [
        ("[]", "on: found an empty list, allowed is at least one"),
        ("{cron: 0 6 * *}", "on.cron: found 4 fields in '0 6 * *', allowed 5"),
        ("{cron: 0 6 * * $}", "on.cron: found '$', which is no field"),
        ("{cron: 0 0 6 * * *}", "on.cron: found 6 fields in '0 0 6 * * *', allowed 5 (minute hour day month"),
        ("{cron: 0 6 * * * 2030 x}", "on.cron: found 7 fields"),
        ("{cron: 0 6 31 2 *}", "on.cron: found '0 6 31 2 *', which never comes"),
        ("{cron: 0 6 */20 * MON#2}", "which never comes"),
        ("{cron: '*/0 * * * *'}", "on.cron: found the minute '*/0', allowed is 0-59"),
        ("{cron: '*/90 * * * *'}", "found the minute '*/90', allowed are steps up to 60"),
        ("{cron: 0 24 * * *}", "found the hour '24', allowed is 0-23"),
        ("{cron: 0 22-2 * * *}", "found the hour '22-2', allowed is 0-23; a range goes upwards"),
        ("{cron: 0 6 * * FRI-SUN}", "found the day of the week 'FRI-SUN'"),
        ("{cron: '? 6 * * *'}", "found the minute '?'"),
        ("{cron: '@reboot'}", "found '@reboot', allowed @yearly"),
        ("{cron: 5}", "on.cron: found 5 (an integer), allowed cron text"),
        ("{cron: }", "on.cron: found nothing, allowed cron text"),
        ("{cron: '@dayly'}", "did you mean '@daily'?"),
        ("{cron: 0 6 * * *, cronjob: 0 6 * * *}", "both cron and cronjob"),
        ("{timezone: Asia/Bangkok}", "has no cron"),
        ("{cron: 0 6 * * *, interval: daily}", "both cron and interval"),
        ("{cron: 0 6 * * *, day: friday}", "on.day: goes with interval, not with cron"),
        (
            "{interval: dayly}",
            "on.interval: found 'dayly', allowed daily, weekly or monthly; did you mean 'daily'?",
        ),
        ("{interval: monthly, time: 25:00}", "on.time: found '25:00', allowed a time such as '06:30'"),
        (
            "{interval: weekly, day: fryday}",
            "on.day: found 'fryday', allowed a weekday; did you mean 'friday'?",
        ),
        ("{interval: monthly, timezone: bangkok}", "did you mean 'Asia/Bangkok'?"),
        ("{cron: 0 6 * * *, timezone: Asia/Bankok}", "did you mean 'Asia/Bangkok'?"),
        ("{cron: 0 6 * * *, timezone: bangkok}", "did you mean 'Asia/Bangkok'?"),
        ("{cron: 0 6 * * *, timezone: ../../etc/passwd}", "unknown time zone"),
        ("{cron: 0 6 * * *, timezone: America}", "unknown time zone"),
        ("{cron: 0 6 * * *, timezone: 7}", "found 7 (an integer), allowed the name of a time zone"),
        (
            "{cron: 0 6 * * *, timzone: UTC}",
            "unknown key, known are cron, cronjob, interval, day, time, timezone and desc; did you mean",
        ),
        ("5", "found 5 (an integer), allowed the name of an on.On object"),
        ("[daily, 5]", "found 5 (an integer)"),
        ("dayly", "no on.On 'dayly' in the 1 YAML file of"),
        ("p", "is of type pipeline.Pipeline, needed is on.On"),
        ("'*/5 * * * *'", "write cron:"),
        ("secret", "found '***', which is no field"),
    ],
)
def test_wrong_time_tables_are_told_with_their_line(on_value: str, words: str, tmp_path: Path) -> None:
    """Cron text, time zones, keys and names are checked, each fault with its line; those that are right are read."""
    text = (
        on("daily") + f"p:\n  type: pipeline.Pipeline\n  on: {on_value}\n" + on("secret", "0 6 * * ${CRON}")
    )
    catalog = library(write(tmp_path, x=text), CRON="$$$").look()
    found = catalog.find("p")
    read = read_triggers(found.data["on"], found.places.below(["on"]), catalog)
    (problem,) = read.problems
    assert words in str(problem)
    assert problem.line == {"p": 5, "secret": 9}.get(on_value, 6)
    assert [trigger.name for trigger in read.triggers] == (["daily"] if "daily," in on_value else [])


def test_time_tables_of_all_forms_are_read(tmp_path: Path) -> None:
    """None, a name, a mapping and a list of both are read, with fields or a word."""
    root = write(
        tmp_path,
        x=on("daily") + "  timezone: Europe/Paris\n  desc: each morning\n" + on("hourly", "'@hourly'"),
    )
    catalog = library(root).look()
    places = parse_documents("[]", Path("x.yaml"))[0].places
    tables = ["daily", {"cron": " 0  6 * * MON-FRI "}, "hourly", {"cronjob": "0 6 1,15 * ?"}]
    tables += [{"interval": "weekly", "day": "friday", "time": "18:30", "timezone": "Europe/Paris"}]
    found = read_triggers(tables, places, catalog, "Asia/Tokyo")
    assert found.problems == ()
    assert [trigger[:2] for trigger in found.triggers] == [
        ("0 6 * * *", "Europe/Paris"),
        ("0 6 * * MON-FRI", "Asia/Tokyo"),
        ("0 * * * *", "Asia/Tokyo"),
        ("0 6 1,15 * *", "Asia/Tokyo"),
        ("30 18 * * FRI", "Europe/Paris"),
    ]
    assert read_triggers(None, places, catalog) == ((), ())


def test_reading_writes_nothing_and_loads_little(tmp_path: Path) -> None:
    """Looking, listing and finding leave the folder as it was; without YAML to parse, ruamel is not loaded."""
    write(tmp_path, x=BLOCKS)
    code = (
        "import sys; from sinagot.pipeline.templates.library import Library; "
        "import sinagot.pipeline.templates.typed; found = Library(sys.argv[1]); assert len(found.names()) == 3; "
        "print(sorted({'ruamel', 'pydantic', 'pandas'} & {name.partition('.')[0] for name in sys.modules}))"
    )
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert sorted(tmp_path.rglob("*")) == before
