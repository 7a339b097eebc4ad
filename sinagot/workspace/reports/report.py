"""What `ws.report()` gives: the facts of a study, as text for a paper and as a page.

Knows who makes text and page of a `Study`; must not look anything up itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinagot.workspace.contracts import House
from sinagot.workspace.reports.methods import MethodsReport
from sinagot.workspace.reports.page import page_of, save_page
from sinagot.workspace.reports.study import Study, study_of

if TYPE_CHECKING:
    from sinagot.workspace.reports.flows import FlowReport

__all__ = ["Report", "report_on"]


class Report:
    """Answer of `ws.report()`.

    Attributes
    ----------
    study : Study
        The facts, looked up once: what is written later is of the same moment.
    """

    def __init__(self, study: Study) -> None:
        self.study = study

    @property
    def flow(self) -> FlowReport | None:
        """Where the records stood; None for a report about one run."""
        return self.study.flow

    @property
    def methods(self) -> MethodsReport:
        """The text for a paper: `paragraph`, `markdown()`, `as_json()`."""
        return MethodsReport(self.study)

    def as_json(self) -> dict[str, Any]:
        """Give plain values, as ``sinagot report methods --json`` does."""
        return self.methods.as_json()

    def html(self) -> str:
        """Give the page as text."""
        return page_of(self.study)

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the page: one file, readable without sinagot, without scripts, without a network.

        Parameters
        ----------
        path : str or path-like
            The file; one that is there is replaced.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        StorageError
            It can't be written.
        """
        return save_page(self.study, path)

    def __repr__(self) -> str:
        run, way = self.study.run, self.study.way
        what = "all" if run is None else f"run {run.run_id}"
        return f"<Report instance | {what}: {way.done} of {way.found} {way.noun} done>"

    def _repr_markdown_(self) -> str:
        return self.methods.markdown()


def report_on(workspace: House, run: str) -> Report:
    """Gather what a paper, a colleague or an archive wants to know.

    Parameters
    ----------
    workspace : House
        What is reported.
    run : str
        ``"all"``: the records as they stand now, and all runs. Or one run: ``"last"``, an id, its beginning or end.

    Raises
    ------
    UnknownRunError
        There is no such run.

    Examples
    --------
    >>> import sinagot
    >>> report = sinagot.Workspace("example/harbor").report()
    >>> report
    <Report instance | all: 0 of 3 records done>
    >>> report.methods.paragraph.partition("Of ")[2]
    '3 records found, 3 have not been run yet and none is done.'
    """
    return Report(study_of(workspace, run))
