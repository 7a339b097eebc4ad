"""Steps that are commands: the same declared paths, outputs and logs as a script."""

from __future__ import annotations

import sys


def test_command_step_runs_between_scripts(lab) -> None:
    """A command step reads and writes its declared paths, atomically, at its place in the list."""
    lab.unit("a", "c", ids=["REC-1", "REC-2"])
    lab.script("c", ("b", "{id}.txt"))
    lab.config(
        """
        [steps]
        scripts = ["a", "b", "c"]
        [steps.b]
        command = ["cp", "{input}", "{output}"]
        input = ["a", "{id}.csv"]
        output = "b/{id}.txt"
        """
    )
    ws = lab.open()
    assert ws.steps.scripts_names() == ["a", "b", "c"]
    assert ws.steps.run().counts["done"] == 6
    assert lab.text("b/REC-2.txt") == "REC-2\na\n" and lab.text("c/REC-2.csv") == "REC-2\na\nc\n"
    assert ws["REC-1"].steps.get("b").status() == 30
    assert ws["REC-1"].steps.get("b").script.path.output == lab.data / "b/REC-1.txt"
    assert ws.steps.run().counts["up_to_date"] == 6


def test_command_gets_its_record_in_the_environment_and_its_output_is_logged(lab) -> None:
    """Id, paths and keys are environment variables; lines of stdout and stderr are in the record's log."""
    code = (
        "import os, pathlib, sys; print('id', os.environ['SINAGOT_ID']); print('oops', file=sys.stderr); "
        "pathlib.Path(os.environ['SINAGOT_OUTPUT_X']).write_text(open(os.environ['SINAGOT_INPUT']).read()); "
        "pathlib.Path(sys.argv[1]).write_text('y')"
    )
    lab.config(
        f"""
        [steps]
        scripts = ["a"]
        [steps.a]
        command = ['{sys.executable}', '-c', "{code}", "{{output.y}}"]
        input = "raw/{{id}}.csv"
        output = {{x = "x/{{id}}.csv", y = "y/{{id}}.csv"}}
        """
    )
    lab.raw("REC-1")
    lab.open().steps.run().raise_for_failures()
    assert lab.text("x/REC-1.csv") == "REC-1\n" and lab.text("y/REC-1.csv") == "y"
    said = {line["message"]: line["level"] for line in lab.lines(step_status=20)}
    assert said["id REC-1"] == "INFO" and said["oops"] == "WARNING"


def test_command_that_fails_is_a_failed_step(lab) -> None:
    """A command that ends with another code than 0 fails, publishes nothing, and is tried again."""
    lab.config(
        """
        [steps]
        scripts = ["a"]
        [steps.a]
        command = ["touch {output}; test -e go"]
        shell = true
        input = "raw/{id}.csv"
        output = "a/{id}.csv"
        """
    )
    lab.raw("REC-1")
    report = lab.open().steps.run()
    (group,) = report.failures
    assert group.exc_type.endswith("CommandFailedError") and "1" in group.message
    assert not (lab.data / "a/REC-1.csv").exists()
    assert lab.open()["REC-1"].steps.first().status() == 40
    lab.write("scripts/go")
    assert lab.open().steps.run().counts["done"] == 1


def test_values_are_never_read_by_a_shell(lab) -> None:
    """An id with the signs of a shell stays one word, with and without a shell."""
    odd = "REC $(touch hacked); `touch hacked` 'x' \"y\""
    for shell, command in (("false", '["cp", "{input}", "{output}"]'), ("true", '["cp {input} {output}"]')):
        lab.config(
            f"""
            [steps]
            scripts = ["a"]
            [steps.a]
            command = {command}
            shell = {shell}
            input = "raw/{{id}}.csv"
            output = "a/{{id}}.csv"
            """,
            records="id_pattern = 'REC.*'",
        )
        lab.raw(odd)
        lab.open().steps.run(force=True).raise_for_failures()
        assert lab.text(f"a/{odd}.csv") == f"{odd}\n"
    assert not list(lab.root.rglob("hacked"))
