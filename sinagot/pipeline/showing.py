"""How a pipeline is shown: as text, as a graph, in a notebook, as a DAG file.

Knows descriptions and views; must not know how stages run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sinagot.pipeline.description import Description

__all__ = ["Showing"]


class Showing:
    """What is the same for all pipelines that can describe themselves."""

    def description(self) -> Description:
        """Give parameters, stages and edges as plain data; to be overridden."""
        raise NotImplementedError

    def describe(self, form: str = "text") -> str:
        """Describe the pipeline.

        Parameters
        ----------
        form : {"text", "mermaid", "dot", "json"}, default "text"
            Each stage and each edge stands in it once.

        Returns
        -------
        str
            A listing, a Mermaid flowchart, a Graphviz graph, or JSON.

        Raises
        ------
        ValueError
            There is no such form; the message names those that there are.

        Examples
        --------
        >>> from sinagot.pipeline import Pipeline, Stage
        >>> print(Pipeline("one", stages={"read": Stage(list)}).describe("mermaid").splitlines()[0])
        flowchart TD
        """
        from sinagot.pipeline.views.kinds import describe

        return describe(self.description(), form)

    def _repr_html_(self) -> str:
        from sinagot.pipeline.views.page import page

        return str(page(self.description()))

    def form(self) -> Any:
        """Give a form for the parameters, with a button that runs the pipeline, for notebooks.

        Returns
        -------
        ipywidgets.VBox or None
            None where ipywidgets is not installed.
        """
        from sinagot.pipeline.views.form import parameter_form

        return parameter_form(self.description(), lambda params: self.run(**params))  # type: ignore[attr-defined]

    def _ipython_display_(self) -> None:
        from sinagot.pipeline.views.form import display

        display(self._repr_html_(), self.form())

    def to_airflow(
        self,
        path: str | os.PathLike[str],
        *,
        source: tuple[str, ...] | None = None,
        dag_id: str | None = None,
        schedule: str | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Write a DAG file for Apache Airflow, with a task per stage and the same edges.

        Parameters
        ----------
        path : str or Path
            The file, or a folder.
        source : tuple of str, optional
            How tasks find the pipeline: ``("module", "package.module:name")``, ``("file", "/path/file.py:name")`` or
            ``("template", name, root)``. Found out when not given.
        dag_id : str, optional
            Name of the DAG; made of the pipeline's when not given.
        schedule : str, optional
            A cron line or a word that Airflow knows; without it the DAG runs when it is asked to.
        overwrite : bool
            Replace a file that was not made here.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ConfigurationError
            Other programs could not find the pipeline, or the file belongs to somebody else.
        """
        from sinagot.pipeline.sources import source_of
        from sinagot.pipeline.views.airflow import to_airflow

        return to_airflow(
            self.description(),
            path,
            source=source_of(self) if source is None else source,
            dag_id=dag_id,
            schedule=schedule,
            overwrite=overwrite,
        )
