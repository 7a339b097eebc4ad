"""What a stored collection runs: the data of each workflow, read or computed, and written as one file.

Knows nodes and files of collections; must not know which workflows there are: the engine says.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sinagot.engine.memory import Memory
from sinagot.errors import StepFailedError, StoredDataError
from sinagot.scripts.group import GroupTemplate
from sinagot.scripts.program import ProgramScript
from sinagot.workflow.collection_files import CollectionFile
from sinagot.workflow.evaluation import Evaluation, no_way_to_return

if TYPE_CHECKING:
    from sinagot.workflow.parts import Parts

__all__ = ["LEFT_OUT", "CollectScript"]

#: What the log says of a workflow that failed: its id, and why.
LEFT_OUT = "%s is left out: %s"


class CollectScript(GroupTemplate, ProgramScript):
    """The script of a stored collection: computes or reads the data of each workflow, and writes them all."""

    RECIPE: ClassVar[Parts]
    COLLECTION: ClassVar[str]

    def run(self) -> None:
        """Collect and write."""
        with no_way_to_return():
            self._make()

    def _make(self) -> None:
        collected = self.RECIPE.collections[self.COLLECTION]
        file = CollectionFile(self.RECIPE, collected)
        part = self.RECIPE.parts[collected.takes]
        is_read = part.is_seed or part.is_kept
        found, failures = self._found_before(file), self._left_out
        for workflow_id, files in self.inputs.items():
            if workflow_id in found:
                continue
            memory = Memory()
            memory.aside = self.memory.aside
            try:
                data = Evaluation(self.RECIPE, workflow_id, files, memory).value(collected.takes)
                found[workflow_id] = data if is_read else file.check(data)
            except Exception as error:  # noqa: BLE001  (one bad workflow does not stop the others)
                failures[workflow_id] = f"{type(error).__name__}: {error}"
                self.logger.error(LEFT_OUT, workflow_id, failures[workflow_id])
        left_out = [*self.missing, *failures]
        if left_out and collected.strict:
            first = next(iter(failures.values()), "its data are not there")
            raise StepFailedError(
                f"{len(left_out)} workflow(s) have no {collected.takes}, and the collection is strict: "
                f"{', '.join(left_out[:10])} ({first})"
            )
        file.write(Path(self.path.output), {name: found[name] for name in self.inputs if name in found})

    def _found_before(self, file: CollectionFile) -> dict[str, Any]:
        """Give what is stored where only those that failed are tried again: all else would be the same."""
        if not self._again:
            return {}
        try:
            return file.read(Path(self.path.final))
        except StoredDataError:
            return {}  # then all are new
