"""`GroupTemplate`: what scripts derive from that look at all records of a task and modality at once.

Knows what such a script sees; must not know which records are good: the engine says. A record's script derives from
`ScriptTemplate`, and both are loaded and run in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sinagot.scripts.template import PathDeclaration, ScriptTemplate

__all__ = ["GROUP_ID", "GroupTemplate"]

#: Stands where jobs, logs and tables name a record. It can be none: the id of a record is one name, without "/".
GROUP_ID = "all/records"


class GroupTemplate(ScriptTemplate):
    """Base of the class `Script` of a step that runs once for all records: declare the paths, write `run()`.

    To be listed in `group_scripts`. Parameters are those of `ScriptTemplate`.

    Attributes
    ----------
    PATH_IN : tuple of str, str, or dict of those
        What of each record is read, as in the script of a record: with ``{id}`` or the entities of ids.
    PATH_OUT : tuple of str, str, or dict of those
        One file, or some, for all records: with ``{task}`` and ``{modality}``, without ``{id}``.
    inputs : dict of str to Path
        Record id -> its input; a dict of paths for each record where `PATH_IN` is a dict. Only of records whose inputs
        are all there, and whose steps that made them did not fail and are not at work. What is excluded is not there.
    missing : list of str
        Ids of the other records.

    Examples
    --------
    >>> class Script(GroupTemplate):
    ...     PATH_IN = ("counts", "{id}.csv")
    ...     PATH_OUT = ("tables", "counts.csv")
    ...
    ...     def run(self):
    ...         lines = [f"{record},{path.read_text()}" for record, path in self.inputs.items()]
    ...         self.path.output.write_text("".join(lines))
    """

    PATH_IN: PathDeclaration = ("FOLDER_IN", "{id}-{task}.in")
    PATH_OUT: PathDeclaration = ("FOLDER_OUT", "{task}.out")
    PATH_CONTROL: PathDeclaration | None = None

    # Any: users index these without asking first which shape their own declaration gives.
    inputs: dict[str, Any]
    missing: list[str]
    #: Records that the outputs which are there were made without, where nothing else changed: only they are new.
    _again: Sequence[str] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        #: Records that this attempt could not use, and why: the next run tries them again.
        self._left_out: dict[str, str] = {}
