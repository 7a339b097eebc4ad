"""Scripts whose inside is visible: what makes one of something that is no class `Script`, and what the engine gives it.

Knows attributes of modules; must not know pipelines: whatever has `script_class(step)` serves.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, ClassVar

from sinagot.scripts.template import ScriptTemplate

__all__ = ["NAMES", "InsideScript", "maker_in"]

#: What a script file may define in place of a class `Script`.
NAMES = ("pipeline", "flow")


class InsideScript(ScriptTemplate):
    """A script made of parts, each of which the engine tells of.

    Attributes
    ----------
    inside : Inside or None
        The attempt that it belongs to, see `sinagot.engine.acts.inside`; None outside a run.
    """

    inside: Any = None
    #: What it is made of: ``pipeline`` or ``flow``.
    KIND: ClassVar[str] = "pipeline"


def maker_in(module: ModuleType) -> Any:
    """Give the pipeline of a module that has no class `Script`; None without one."""
    for name in NAMES:
        found = getattr(module, name, None)
        if callable(getattr(found, "script_class", None)):
            return found
    return None
