"""A pipeline as text of several kinds: for people, for Mermaid, for Graphviz, for programs.

Knows descriptions and words; must not know pipelines. One function for all of them: `describe`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sinagot.config.hints import did_you_mean
from sinagot.engine.charts.texts import dot, mermaid
from sinagot.errors import ConfigurationError
from sinagot.pipeline.description import Description
from sinagot.pipeline.views.graph import chart_of
from sinagot.pipeline.views.listing import listing

__all__ = ["FORMS", "describe"]

#: What `describe` can give.
FORMS = ("text", "mermaid", "dot", "json")


def describe(description: Description, form: str = "text", states: Mapping[str, str] | None = None) -> str:
    """Write down a pipeline.

    Parameters
    ----------
    description : Description
        The pipeline.
    form : {"text", "mermaid", "dot", "json"}
        For people, for Mermaid, for Graphviz, or for programs.
    states : mapping of str to str, optional
        Name of a stage -> its state, a key of `sinagot.engine.words.ACTS`; JSON has none.

    Returns
    -------
    str
        Lines of text; the last one has no end of line.

    Raises
    ------
    ConfigurationError
        When there is no such form, or the stages have no order.

    Examples
    --------
    >>> from sinagot.pipeline.description import NodeView
    >>> print(describe(Description("p", nodes=(NodeView("read"),)), "mermaid"))
    flowchart TD
        n0["read"]
    """
    if form not in FORMS:
        known = f"there are {', '.join(FORMS)}"
        hint = did_you_mean(str(form), FORMS)
        raise ConfigurationError(
            f"{form!r} is no form of a description; {known}{'; ' + hint if hint else ''}"
        )
    if form == "json":
        return description.to_json(indent=2)
    if form == "text":
        return listing(description, states)
    chart = chart_of(description, states)
    return mermaid(chart) if form == "mermaid" else dot(chart)
