"""Opens the history of a workspace: files, or a database where an address is given.

Knows which packages a database needs; loads none of them for files.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

from sinagot.config.schedules import history_of, variables_said
from sinagot.config.settings import Configuration
from sinagot.errors import ConfigurationError, MissingExtraError
from sinagot.schedule.history.contract import History
from sinagot.schedule.history.files import FileHistory

__all__ = ["open_history", "open_history_of"]

#: What a history in a database needs: modules.
_NEEDED = ("sqlalchemy", "alembic")
_DRIVER = "psycopg"
_KEY = "history.url"


def open_history(state_path: str | os.PathLike[str], url: str | None = None) -> History:
    """Open the history of schedules.

    Parameters
    ----------
    state_path : str or path-like
        The state folder of the workspace.
    url : str, optional
        Address of a database (``[history] url``); by default the history is in files below the state folder.

    Returns
    -------
    History
        To be closed by the caller.

    Raises
    ------
    MissingExtraError
        When a package that the database needs is not installed.
    ConfigurationError
        When the address can't be used, or the tables were made by a newer program.
    HistoryUnavailableError
        When the database can't be reached.

    Examples
    --------
    >>> import tempfile
    >>> history = open_history(tempfile.mkdtemp())
    >>> history.open_launches()
    []
    """
    if not url:
        return FileHistory(state_path)
    needed = (*_NEEDED, *((_DRIVER,) if url.startswith("postgres") else ()))
    for package in needed:
        if find_spec(package) is None:
            raise MissingExtraError(
                f"a history in a database needs the package {package}, which is not installed here; install "
                f"{' '.join(needed)} with pip (the extra 'history' of sinagot)",
                package=package,
                extra="history",
            )
    from sinagot.schedule.history.database import DatabaseHistory

    return DatabaseHistory(url)


def open_history_of(configuration: Configuration) -> History:
    """Open the history of a workspace, where the environment or its configuration says; see `open_history`.

    Parameters
    ----------
    configuration : Configuration
        Of the workspace.

    Raises
    ------
    ConfigurationError
        As of `open_history`; it names the variable where that one has said it.
    """
    try:
        return open_history(configuration.state_path, history_of(configuration).url)
    except ConfigurationError as error:
        said = variables_said().get(("history", "url"))
        if said is None or error.key != _KEY:
            raise
        text = error.message.removeprefix(f"{_KEY}: ")
        raise ConfigurationError.at(text, key=said.variable) from error
