"""Laws of hooks: how they are found, checked and called, and what a registry may not do."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from sinagot.errors import ConfigurationError, ScriptError, TemplateError
from sinagot.pipeline.templates.expressions import Template
from sinagot.pipeline.templates.filters import FILTERS
from sinagot.pipeline.templates.hooks import find_hook, tag
from sinagot.pipeline.templates.registries import Registries

IMPORT = "from sinagot.pipeline.templates.hooks import tag\nfrom sinagot.pipeline.templates.filters import custom_filter\n"
USES = "tasks/get-api-with-oauth-to-s3@requests"
TASKS = IMPORT + (
    "@tag('requests', alias='get-api')\n"
    "def get_api_with_oauth_to_s3(url: str, rows: int = 3, keep: list[str] | None = None) -> dict:\n"
    "    '''Get data.'''\n"
    "    return {'url': url, 'rows': rows, 'keep': keep}\n"
    "@tag('polars')\n"
    "def read_all(*, path: str, **more) -> dict:\n"
    "    return {'path': path, **more}\n"
    "def untagged() -> dict:\n"
    "    return {}\n"
)


class Place(NamedTuple):
    """A place in a file."""

    file: Path
    line: int


HERE = Place(Path("conf/daily.yaml"), 7)
Write = Callable[..., Registries]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write modules, by path, and give the registries of their folder."""

    def make(files: dict[str, str], **options: Any) -> Registries:
        for name, text in files.items():
            file = tmp_path / "lab" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return Registries(tmp_path / "lab", **{"environ": {}, **options})

    return make


@pytest.mark.parametrize(
    "uses",
    [USES, "tasks/get_api_with_oauth_to_s3@requests", "tasks/get-api@requests", "tasks/get_api@requests"],
)
def test_hook_is_found_by_name_alias_and_tag(write: Write, uses: str) -> None:
    """`-` and `_` are equal, an alias counts like the name; process and search path stay as they were."""
    before, path = set(sys.modules), list(sys.path)
    hook = find_hook(uses, write({"tasks.py": TASKS}), HERE)
    assert hook.call({"url": "https://open-data/"}) == {"url": "https://open-data/", "rows": 3, "keep": None}
    assert (hook.doc, Path(hook.file or "").name, hook.line) == ("Get data.", "tasks.py", 3)
    assert sys.path == path and "tasks" not in set(sys.modules) - before


def test_modules_in_folders_and_packages(write: Write) -> None:
    """A path reaches into packages and plain folders, with relative imports and modules beside; `.` is as good as `/`."""
    registries = write(
        {
            "tasks/__init__.py": "",
            "tasks/api.py": IMPORT
            + "import lab_tool_x\nfrom .low import base\n@tag('t')\ndef f(): return {'v': base() + lab_tool_x.ONE}\n",
            "tasks/low.py": "def base(): return 1\n",
            "lab_tool_x.py": "ONE = 1\n",
            "plain/more.py": IMPORT
            + "@tag('t')\ndef g():\n    from plain.late import V\n    return {'v': V}\n",
            "plain/late.py": "V = 5\n",
        }
    )
    assert find_hook("tasks/api/f@t", registries).call({}) == {"v": 2}
    assert find_hook("tasks.api/f@t", registries).call({}) == {"v": 2}
    assert find_hook("plain/more/g@t", registries).call({}) == {"v": 5}


def test_edited_module_is_loaded_anew(write: Write) -> None:
    """Each look-up finds the file as it is now, also what it imports; a hook that was found before stays as it was."""
    text = IMPORT + "from lab_tool_y import V\n@tag('t')\ndef f(): return {'v': V}\n"
    first = find_hook("tasks/f@t", write({"tasks.py": text, "lab_tool_y.py": "V = 1\n"}))
    second = find_hook("tasks/f@t", write({"lab_tool_y.py": "V = 2\n"}))
    third = find_hook("tasks/f@t", write({"tasks.py": text.replace("'v': V", "'v': -V")}))
    assert [one.call({})["v"] for one in (first, second, third, first)] == [1, 2, -2, 1]


def test_two_workspaces_never_meet(tmp_path: Path) -> None:
    """Modules of one name in two workspaces are two modules."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tasks.py").write_text(IMPORT + f"@tag('t')\ndef f(): return {{'v': '{name}'}}\n")
    hooks = [find_hook("tasks/f@t", Registries(tmp_path / name, environ={})) for name in ("a", "b", "a")]
    assert [hook.call({})["v"] for hook in hooks] == ["a", "b", "a"]


def test_registries_are_named_by_argument_or_environment(write: Write) -> None:
    """An argument wins over the environment, the environment over the workspace's folder; packages go in order."""
    files = {
        "tasks.py": TASKS.replace("'rows': rows", "'rows': 'here'"),
        "own/tasks.py": TASKS.replace("'rows': rows", "'rows': 'own'"),
        "other/tasks.py": TASKS.replace("'rows': rows", "'rows': 'other'"),
    }
    environ = {"WORKFLOW_CORE_REGISTRY": " missing , own,other"}
    found = [
        find_hook(USES, write(files, **options)).call({"url": ""})["rows"]
        for options in (
            {},
            {"environ": environ},
            {"environ": environ, "packages": ["other", "."]},
            {"packages": ["."]},
        )
    ]
    assert found == ["here", "own", "other", "here"]


def test_modules_that_were_imported_count(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that was made in memory is found; one that nobody imported and no registry names is not imported."""
    module = ModuleType("lab_memory_z")
    module.__dict__["f"] = tag("t")(lambda: {"v": 1})
    monkeypatch.setitem(sys.modules, "lab_memory_z", module)
    assert find_hook("lab_memory_z/f@t", write({})).call({}) == {"v": 1}
    monkeypatch.delitem(sys.modules, "antigravity", raising=False)
    with pytest.raises(ConfigurationError, match="unknown hook"):
        find_hook("antigravity/f@t", write({}))
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "uses",
    ["tasks/get-apy@requests", "tasks/get-api@request", "task/get-api@requests", "tasks/untagged@requests"],
)
def test_unknown_hook_lists_the_known_ones(write: Write, uses: str) -> None:
    """The message has the place, all hooks of the registry, and a near one; nothing else of it was executed."""
    registries = write(
        {"tasks.py": TASKS, "own/deep.py": IMPORT + "raise SystemError\n@tag('t')\ndef g(): return {}\n"}
    )
    with pytest.raises(ConfigurationError) as caught:
        find_hook(uses, registries, HERE)
    text = str(caught.value)
    assert text.startswith(
        f"conf/daily.yaml:7: uses: unknown hook '{uses}', known are own/deep/g@t, tasks/get-api@requests"
    )
    assert "tasks/read_all@polars" in text
    assert "did you mean 'tasks/get-api@requests'?" in text


def test_no_hooks_at_all_says_how_to_make_one(write: Write) -> None:
    """In an empty workspace the message tells what to write."""
    with pytest.raises(ConfigurationError, match=r"known are nothing; write `@tag\(...\)`"):
        find_hook(USES, write({}), HERE)


@pytest.mark.parametrize(
    "uses",
    ["../tasks/f@t", "/etc/passwd/f@t", "tasks/../../f@t", "tasks//f@t", "C:\\x/f@t", "tasks/f", "tasks@t", "f@t", "", "tasks/f@", "tasks/f@t@u",
     "tasks/f@t x", "tasks/..f/g@t", "tasks/\x00/f@t", "${{ params.x }}/f@t", "tasks/${{ params.x }}@t", "tasks\n/f@t", "tas ks/f@t", 3, None, ["a"]],
)  # fmt: skip
def test_path_never_leaves_the_registry(write: Write, tmp_path: Path, uses: Any) -> None:
    """No absolute path, no `..`, no template: refused with the place before anything is looked for."""
    (tmp_path / "tasks.py").write_text("open('pwned', 'w')")
    with pytest.raises(ConfigurationError, match=r"^conf/daily.yaml:7: uses: "):
        find_hook(uses, write({"tasks.py": TASKS}), HERE)
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("x = 1\n1 / 0\n", 2, "ZeroDivisionError"),
        ("x = (\n", 1, "SyntaxError"),
        ("import no_such_lab_module\n", 1, "ModuleNotFoundError"),
        ("\n\nraise SystemExit(3)\n", 3, "SystemExit"),
    ],
)
def test_module_that_fails_is_told_and_hides_no_other(write: Write, text: str, line: int, what: str) -> None:
    """Its file and line are in the message; hooks of other modules and registries are found, and it can be mended."""
    registries = write({"tasks.py": text, "own/tasks.py": TASKS, "more.py": TASKS})
    with pytest.raises(ConfigurationError) as caught:
        find_hook(USES, registries, HERE)
    assert str(caught.value).startswith("conf/daily.yaml:7: uses: ")
    assert f"tasks.py:{line}: {what}" in str(caught.value)
    assert isinstance(caught.value.__cause__, ScriptError)
    assert find_hook(USES.replace("tasks", "more", 1), registries).call({"url": ""})
    assert find_hook(USES, write({}, packages=[".", "own"])).call({"url": ""})
    assert find_hook(USES, write({"tasks.py": TASKS})).call({"url": ""})


def test_module_that_python_hides_is_told(write: Write) -> None:
    """A module with the name of one of Python's is not found, and the message says why."""
    with pytest.raises(ConfigurationError, match=r"email.py is never imported.*rename the file"):
        find_hook("email/get-api@requests", write({"email.py": TASKS}), HERE)


def test_two_functions_of_one_name_and_tag(write: Write) -> None:
    """What is not clear is an error that names both places."""
    text = IMPORT + "@tag('t', alias='g')\ndef f(): return {}\n@tag('t')\ndef g(): return {}\n"
    with pytest.raises(ConfigurationError, match=r"names 2 functions: .*tasks.py:3, .*tasks.py:5"):
        find_hook("tasks/g@t", write({"tasks.py": text}), HERE)


def test_arguments_are_checked_without_a_call(write: Write) -> None:
    """Missing and unknown arguments and literals of a wrong type are found; templates wait for the run."""
    text = TASKS.replace("    return {'url'", "    raise AssertionError('called')\n    return {'url'")
    hook = find_hook(USES, write({"tasks.py": text}), HERE)
    good = {"url": "x", "rows": "${{ params.n }}", "keep": ["a", "${{ params.x }}"]}
    assert hook.check(good) == hook.check({name: Template.parse(value) for name, value in good.items()}) == []
    assert hook.check({"url": "x", "rows": "5"}) == []
    problems = [str(one) for one in hook.check({"ulr": "x", "rows": "many", "keep": 3})]
    assert all(one.startswith(f"conf/daily.yaml:7: with: {USES}: ") for one in problems)
    assert [one.partition("s3@requests: ")[2] for one in problems] == [
        "unknown argument 'ulr', known are keep, rows, url; did you mean 'url'?",
        "missing argument 'url'",
        "argument 'rows' is a text: Input should be a valid integer, unable to parse string as an integer",
        "argument 'keep' is an int: Input should be a valid list",
    ]


def test_arguments_of_a_run_are_converted_or_refused(write: Write) -> None:
    """The function gets what its annotations say; what does not fit is told with kinds, never with the value."""
    hook = find_hook(USES, write({"tasks.py": TASKS}), HERE)
    assert hook.call({"url": "x", "rows": "5", "keep": ("a",)}) == {"url": "x", "rows": 5, "keep": ["a"]}
    with pytest.raises(TemplateError, match=r"^conf/daily.yaml:7: with: .*'rows' is a text") as caught:
        hook.call({"url": "x", "rows": "hunter2"})
    assert "hunter2" not in str(caught.value)
    more = find_hook("tasks/read-all@polars", write({}), HERE)
    assert more.call({"path": "p", "any-thing": 1}) == {"path": "p", "any-thing": 1}
    assert len(more.check({"any": 1})) == 1


@pytest.mark.parametrize(
    ("signature", "values", "result"),
    [
        ("x: 'Missing'", {"x": 1}, 1), ("x: np.ndarray", {"x": "np.arange(2)"}, None), ("x: D", {"x": {"a": "1", "e": {"a": "2"}}}, "D(a=1, e=E(a=2, e=None))"),
        ("x: 3", {"x": "a"}, "a"), ("x, /", {"x": 1}, 1), ("a_b", {"a-b": 1}, 1), ("x: M", {"x": {"n": "2"}}, "M(n=2)"),
    ],
)  # fmt: skip
def test_annotations_of_any_kind(write: Write, signature: str, values: dict[str, Any], result: Any) -> None:
    """Names that cannot be resolved check nothing; dataclasses, models and foreign classes do; `-` may stand for `_`."""
    name = signature.partition(":")[0].partition(",")[0]
    text = (
        "from __future__ import annotations\n"
        + IMPORT
        + "import numpy as np\nfrom dataclasses import dataclass\nfrom pydantic import BaseModel\n"
        + "@dataclass\nclass D:\n    a: int\n    e: E | None = None\nclass E(D): ...\nclass M(BaseModel):\n    n: int\n"
        + f"@tag('t')\ndef f({signature}): return {{'v': {name}}}\n"
    )
    hook = find_hook("tasks/f@t", write({"tasks.py": text}), HERE)
    if result is None:
        assert len(hook.check(values)) == 1  # a text is certainly no array
        import numpy as np

        array = np.arange(2)
        assert hook.call({"x": array})["v"] is array
    else:
        assert hook.check(values) == []
        found = hook.call(values)["v"]
        assert found == result or repr(found) == result


@pytest.mark.parametrize("value", ["None", "3", "[1]", "{1: 2}", "(x for x in [])", "later()"])
def test_hook_returns_a_dict(write: Write, value: str) -> None:
    """Anything else is an error that names the function's file and line and says what to write."""
    text = IMPORT + f"async def later(): ...\n@tag('t')\ndef f(): return {value}\n"
    with pytest.raises(
        TemplateError,
        match=r"^conf/daily.yaml:7: uses: tasks/f@t \(.*tasks.py:4\) returned .*write `return {",
    ):
        find_hook("tasks/f@t", write({"tasks.py": text}), HERE).call({})


def test_error_of_a_hook_is_its_own(write: Write) -> None:
    """What the function raises comes out as it is, with its line."""
    hook = find_hook(
        "tasks/f@t", write({"tasks.py": IMPORT + "@tag('t')\ndef f():\n    raise KeyError('mine')\n"})
    )
    with pytest.raises(KeyError, match="mine") as caught:
        hook.call({})
    assert Path(caught.traceback[-1].path).name == "tasks.py"


def test_hook_travels_to_another_process(write: Write, tmp_path: Path) -> None:
    """Pickled, it is the same version elsewhere; after an edit it is an error, never another version."""
    text = IMPORT + "from lab_tool_w import V\n@tag('t')\ndef f(x: int): return {'v': V + x}\n"
    hook = find_hook("tasks/f@t", write({"tasks.py": text, "lab_tool_w.py": "V = 1\n"}), HERE)
    (tmp_path / "hook").write_bytes(pickle.dumps(hook))
    code = f"import pickle; print(pickle.load(open({str(tmp_path / 'hook')!r}, 'rb')).call({{'x': '2'}}))"

    def call() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert call().stdout == "{'v': 3}\n"
    write({"lab_tool_w.py": "V = 100\n"})
    done = call()
    assert done.returncode and "was edited after the run began" in done.stderr


def test_hooks_run_side_by_side(write: Write) -> None:
    """Two threads are within hooks of one workspace at the same time."""
    text = IMPORT + "import lab_tool_v\n@tag('t')\ndef f(meet): return {'v': meet.wait(60)}\n"
    hook = find_hook("tasks/f@t", write({"tasks.py": text, "lab_tool_v.py": ""}))
    meet, found = threading.Barrier(2), []
    threads = [
        threading.Thread(target=lambda: found.append(hook.call({"meet": meet})["v"])) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 1]


def test_filters_of_a_workspace(write: Write) -> None:
    """A module that declares filters is found by its text; they are the workspace's alone, and a broken one is told."""
    own = IMPORT + "@custom_filter('shout')\ndef shout(value): return value + '!'\n"
    registries = write(
        {
            "tasks.py": own,
            "own/broken.py": own.replace("shout", "other") + "1 / 0\n",
            "script.py": "open('pwned', 'w')\n",
        }
    )
    told: list[ScriptError] = []
    table = registries.filters(told.append)
    assert Template.parse("${{ v | shout }}").render({"v": "a"}, table) == "a!"
    assert "shout" not in FILTERS and "other" not in table
    assert len(told) == 1 and "broken.py:5: ZeroDivisionError" in str(told[0])
    assert set(write({}, packages=["own"]).filters()) == set(FILTERS)
    named = write({}, environ={"WORKFLOW_CORE_REGISTRY_FILTER": "tasks, nope"})
    assert "shout" in named.filters(told.append) and "no such module" in str(told[-1])


@pytest.mark.parametrize("arguments", [("",), ("a b",), ("a/b",), ("t", "a@b"), (3,), (len,)])
def test_names_of_tags(arguments: tuple[Any, ...]) -> None:
    """A tag and an alias are plain names."""
    with pytest.raises(ConfigurationError, match="is no name"):
        tag(*arguments)


def test_tag_is_for_plain_functions() -> None:
    """Coroutines, classes and values are refused where they are declared; a function may have several tags."""

    async def later() -> None: ...

    for wrong in (later, int, 3):
        with pytest.raises(ConfigurationError, match="no plain function"):
            tag("t")(wrong)  # type: ignore[type-var]


def test_several_tags(write: Write) -> None:
    """One function answers to each of its tags."""
    registries = write({"tasks.py": IMPORT + "@tag('a')\n@tag('b', alias='g')\ndef f(): return {'v': 1}\n"})
    assert [
        find_hook(uses, registries).call({})["v"] for uses in ("tasks/f@a", "tasks/f@b", "tasks/g@b")
    ] == [1, 1, 1]
    with pytest.raises(ConfigurationError, match="unknown hook"):
        find_hook("tasks/g@a", registries)
