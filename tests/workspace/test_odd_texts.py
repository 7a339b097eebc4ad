"""Texts that no text type of a table takes: tables are made all the same."""

from __future__ import annotations

from pathlib import Path

from sinagot.testing import make_workspace, script_text

#: Half of a surrogate pair, as in names of files that are no UTF-8.
ODD = "odd \udce9 text"
SAYING = script_text(
    f"""
    self.logger.info({ODD!r})
    self.path.output.touch()
    if self.id == "REC-2":
        raise ValueError({ODD!r})
    """
)


def test_tables_take_any_text(tmp_path: Path) -> None:
    """Logs, jobs, plans and status of records whose scripts say what is no text are tables, with or without pyarrow."""
    workspace = make_workspace(tmp_path, scripts={"a": SAYING})
    report = workspace.steps.run(printing=False)
    assert (report.counts["done"], report.counts["failed"]) == (2, 1)
    assert ODD in workspace["REC-1"].logs()["message"].tolist()
    assert len(workspace.records.logs()) > 6
    assert ODD in report.jobs["exc_message"].tolist()
    assert len(workspace.steps.status()) == len(workspace.steps.plan().jobs) == 3
