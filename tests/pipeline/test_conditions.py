"""Laws of conditions: what they decide, what they refuse, and that none hangs, fills the memory or runs code."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinagot.errors import ConfigurationError, TemplateError
from sinagot.pipeline.templates.conditions import Condition

ROOT = Path(__file__).parents[2]


class Place(NamedTuple):
    """A place in a file."""

    file: Path
    line: int


HERE = Place(Path("conf/daily.yaml"), 7)


def decided(text: Any, **context: Any) -> bool:
    """Parse and decide."""
    return Condition.parse(text, HERE).evaluate(context)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("${{ params.n }} > 3", True), ("params.n > 3 and not params.off", True), ("params.n in [1, 2]", False), (True, True),
        ("${{ params.author-run | lower }} == 'local'", True), ("params['author-run'] == 'Local'", True), ("false", False),
        ("'${{ params.author-run }}' == 'Local'", True), ("'<${{ params.n }}>' == '<4>'", True), ("params.items[1] == 20", True),
        ("${{ params.nope? }} is null", True), ("params.table == null", False), ("params.table != None", True),
        ("${{ params.nope? }} != null and params.nope > 3", False), ("1 < params.n <= 4", True), ("'a' in params.map", True),
        ("len(params.items) == 2 and max(params.items) == 20", True), ("params.n ** 2 // 3 % 4 - 1 == 0", True), ("${{ params.on }}", True),
        ("params.day < params.moment", True), ("params.moment - params.day > params.span", True), ("params.price == params.price", True),
        ("int('3') + float('1.5') == 4.5 and str(params.n) == '4'", True), ("bool(params.items)", True), ("'oca' in params['author-run']", True),
        ("params.flag", True), ("params.n == params.small", True), ("(params.n > 3\n # why\n and params.on)", True), ("abs(-params.n) == +4", True),
        ("${{ params.n }} == ${{ params.n }} == params.small", True), ("'ana' not in {'a', 'b'}", True), ("len(params.table) == 1", True),
        ("'value0x' == 'value0x' and '${{ params.n }}' == '4'", True), ("min(3, 1) == 1", True), ("'a' + 'b' == \"ab\"", True),
    ],
)  # fmt: skip
def test_what_a_condition_decides(text: Any, answer: bool) -> None:
    """Comparisons, `and or not in is`, arithmetic and a few functions over the values of the context."""
    params = {
        "n": 4, "off": False, "on": True, "author-run": "Local", "items": [10, 20], "map": {"a": 1}, "small": np.int64(4),
        "table": pd.DataFrame({"x": [1]}), "day": datetime(2024, 1, 1, tzinfo=UTC), "moment": datetime(2024, 1, 2, tzinfo=UTC),
        "span": timedelta(hours=3), "price": Decimal("1.1"), "flag": np.bool_(True),
    }  # fmt: skip
    assert decided(text, params=params) is answer


@settings(deadline=None)
@given(st.text(), st.text())
def test_values_are_never_read_as_a_condition(value: str, other: str) -> None:
    """A text compares as the text that it is, in quotes or not, whatever it holds."""
    params = {"x": value, "y": other}
    for text in (
        "${{ params.x }} == params.y",
        "'${{ params.x }}' == '${{ params.y }}'",
        "params.x == params.y",
    ):
        assert decided(text, params=params) is (value == other)
    assert decided("'${{ params.x }}-' == ${{ params.x }} + '-'", params=params)


def test_injection_is_a_text() -> None:
    """Quotes, names and calls in a value decide nothing and run nothing."""
    for value in (
        "' or '1' == '1",
        "x or True",
        "__import__('os')",
        "value0x",
        "${{ params.secret }}",
        "bound 0",
        "'\n#",
    ):
        assert decided("${{ params.x }} == 'admin'", params={"x": value, "secret": "admin"}) is False
        assert decided("'${{ params.x }}' == 'admin'", params={"x": value, "secret": "admin"}) is False


REFUSED = [
    "", "   ", "open('pwned', 'w')", "__import__('os').system('touch pwned')", "exec('x')", "eval('1')", "globals()", "print(1)",
    "params.__class__", "params.x.__class__.__mro__", "__builtins__", "_x", "().__class__", "'a'.upper()", "params.x.upper()",
    "lambda: 1", "[x for x in [1]]", "{x: 1 for x in [1]}", "(x for x in [1])", "f'{1}'", "f'{params.x}'", "(x := 1)", "{1: 2}",
    "1 if True else 2", "max(*[1])", "max(1, key=abs)", "params.items[0:1]", "params.items[params.n]", "len(params)[0]", "len",
    "b'x' == b'x'", "1j == 1", "... == 1", "a = 1", "import os", "1; 2", "1\n2", "1 +", "${{ }}", "${{ params.x", "yield 1", "await x",
    "x${{ params.x }}", "${{ params.x }}y", "${{ params.x }}.y", "${{ params.x }}[0]", "${{ params.x }}()", "~1 == 1", "1 << 3 == 8",
    "1 @ 2", "len.x", "\uff4f\uff50\uff45\uff4e('x')", "params.x == 'a' if 1 else 2", "(" * 50 + "1" + ")" * 50 + " == " + "-" * 50 + "1", "1" * 5000,
    3, None, ["x"], {"a": 1}, "\x00", "params.x ==", "*params", "'a' 'b", "print.x()", "[].append(1)", "{**params}", "params.x | upper",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text)[:40])
def test_what_has_no_place_in_a_condition_is_refused_when_loaded(text: Any) -> None:
    """Calls of anything but a few functions, attributes, dunders, loops and the like: an error with its place."""
    with pytest.raises(ConfigurationError, match=r"^conf/daily.yaml:7: "):
        Condition.parse(text, HERE)


@pytest.mark.parametrize(
    "text",
    [
        "params.x",
        "params.n",
        "${{ params.nothing }}",
        "params.x and true",
        "not params.x",
        "params.n or params.n",
        "params.items",
        "'false'",
        "1",
    ],
)
def test_only_true_and_false_decide(text: str) -> None:
    """A text, a number or null is neither true nor false, were it the text "false"."""
    with pytest.raises(TemplateError, match=r"conf/daily.yaml:7: .*neither true nor false"):
        decided(text, params={"x": "false", "n": 1, "nothing": None, "items": [1]})


@pytest.mark.parametrize(
    "text",
    [
        "params.x > 3", "params.table == 3", "params.table > 3", "params.array == params.array", "params.x is 'a'", "3 in params.x",
        "params.nope == 1", "nope.x == 1", "1 / 0 == 1", "params.x + 1 == 2", "params.x * 3 == 'aaa'", "min(params.empty) == 1",
        "int('x') == 1", "len(3) == 1", "'%d' % 3 == '3'", "-params.x == 1", "(-1) ** 0.5 == 1", "params.day < params.moment", "1 in 2",
        "params.o == params.o", "params.o in [1]", "params.f == 1", "params.loop == [1]", "int(params.big) == 1", "{[1]} == 1",
        "'${{ params.null }}' == 'None'", "${{ params.x | nope }} == 1", "params.n == params.o.x",
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_an_error_with_its_place(text: str) -> None:
    """Strange values are not asked: no operator or attribute of theirs is called."""

    class Strange:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("called")

        __hash__ = None  # type: ignore[assignment]

    loop: list[Any] = [1]
    loop.append(loop)
    params = {
        "x": "a", "n": 1, "table": pd.DataFrame(), "array": np.arange(3), "empty": [], "day": date(2024, 1, 1), "null": None,
        "moment": datetime(2024, 1, 1, tzinfo=UTC), "o": Strange(), "f": len, "loop": loop, "big": Decimal("1e999999999"),
    }  # fmt: skip
    with pytest.raises(TemplateError, match=r"^conf/daily.yaml:7: "):
        decided(text, params=params)


HOSTILE = [
    "9 ** 9 ** 9 == 1", "9 ** 999999999 == 1", "2 ** -999999999 == 1", "9.9 ** 9999999 == 1", "'a' * 999999999 == ''", "[0] * 999999999 == []",
    "'%999999999d' % 1 == ''", "'x' in 'x' * 99999999", " * ".join(["99999999"] * 300) + " == 1", "-" * 4000 + "1 == 1", "(" * 2000 + ")" * 2000,
    "[" * 1900 + "]" * 1900, "not " * 900 + "true", "1 + " * 900 + "1 == 1", " and ".join(["params.big == params.big"] * 150), "1 < " * 900 + "1",
    "int('9' + '9') ** 4000 == 1", "str(10 ** 1200 + 1) == ''", "max([[[" * 300 + "]]]" * 300 + ") == 1", "params.big + params.big == ''",
    "len(params.list) > 3", "params.list == params.list", "1e308 * 1e308 == 1", "params.dec ** params.dec == 1", "params.dec * params.dec > 1",
    "int(params.dec) == 1", "float(params.dec) == 1", "params.dec // 1 == 1", "params.dec % 7 == 1", "str(params.list) == ''", "params.loop == params.loop",
    "params.deep == params.other", "params.day + params.span == params.day", "'" + "x" * 3900 + "' == 1", "${{ params.big | replace('a', 'aaaaaaaaaa') }} == ''",
    "a." * 1900 + "a == 1", "{" + "1, " * 1200 + "} == 1", "abs(" * 800 + "1" + ")" * 800, "0x" + "f" * 3900 + " == 1", "params.huge * params.huge == 1",
]  # fmt: skip

CHILD = """
import json, resource, sys
from datetime import date, timedelta
from decimal import Decimal
from sinagot.errors import SinagotError
from sinagot.pipeline.templates.conditions import Condition
import simpleeval
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
loop = []; loop.append(loop)
deep = other = 0
for _ in range(500): deep, other = [deep], [other]
params = {"big": "a" * 1000000, "list": list(range(200000)), "dec": Decimal("1e999999"), "loop": loop, "deep": deep,
          "other": other, "day": date(2024, 1, 1), "span": timedelta(days=999999999), "huge": 10 ** 100000}
for text in json.load(sys.stdin):
    try:
        Condition.parse(text).evaluate({"params": params})
    except SinagotError:
        pass
# Not ru_maxrss: that of a child begins with what its parent had.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_no_condition_hangs_or_fills_the_memory() -> None:
    """Hostile conditions end with an answer or an error of ours, all within seconds and a few megabytes."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD],
        input=json.dumps(HOSTILE),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 300_000


WORDS = st.sampled_from(
    [
        "params",
        "x",
        "n",
        "open",
        "__import__",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ".",
        ",",
        ":",
        "==",
        "<",
        ">",
        "in",
        "is",
        "not",
        "and",
        "or",
        "+",
        "-",
        "*",
        "**",
        "/",
        "%",
        "lambda",
        "for",
        "if",
        "else",
        "'a'",
        "1",
        "9999",
        "true",
        "null",
        "len",
        "max",
        "${{",
        "params.x",
        "}}",
        "${{",
        "params.n}}",
        "f''",
        ":=",
        "#",
        "\n",
        "=",
        "@",
        "~",
        ";",
        "_",
        "await",
    ]
)


@settings(deadline=None)
@given(st.lists(WORDS, max_size=14))
def test_any_condition_gives_an_answer_or_an_error_of_ours(words: list[str]) -> None:
    """Whatever is put together from the words of Python and ours: true, false, or an error with its place."""
    text = " ".join(words)
    try:
        assert decided(text, params={"x": "a", "n": 3}) in (True, False)
    except (ConfigurationError, TemplateError) as error:
        assert str(error).startswith("conf/daily.yaml:7: ")  # noqa: PT017
        return
    tree = ast.parse(f"({text.replace('${{', '').replace('}}', '')}\n)", mode="eval")
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert {one.id for one in called if isinstance(one, ast.Name)} <= {"len", "max"} and len(called) < 8


def test_name_with_a_minus_is_no_subtraction() -> None:
    """A plain path with `-` is refused with what to write; with blanks it is a subtraction."""
    for text in ("params.author-run == 'x'", "params.a-b-c == 1", "run-date > 1"):
        with pytest.raises(ConfigurationError, match=r"is a subtraction here; write `\$\{\{ "):
            Condition.parse(text, HERE)
    assert decided(
        "params.a - params.b == 1 and params.a-1 == 2 and ${{ params.a }}-params.b == 1",
        params={"a": 3, "b": 2},
    )
    with pytest.raises(ConfigurationError, match="compared by `==`"):
        Condition.parse("params.a = 3")


def test_check_finds_unknown_names() -> None:
    """Unknown roots, parameters and filters are found without a value, each once."""
    known = {"params": {"n": None}, "stages": None}
    assert Condition.parse("params.n > 3 and ${{ stages.a.outputs.b }} == 'x'").check(known) == []
    problems = Condition.parse(
        "param.n > 3 and '${{ params.m }}' == 'x' or ${{ params.n | nope }} == 1", HERE
    ).check(known)
    assert len(problems) == 3
    assert str(problems[0]).startswith("conf/daily.yaml:7: ${{ param.n }}: unknown name 'param'")
    assert Condition.parse("params.a > 1 and ${{ jobs.b-c.x }}").paths() == (
        ("params", "a"),
        ("jobs", "b-c", "x"),
    )


def test_condition_is_reused() -> None:
    """One condition answers for each run by that run's values."""
    condition = Condition.parse("params.n > 3 and '${{ params.n }}' != '5'")
    assert [condition.evaluate({"params": {"n": n}}) for n in (3, 4, 5, 6)] == [False, True, False, True]


def test_evaluator_is_not_loaded_before_it_is_needed() -> None:
    """Loading a condition does not load the package that evaluates it."""
    code = "import sys, sinagot.pipeline.templates.conditions as c; c.Condition.parse('1 == 1'); assert 'simpleeval' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
