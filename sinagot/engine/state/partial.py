"""What the result of a job for all records was made without: ``<state>/partial/<key>``, one small file a job.

Knows marks and ids of records; must not know why a record failed, or decide that it is tried again. Set before the
result is in place, gone when one is that lacks nobody: a mark that a crash has left costs another try, and no data.
"""

from __future__ import annotations

from collections.abc import Mapping

from sinagot.engine.state.history import Marks
from sinagot.scripts.group import GROUP_ID

__all__ = ["Lacking", "PartialMarks", "lacking_text", "lacking_warning"]

#: Record id -> why it failed.
Lacking = dict[str, str]

#: How many records are named.
_MOST_NAMED = 5


class PartialMarks:
    """The records that results for all records were made without, although their inputs were there.

    Parameters
    ----------
    state : str
        The state folder.

    Examples
    --------
    >>> import tempfile
    >>> marks = PartialMarks(tempfile.mkdtemp())
    >>> marks.note("all/records/table", {"REC-1": "ValueError: no"})
    >>> marks.lacking("all/records/table")
    {'REC-1': 'ValueError: no'}
    >>> marks.settle("all/records/table", {})
    >>> marks.lacking("all/records/table")
    {}
    """

    def __init__(self, state: str) -> None:
        self._marks = Marks(state, "partial")

    def lacking(self, key: str) -> Lacking:
        """Give the records that the result of a job lacks, and why; a mark that cannot be read names nobody."""
        found = (self._marks.get(key) or {}).get("lacking")
        return {str(one): str(why) for one, why in found.items()} if isinstance(found, dict) else {}

    def note(self, key: str, lacking: Mapping[str, str]) -> None:
        """Remember whom the result lacks that a job is going to publish; where it lacks nobody, that waits."""
        if lacking:
            self._marks.set(key, {"lacking": dict(lacking)})

    def settle(self, key: str, lacking: Mapping[str, str]) -> None:
        """Forget whom the former result of a job lacked, now that one is in place that lacks nobody."""
        if not lacking and key.startswith(f"{GROUP_ID}/") and self._marks.has(key):
            self._marks.clear(key)


def lacking_text(lacking: Mapping[str, str]) -> str:
    """Say whom a result lacks.

    Examples
    --------
    >>> lacking_text({"REC-1": "ValueError: no", "REC-2": "ValueError: never"})
    'made without 2 records that failed: REC-1, REC-2 (ValueError: no)'
    """
    names = ", ".join(list(lacking)[:_MOST_NAMED]) + (", ..." if len(lacking) > _MOST_NAMED else "")
    records = "1 record" if len(lacking) == 1 else f"{len(lacking):,} records"
    why = next(iter(lacking.values()), "").partition("\n")[0]
    return f"made without {records} that failed: {names}{f' ({why})' if why else ''}"


def lacking_warning(step: str, lacking: Mapping[str, str]) -> tuple[str, ...]:
    """Give what a run tells of a result that lacks records; nothing of one that lacks nobody."""
    return (f"{step}: {lacking_text(lacking)}; the next run tries again",) if lacking else ()
