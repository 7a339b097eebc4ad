"""Laws of `bash` stages: no value becomes a part of a script, whatever quotes stand round it."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinagot.pipeline.templates.shellwords import compiled
from sinagot.testing import alive, await_true

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")

_SIGNS = st.sampled_from(list("$`\"'\\;&|<>(){}[]*?~#! \n\t=-%^a\u00e9\U0001f600"))
HOSTILE = st.one_of(
    st.lists(_SIGNS, max_size=12).map("".join),
    st.sampled_from(
        [
            "",
            "a; touch pwned",
            "$(touch pwned)",
            "`touch pwned`",
            "' ; touch pwned ; '",
            '"; touch pwned; "',
            "\\",
            "-n",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
_SHOW = "show() { printf '%s|' $# ; printf '%s\\0' \"$@\"; }\n"
#: Pieces of a script round a value; and what is shown of it: text before, text behind.
CONTEXTS = {
    "unquoted": ("show ", "", "1|", "\0"),
    "within a word": ("show a", "b", "1|a", "b\0"),
    "double": ('show "a ', ' b"', "1|a ", " b\0"),
    "single": ("show 'a ", " b'", "1|a ", " b\0"),
    "dollar single": (r"show $'a\n\' ", " b'", "1|a\n' ", " b\0"),
    "after an escaped quote": (r'show "a\"', '"', '1|a"', "\0"),
    "behind a comment": ("# it's \" not quoted\nshow ", "", "1|", "\0"),
    "behind a here-string": ("read x <<< 'y'\nshow ", "", "1|", "\0"),
    "substitution": ('show "$(printf %s_ ', ')"', "1|", "_\0"),
    "substitution in words": ('show "a $(printf %s_ "', '")"', "1|a ", "_\0"),
    "case in a substitution": ('show "$(case x in x) printf %s_ ', ';; esac)"', "1|", "_\0"),
    "substitution in a here-document": ("cat <<E\n$(printf %s_ ", ")\nE\n", "", "_\n"),
    "substitution in a substitution": ('show "a$(printf %s_ "$(printf %s_ ', ')")"', "1|a", "__\0"),
    "behind a substitution": ('show "$(echo ")")" "', '"', "2|)\0", "\0"),
    "shifted": ("a=1 b=2; (( a << b )); show ", "", "1|", "\0"),
    "brackets": ("( ( show ", " ) )", "1|", "\0"),
    "assignment": ("v=", '; show "$v"', "1|", "\0"),
    "array": ("v=( ", ' ); show "${v[@]}"', "1|", "\0"),
    "test": ("[[ x == ", " ]] || show ", "", ""),
    "case": ("case x in y) ;; *) show ", ";; esac", "1|", "\0"),
    "here-document": ("cat <<E\na ", " b\nE\n", "a ", " b\n"),
    "here-document of tabs": ("cat <<-E\n\ta ", " b\n\tE\n", "a ", " b\n"),
    "quotes in a here-document": ("cat <<E\nit's \"", '"\nE\n', "it's \"", '"\n'),
    "behind a here-document": ("cat <<'E' > /dev/null\nit's\nE\nshow ", "", "1|", "\0"),
    "parameter": ('show "${none:-', '}"', "1|", "\0"),
    "arithmetic apart": ("(( 1 << 2 )) && show ", "", "1|", "\0"),
}


@pytest.mark.parametrize("context", CONTEXTS)
@settings(max_examples=12, deadline=None)
@given(value=HOSTILE)
def test_a_value_arrives_whole_and_nothing_is_run(context: str, value: str) -> None:
    """In each kind of quotes a hostile value is one argument, byte for byte."""
    before, behind, shown_before, shown_behind = CONTEXTS[context]
    pieces: list[str | None] = [_SHOW + before, None, behind]
    if context == "test":
        pieces.append(None)
        shown_before, shown_behind = "1|", "\0"
        if value == "x":
            return
    made = compiled(pieces)
    environment = dict.fromkeys(made.variables, value) | {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", made.text], env=environment, capture_output=True, timeout=20, check=False
    )
    assert done.stdout.decode() == shown_before + value + shown_behind, (made.text, done.stderr)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (["echo $(( ", None, " + 1 ))"], "(( ))"),
        (["(( x = ", None, " )) && echo y"], "(( ))"),
        (["echo $[ ", None, " ]"], "(( ))"),
        (["[[ ", None, " -eq 1 ]] && echo y"], "[[ ]]"),
        (["echo ${a[", None, "]}"], "computes"),
        (["echo ${a:", None, "}"], "computes"),
        (["echo ${", None, "}"], "takes it for a name"),
        (["echo `echo ", None, "`"], "backquotes"),
        (["cat <<'E'\n", None, "\nE\n"], "here-document"),
        (["cat <<E\n", None], "the end of << is not found"),
        (['echo "', None], 'the end of " is not found'),
        (["echo $(", None], "the end of $( is not found"),
    ],
)
def test_no_value_stands_where_the_shell_would_compute_it(script: list[str | None], words: str) -> None:
    """Arithmetic runs what stands in an index: values are refused there, and where quotes can't be followed."""
    with pytest.raises(ValueError, match=re.escape(words)):
        compiled(script)


def test_a_command_in_a_parameter_is_text(shelf: Any) -> None:
    """`a; touch pwned` is printed and not run; also from the environment, and in the text of a condition."""
    result = shelf.stages(
        """
        - name: x
          bash: |
            echo ${{ params.word }}
            echo "$OTHER" >&2
            echo "done: '${{ params.word }}'"
          env: {OTHER: "${{ params.word }}", COUNT: 3}
        """,
        more="params: {word: str}",
    ).execute({"word": "a; touch pwned"})
    outputs = result.context["jobs"]["a"]["stages"]["x"]["outputs"]
    assert outputs == {
        "return_code": 0,
        "stdout": "a; touch pwned\ndone: 'a; touch pwned'",
        "stderr": "a; touch pwned",
    }
    assert not list(shelf.root.rglob("pwned"))
    levels = {
        line["message"]: (line["level"], line.get("line"))
        for line in shelf.lines
        if line.get("stage") == "a/x"
    }
    assert levels["a; touch pwned"][0] == "WARNING"
    assert all(line == 9 for text, (_, line) in levels.items() if text.startswith(("a;", "done")))


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("bash: exit 7", "7"),
        ("bash: 'false; echo never'", "1"),
        ("bash: 'kill -9 $$'", "9"),
        ('bash: "echo ${{ params.nul }}"', "NUL"),
        ('bash: "echo ${{ params.none }}"', "null"),
    ],
)
def test_a_script_that_fails_fails_its_stage(shelf: Any, stage: str, words: str) -> None:
    """Exit codes, signals, and values that no program can be given."""
    params = "params: {nul: {type: str, default: x}, none: {type: str, default: null}}"
    result = shelf.stages(f"- {{name: x, {stage}}}\n- name: y", more=params).execute({"nul": "a\0b"})
    stages = result.context["jobs"]["a"]["stages"]
    assert result.status == 1 and words in stages["x"]["errors"]["message"]
    assert stages["y"]["status"] == "SKIPPED" and "never" not in shelf.said("a/x")


def test_a_huge_output_is_kept_in_part(shelf: Any) -> None:
    """Of 3 MB of lines the outputs hold 1 MB; the stage does well."""
    pipe = shelf.stages("- {name: x, bash: 'yes $(seq -s_ 999) | head -c 3000000'}")
    outputs = pipe.execute().context["jobs"]["a"]["stages"]["x"]["outputs"]
    assert 1 << 19 < len(outputs["stdout"]) <= (1 << 20) + 4000


@pytest.mark.parametrize(
    "stage",
    [
        "bash: echo $$ > {file}; sleep 60; echo late",
        "vars: {file: '{file}'}\n  run: |\n    import os, time\n    open(file, 'w').write(str(os.getpid()))\n    time.sleep(60)",
        "uses: tasks/slow@lab\n  with: {file: '{file}'}",
    ],
    ids=["bash", "run", "uses"],
)
def test_a_timeout_ends_the_work(shelf: Any, stage: str) -> None:
    """A stage that sleeps for a minute fails when its time is over, and its process is gone."""
    shelf.write(
        "tasks.py",
        """
        import os, time
        from sinagot.pipeline.templates.hooks import tag

        @tag("lab")
        def slow(file: str) -> dict:
            with open(file, "w") as stream:
                stream.write(str(os.getpid()))
            time.sleep(60)
            return {}
        """,
    )
    file = shelf.root / "pid"
    text = stage.replace("{file}", str(file))
    for timeout in (1, 4, 16):  # a process on a busy machine may take longer than the first to begin
        result = shelf.stages(f"- name: x\n  timeout: {timeout}\n  {text}\n- name: after\n").execute()
        stages = result.context["jobs"]["a"]["stages"]
        assert result.status == 1 and "imeout" in stages["x"]["errors"]["name"], stages
        assert stages["after"]["status"] == "SKIPPED"
        if file.exists():
            break
    seconds = next(line["duration_s"] for line in shelf.lines if line.get("stage_status") == 40)
    assert seconds < 30
    pid = int(file.read_text())
    await_true(lambda: not alive(pid), "the child is gone")
