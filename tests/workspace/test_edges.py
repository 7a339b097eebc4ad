"""Who waits for whom: every step runs, in the configured order, whichever inputs it reads."""

from __future__ import annotations


def outcomes(report) -> dict[str, str]:
    """Give the outcome of each job of a report."""
    return {
        "-".join(
            part for part in (row["task"], row["modality"], row["step_label"], row["record_id"]) if part
        ): row["outcome"]
        for row in report.iter_jobs()
    }


def test_two_steps_on_the_raw_file(lab) -> None:
    """Steps that do not feed each other all run in order; a failure of one does not touch the other."""
    lab.unit("a", "b", ids=["REC-1"])
    lab.script("b", ("raw", "{id}.csv"))
    lab.fail("a-REC-1")
    assert outcomes(lab.open().steps.run()) == {"a-REC-1": "failed", "b-REC-1": "done"}
    assert lab.ran() == ["a-REC-1", "b-REC-1"]


def test_step_reads_an_output_from_further_back(lab) -> None:
    """c reads a's output while b stands between: b's failure does not stop c, a's failure stops both."""
    lab.unit("a", "b", "c", ids=["REC-1"])
    lab.script("c", ("a", "{id}.csv"))
    lab.fail("b-REC-1")
    assert outcomes(lab.open().steps.run()) == {"a-REC-1": "done", "b-REC-1": "failed", "c-REC-1": "done"}
    lab.heal("b-REC-1")
    lab.fail("a-REC-1")
    assert outcomes(lab.open().steps.run(force=True)) == {
        "a-REC-1": "failed",
        "b-REC-1": "blocked",
        "c-REC-1": "blocked",
    }
    assert lab.text("c/REC-1.csv") == "REC-1\na\nc\n"


def test_block_goes_down_the_whole_chain(lab) -> None:
    """All that depends on a failed step, near or far, is blocked, and says by whom."""
    lab.unit("a", "b", "c", "d", ids=["REC-1"])
    lab.fail("b-REC-1")
    report = lab.open().steps.run()
    assert outcomes(report) == {
        "a-REC-1": "done",
        "b-REC-1": "failed",
        "c-REC-1": "blocked",
        "d-REC-1": "blocked",
    }
    blocked = {group.step: group.message for group in report.failures if group.exc_type == "Blocked"}
    assert "REC-1/b" in blocked["c"] and "REC-1/c" in blocked["d"]
    # A status is never BLOCKED: it goes by inputs.
    assert lab.open()["REC-1"].steps.status()["step_status"].tolist() == [30, 40, 0, 0]


def test_blocked_steps_have_no_log_line(lab) -> None:
    """A blocked step was not tried: its log says nothing."""
    lab.unit("a", "b", ids=["REC-1"])
    lab.fail("a-REC-1")
    lab.open().steps.run()
    assert lab.messages(step_label="b") == []


def test_step_without_inputs_of_its_own_runs_in_order(lab) -> None:
    """A later step in the list that feeds an earlier one does so in the next run: the configured order rules."""
    lab.unit("b", "a", ids=["REC-1"])
    lab.script("a")
    lab.script("b", {"raw": ("raw", "{id}.csv"), "a": ("a", "{id}.csv")})
    lab.config('[steps]\nscripts = ["b", "a"]\n', records='path = "raw/{id}.csv"\nid_pattern = "REC-[0-9]+"')
    assert outcomes(lab.open().steps.run()) == {"b-REC-1": "missing_input", "a-REC-1": "done"}
    assert outcomes(lab.open().steps.run()) == {"b-REC-1": "done", "a-REC-1": "up_to_date"}


def test_edges_between_units_of_a_record(lab) -> None:
    """A step whose inputs come from other modalities waits for them, wherever they stand in the configuration."""
    lab.config(
        """
        [tasks.T]
        modalities = ["x", "y", "z"]
        [modalities.x]
        scripts = ["sum", "one"]
        [modalities.y]
        scripts = ["one"]
        [modalities.z]
        scripts = ["one"]
        """
    )
    paths = {name: (f"{name}-one", "{id}-{task}.csv") for name in "yz"}
    lab.script("x/sum", {"raw": ("raw", "{id}-{task}.csv"), **paths}, ("x-sum", "{id}-{task}.csv"))
    lab.script("x/one", ("raw", "{id}-{task}.csv"), ("x-one", "{id}-{task}.csv"))
    for name in "yz":
        lab.script(f"{name}/one", ("raw", "{id}-{task}.csv"), paths[name])
    lab.raw("REC-1-T", "REC-2-T")
    assert lab.open().records.ids() == ["REC-1", "REC-2"]
    lab.fail("T-z-one-REC-2")
    found = outcomes(lab.open().steps.run())
    assert found["T-x-sum-REC-1"] == "done"
    assert found["T-x-sum-REC-2"] == "blocked"
    assert found["T-x-one-REC-2"] == "done"
    ran = lab.ran()
    assert ran.index("T-x-sum-REC-1") > ran.index("T-z-one-REC-1")
    assert ran.index("T-x-one-REC-1") > ran.index("T-x-sum-REC-1")
    # Asked for alone, a step does not drag along what it waits for.
    lab.heal("T-z-one-REC-2")
    assert outcomes(lab.open()["REC-2"].x.steps.run("sum")) == {"T-x-sum-REC-2": "blocked"}
    assert lab.ran() == []
    assert lab.open().steps.run().ok
    assert lab.ran() == ["T-z-one-REC-2", "T-x-sum-REC-2"]


def test_status_and_tables_keep_the_configured_order(lab) -> None:
    """Tables list steps in the order of the configuration, also where another unit runs first."""
    lab.config(
        '[tasks.T]\nmodalities = ["x", "y"]\n[modalities.x]\nscripts = ["a"]\n[modalities.y]\nscripts = ["a"]\n'
    )
    lab.script("x/a", ("y-a", "{id}-{task}.csv"), ("x-a", "{id}-{task}.csv"))
    lab.script("y/a", path_out=("y-a", "{id}-{task}.csv"))
    lab.raw("REC-1-T")
    ws = lab.open()
    assert ws.steps.status()["modality"].tolist() == ["x", "y"]
    assert list(ws["REC-1"].status_dict()["T"]) == ["x", "y"]
    report = ws.steps.run()
    assert lab.ran() == ["T-y-a-REC-1", "T-x-a-REC-1"]
    assert report.counts["done"] == 2


def test_step_that_reads_the_output_of_a_step_of_another_task(lab) -> None:
    """A task's step may read what a step of another task of the record has written."""
    lab.config(
        '[tasks.A]\nmodalities = ["m"]\n[tasks.B]\nmodalities = ["m"]\n[modalities.m.task_scripts]\nA = ["a"]\nB = ["b"]\n'
    )
    lab.script("m/a", ("made-b", "{id}.csv"), ("made-a", "{id}.csv"))
    lab.script("m/b", ("raw", "{id}.csv"), ("made-b", "{id}.csv"))
    lab.raw("REC-1")
    lab.open().steps.run().raise_for_failures()
    assert lab.ran() == ["B-m-b-REC-1", "A-m-a-REC-1"]


def test_restored_input_lets_the_blocked_step_run(lab) -> None:
    """A step that failed blocks until it has run well; then the next run does all that waited."""
    lab.unit("a", "b", "c", ids=["REC-1"])
    lab.fail("a-REC-1")
    lab.open().steps.run()
    assert outcomes(lab.open().steps.run("b")) == {"b-REC-1": "blocked"}
    assert outcomes(lab.open().steps.run("b", ignore_missing=True)) == {"b-REC-1": "blocked"}
    lab.heal("a-REC-1")
    assert outcomes(lab.open().steps.run()) == {"a-REC-1": "done", "b-REC-1": "done", "c-REC-1": "done"}


def test_result_that_tasks_share_is_made_once(tmp_path) -> None:
    """A script of a modality whose output names no task runs for the first task; for the others its result is there."""
    from sinagot.testing import make_workspace, script_text

    body = "with open(self.data_path / 'ran', 'a') as ran: ran.write(self.task)\nself.path.output.write_text('form')"
    ws = make_workspace(
        tmp_path,
        records=2,
        tasks={"RS": ["clinical"], "MMN": ["clinical"]},
        modalities={"clinical": {"form": script_text(body)}},
    )
    report = ws.steps.run(printing=False)
    assert {name: count for name, count in report.counts.items() if count} == {"done": 2, "up_to_date": 2}
    assert (ws.data_path / "ran").read_text() == "RSRS"
    assert set(ws.steps.status()["step_status"]) == {30}
    assert ws.steps.run(printing=False).counts["up_to_date"] == 4
