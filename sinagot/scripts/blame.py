"""Says where and why the user's code could not be loaded.

Knows exceptions and the files of a set; must not know how a script is executed.
"""

from __future__ import annotations

from pathlib import Path

from sinagot.errors import ScriptError
from sinagot.scripts.sources import SourceSet

__all__ = ["script_error"]


def script_error(error: BaseException, source: SourceSet, kind: str = "step") -> ScriptError:
    """Say where and why a script could not be loaded."""
    file, line = _place(error, source)
    if isinstance(error, SyntaxError):
        what = f"{type(error).__name__}: {error.msg}"
    elif isinstance(error, SystemExit):
        what = f"SystemExit: {error}: the script ends the program when it is imported"
    else:
        what = f"{type(error).__name__}: {error}"
    owner = "" if file == source.path else f" ({source.path})"
    place = f"{file}:{line}" if line else file
    text = f"{kind} {source.step!r}{owner}: {place}: {what}"
    return ScriptError(text, step=source.step if kind == "step" else None, file=Path(source.path), line=line)


def _place(error: BaseException, source: SourceSet) -> tuple[str, int | None]:
    """Find the innermost line of the user's own files."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno
    files = {source.path, *(module.path for module in source.modules)}
    place: tuple[str, int | None] = (source.path, None)
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in files:
            place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    return place
