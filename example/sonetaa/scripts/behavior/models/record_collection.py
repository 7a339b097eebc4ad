"""The class of `ws.behavior`: a collection with a method of its own."""

from __future__ import annotations

from sinagot.models import RecordCollection as BaseRecordCollection


class RecordCollection(BaseRecordCollection):
    """The behavior of all records."""

    task = "HDC"

    def ranking(self) -> list[tuple[str, float]]:
        """Give (id, locking) of the records that have a result, the closest follower first."""
        couplings = [(record.id, record.coupling()) for record in self.all()]
        lockings = [(record_id, found["locking"]) for record_id, found in couplings if found is not None]
        return sorted(lockings, key=lambda entry: entry[1], reverse=True)
