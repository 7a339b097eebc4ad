"""What workspaces and scopes show of themselves: tables, plots, a picture for notebooks.

Knows what each is called and takes; how it is made stands in `tables`, `plots` and `cards`, loaded when asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sinagot.workspace.tables import job_status_frame, records_frame

if TYPE_CHECKING:
    from pandas import DataFrame

    from sinagot.workspace.display.plots import Plots

__all__ = ["Views"]


class Views:
    """Tables and plots of the records of a workspace or a scope."""

    def _viewed(self) -> Any:
        """Give the scope that is shown."""
        return self

    def status(self, step_label: str | None = None) -> DataFrame:
        """Give the status of every job as a tidy table.

        Parameters
        ----------
        step_label : str, optional
            This step only.

        Returns
        -------
        DataFrame
            One row a job; columns `record_id` (str), `task`, `modality`, `step_label` (categories in the order of the
            configuration; empty without tasks), `step_index` (int64, from 1), `step_status` (int64, a value of
            `StepStatus`), `status_name` (its name, an ordered category).

        Raises
        ------
        NotFoundError
            There is no such step.

        Notes
        -----
        Group steps have one row each, at the end, with ``"all/records"`` as `record_id`.

        Examples
        --------
        >>> import sinagot
        >>> table = sinagot.Workspace("example/harbor").status("count")
        >>> table["status_name"].value_counts()["DATA_READY"]
        np.int64(3)
        """
        return job_status_frame(self._viewed(), step_label)

    def to_dataframe(self, *, paths: bool = False) -> DataFrame:
        """Give everything that is known of the jobs as a tidy table: `status`, and what the ids are composed of.

        Parameters
        ----------
        paths : bool
            Also the files of each job.

        Returns
        -------
        DataFrame
            One row a job; the columns of `status`, with one for each entity of the ids (str; named ``entity_<name>``
            where that is the name of another column) behind `record_id`. With `paths` also `input` and `output`: a
            text, or a dict or a list of texts, in the shape that the script has them.

        Examples
        --------
        >>> import sinagot
        >>> sinagot.Workspace("example/harbor").to_dataframe().groupby("step_label").size().to_dict()
        {'count': 3, 'mean': 3}
        """
        return records_frame(self._viewed(), with_paths=paths)

    @property
    def plot(self) -> Plots:
        """Plots: ``plot.status()``, ``plot.durations()``, ``plot.timeline()``; see `Plots`."""
        from sinagot.workspace.display.plots import Plots

        return Plots(self._viewed())

    def _repr_html_(self) -> str:
        from sinagot.workspace.display.cards import scope_card  # in notebooks only

        return scope_card(self._viewed())
