"""Plots of a scope: status of records and steps, how long steps take, who worked when.

The only module that uses matplotlib, and only inside its functions. Colours, words and signs are those of
`sinagot.engine.words`; bars are hatched too, so that nothing is told by colour alone. Nothing global is changed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sinagot.engine.accounts.attempts import iter_attempts
from sinagot.engine.accounts.runs import find_run, run_ids
from sinagot.engine.html import visible
from sinagot.engine.planning.status import StepStatus
from sinagot.engine.words import OUTCOMES, STATUS, TONES, Word
from sinagot.errors import MissingExtraError
from sinagot.scripts.group import GROUP_ID
from sinagot.workspace.contracts import Selection

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Plots"]

#: Records up to which each of them has a row.
MOST_ROWS = 40
#: Attempts up to which each of them is a point beside the box.
_MOST_POINTS = 200
#: Attempts up to which each has an edge.
_MOST_EDGES = 400
#: Besides colours: what fills the bars of a tone.
_HATCHES = {"bad": "xxx", "cut": "///", "busy": "...", "old": "\\\\\\", "wait": "++", "out": "|||"}
#: Has every sign; stands behind the user's own font.
_FONT = "DejaVu Sans"
_EDGE = "#808080"
_LONGEST_LABEL = 40


class Plots:
    """Plots of a workspace or a scope: ``ws.plot.status()``, ``ws.RS.plot.durations()``, ``ws.plot.timeline("last")``.

    Parameters
    ----------
    scope : Scope
        What is shown.

    Notes
    -----
    They need the extra ``plot`` (matplotlib). Each draws on the axes that are given, else on new ones, and gives them.
    """

    def __init__(self, scope: Selection) -> None:
        self._scope = scope

    def status(self, *, ax: Axes | None = None, most: int = MOST_ROWS) -> Axes:
        """Draw the status of records and steps: a matrix of few records, a bar for each step of many.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where; new ones when not given.
        most : int
            Records up to which each has a row.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on.

        Raises
        ------
        MissingExtraError
            matplotlib is not installed.
        """
        names = {int(status): status.name for status in StepStatus}
        places: dict[str, None] = {}
        cells: dict[str, dict[str, str]] = {}
        for row in self._scope.steps.iter_status():
            place = _place(row)
            places[place] = None
            cells.setdefault(row["record_id"], {})[place] = names[row["step_status"]]
        if not cells:
            return _empty(_axes(ax, 6, 2), "no records")
        if len(cells) <= most:
            wide, high = 2.5 + 0.8 * len(places), 1.4 + 0.28 * len(cells)
            return _draw_matrix(_axes(ax, wide, high), list(places), cells)
        return _draw_bars(_axes(ax, 7, 1.6 + 0.4 * len(places)), list(places), cells.values())

    def durations(self, *, run: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw how long the attempts of each step took that went well: a box from quarter to quarter, and all others.

        Parameters
        ----------
        run : str, optional
            One run: its id, the beginning or the end of it, or ``"last"``; all runs when not given.
        ax : matplotlib.axes.Axes, optional
            Where; new ones when not given.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on; the middle line is the median, the whiskers go from 5 % to 95 %.

        Raises
        ------
        MissingExtraError
            matplotlib is not installed.
        UnknownRunError
            There is no such run.
        """
        state = self._state
        found: dict[str, list[float]] = {place: [] for place in self._places()}
        for run_id in reversed(run_ids(state)) if run is None else [find_run(state, run).run_id]:
            for attempt in self._attempts(run_id):
                if attempt["outcome"] == "done" and attempt["duration_s"] is not None:
                    found.setdefault(_place(attempt), []).append(attempt["duration_s"])
        found = {place: values for place, values in found.items() if values}
        axes = _axes(ax, 7, 1.4 + 0.5 * max(len(found), 1))
        return _draw_boxes(axes, found) if found else _empty(axes, "nothing has run yet")

    def timeline(self, run: str = "last", *, ax: Axes | None = None) -> Axes:
        """Draw which worker was at which job when, in one run.

        Parameters
        ----------
        run : str
            Its id, the beginning or the end of it, or ``"last"``; one that goes on is shown up to now.
        ax : matplotlib.axes.Axes, optional
            Where; new ones when not given.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on: a row for each worker, seconds (or minutes, hours) since the first attempt began.

        Raises
        ------
        MissingExtraError
            matplotlib is not installed.
        UnknownRunError
            There is no such run, or none at all.
        """
        facts = find_run(self._state, run)
        attempts = [one for one in self._attempts(facts.run_id) if one["start_s"] is not None]
        workers = list(
            dict.fromkeys(one["worker"] for one in sorted(attempts, key=lambda one: one["start_s"]))
        )
        axes = _axes(ax, 8, 1.5 + 0.35 * max(len(workers), 1))
        if not attempts:
            return _empty(axes, f"run {facts.run_id}: nothing ran")
        return _draw_timeline(axes, facts.run_id, workers, attempts)

    # -- what is drawn

    @property
    def _state(self) -> str:
        return str(self._scope.workspace.configuration.state_path)

    def _places(self) -> list[str]:
        """List the steps of the scope, in the order of the configuration."""
        workspace = self._scope.workspace
        nodes = [*workspace.nodes_of(self._scope, None), *workspace.groups_of(self._scope, None)]
        return [node.place for node in nodes]

    def _attempts(self, run_id: str) -> Iterator[dict[str, Any]]:
        """Give the attempts of a run that are about the scope."""
        scope = self._scope
        ids = None if scope.is_whole else {*scope.record_ids()}
        for attempt in iter_attempts(self._state, run_id):
            if (
                scope.task in (None, attempt["task"])
                and scope.modality in (None, attempt["modality"])
                and (ids is None or attempt["record_id"] in ids)
            ):
                yield attempt


def _place(row: Mapping[str, Any]) -> str:
    """Name a step with its task and modality."""
    return "-".join(str(row[key]) for key in ("task", "modality", "step_label") if row[key])


def _axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Give the axes to draw on; new ones are of a figure that notebooks show by themselves."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingExtraError(
            "plots need matplotlib, which is not installed here; install it with: pip install matplotlib (the extra "
            "'plot' of sinagot)",
            package="matplotlib",
            extra="plot",
        ) from error
    _, made = plt.subplots(figsize=(min(width, 14), min(height, 14)), layout="constrained")
    return made


def _empty(ax: Axes, text: str) -> Axes:
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes, parse_math=False)
    ax.set_axis_off()
    return ax


def _label(text: str) -> str:
    """Write a text of data so that it can be drawn."""
    shown = visible(text)
    return shown if len(shown) <= _LONGEST_LABEL else f"{shown[: _LONGEST_LABEL - 3]}..."


def _fonts() -> list[str]:
    """Give the user's fonts, and one that has all signs."""
    from matplotlib import rcParams

    return [*rcParams["font.family"], _FONT]


def _patch(word: Word, *, hatched: bool = True) -> dict[str, Any]:
    """Say how an area of a word is drawn."""
    tone = TONES[word.tone]
    hatch = _HATCHES.get(word.tone, "") if hatched else ""
    # Hatches take the colour of the edge.
    edge = tone.light_ink if hatch else _EDGE
    return {"facecolor": tone.light, "hatch": hatch, "edgecolor": edge, "linewidth": 0.5}


def _add_legend(ax: Axes, words: Iterable[Word], *, hatched: bool = True) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(label=f"{word.sign} {word.text}", **_patch(word, hatched=hatched)) for word in words]
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        frameon=False,
        prop={"family": _fonts(), "size": "small"},
    )


def _set_rows(ax: Axes, names: Sequence[str]) -> None:
    ax.set_yticks(range(len(names)), labels=[_label(name) for name in names], parse_math=False)
    ax.set_ylim(len(names) - 0.4, -0.6)


def _draw_matrix(ax: Axes, places: Sequence[str], cells: Mapping[str, Mapping[str, str]]) -> Axes:
    """Draw one square for each record and step: colour, and the sign in it."""
    from matplotlib.patches import Rectangle

    fonts = _fonts()
    for row, found in enumerate(cells.values()):
        for column, place in enumerate(places):
            if place not in found:
                continue  # a step for all records, or one of another unit
            word = STATUS[found[place]]
            tone = TONES[word.tone]
            ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=tone.light, edgecolor="white"))
            ax.text(column, row, word.sign, color=tone.light_ink, ha="center", va="center", family=fonts)
    ids = ["all records" if record_id == GROUP_ID else record_id for record_id in cells]
    _set_rows(ax, ids)
    names = [textwrap.fill(_label(place), 14) for place in places]
    ax.set_xticks(range(len(places)), labels=names, parse_math=False)
    ax.set_xlim(-0.5, len(places) - 0.5)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    used = {name for found in cells.values() for name in found.values()}
    # Squares have no hatches: the sign in them tells.
    _add_legend(ax, [word for name, word in STATUS.items() if name in used], hatched=False)
    return ax


def _draw_bars(ax: Axes, places: Sequence[str], records: Iterable[Mapping[str, str]]) -> Axes:
    """Draw one bar for each step: how many records have which status."""
    counts = {place: dict.fromkeys(STATUS, 0) for place in places}
    for found in records:
        for place, name in found.items():
            counts[place][name] += 1
    used = [name for name in STATUS if any(one[name] for one in counts.values())]
    most = max(sum(one.values()) for one in counts.values())
    left = [0] * len(places)
    for name in used:
        word = STATUS[name]
        widths = [counts[place][name] for place in places]
        ax.barh(range(len(places)), widths, left=left, height=0.7, **_patch(word))
        for row, (start, width) in enumerate(zip(left, widths, strict=True)):
            if width >= most * 0.08:
                # Written on a plain ground: hatches would cross it.
                tone = TONES[word.tone]
                ax.text(
                    start + width / 2,
                    row,
                    f"{word.sign} {width:,}",
                    color=tone.light_ink,
                    ha="center",
                    va="center",
                    family=_fonts(),
                    size="small",
                    bbox={"facecolor": tone.light, "edgecolor": "none", "pad": 1.5},
                )
        left = [start + width for start, width in zip(left, widths, strict=True)]
    _set_rows(ax, places)
    ax.set_xlim(0, most)
    ax.set_xlabel("records")
    _spare(ax)
    _add_legend(ax, [STATUS[name] for name in used])
    return ax


def _spare(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)


def _draw_boxes(ax: Axes, found: Mapping[str, Sequence[float]]) -> Axes:
    """Draw one box for each step, from the first to the third quarter; few attempts are points as well."""
    busy = TONES["busy"].light
    rows = range(len(found))
    is_few = all(len(values) <= _MOST_POINTS for values in found.values())
    ax.boxplot(
        list(found.values()),
        positions=list(rows),
        orientation="horizontal",
        widths=0.55,
        whis=(5, 95),
        showfliers=not is_few,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": TONES["ready"].light, "edgecolor": busy},
        medianprops={"color": TONES["bad"].light, "linewidth": 2},
        whiskerprops={"color": busy},
        capprops={"color": busy},
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": busy},
    )
    if is_few:
        for row, values in zip(rows, found.values(), strict=True):
            # Spread by their place in the list: the same picture each time.
            heights = [row + 0.36 * ((place * 0.618) % 1 - 0.5) for place in range(len(values))]
            ax.plot(values, heights, linestyle="", marker=".", markersize=4, color=busy, alpha=0.6)
    _set_rows(ax, [f"{_label(place)} ({len(values):,})" for place, values in found.items()])
    known = [value for values in found.values() for value in values if value > 0]
    if known and max(known) > 50 * min(known):
        ax.set_xscale("log")
    elif known:
        ax.set_xlim(left=0)
    ax.set_xlabel("seconds")
    ax.grid(axis="x", alpha=0.3)
    _spare(ax)
    return ax


def _draw_timeline(
    ax: Axes, run_id: str, workers: Sequence[str], attempts: Sequence[Mapping[str, Any]]
) -> Axes:
    """Draw one row for each worker, one bar for each attempt."""
    begin = min(one["start_s"] for one in attempts)
    length = max(one["end_s"] for one in attempts) - begin
    factor, unit = (1, "seconds") if length < 600 else (60, "minutes") if length < 36_000 else (3600, "hours")
    rows = {worker: row for row, worker in enumerate(workers)}
    spans: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for one in attempts:
        span = (one["start_s"] - begin) / factor, max(one["duration_s"], length / 2000) / factor
        spans.setdefault((one["outcome"], one["worker"]), []).append(span)
    is_few = len(attempts) <= _MOST_EDGES
    for (outcome, worker), found in spans.items():
        look = _patch(OUTCOMES[outcome]) | ({} if is_few else {"linewidth": 0})
        ax.broken_barh(found, (rows[worker] - 0.38, 0.76), **look)
    used = [name for name in OUTCOMES if any(outcome == name for outcome, _ in spans)]
    _set_rows(ax, workers)
    start = datetime.fromtimestamp(begin, UTC).strftime("%Y-%m-%d %H:%M:%S")
    ax.set_xlabel(f"{unit} since {start} UTC")
    ax.set_title(f"run {run_id}: {len(attempts):,} attempts", loc="left", size="medium", parse_math=False)
    ax.set_xlim(0, max(length / factor * 1.01, 1e-3))
    _spare(ax)
    _add_legend(ax, [OUTCOMES[name] for name in used])
    return ax
