"""Opens the history of a workspace: files, or a database where an address is given.

Knows which packages a database needs; loads none of them for files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from sinagot.config.schedules import history_of, variables_said
from sinagot.config.settings import Configuration
from sinagot.errors import ConfigurationError, MissingExtraError
from sinagot.schedule.history.contract import History
from sinagot.schedule.history.files import FileHistory
from sinagot.schedule.history.likeness import likeness_of

__all__ = ["check_address_of", "open_history", "open_history_of"]

#: What a history in a database needs: modules.
_NEEDED = ("sqlalchemy", "alembic")
_DRIVER = "psycopg"
_KEY = "history.url"


def open_history(
    state_path: str | os.PathLike[str],
    url: str | None = None,
    *,
    name: str | None = None,
    likeness: str = "",
    is_read_only: bool = False,
) -> History:
    """Open the history of schedules.

    Parameters
    ----------
    state_path : str or path-like
        The state folder of the workspace.
    url : str, optional
        Address of a database (``[history] url``); by default the history is in files below the state folder.
    name : str, optional
        By what a database knows the workspace (``[history] name``); by default the state folder keeps a name.
    likeness : str
        As `sinagot.schedule.history.likeness.likeness_of` gives it: copies of a workspace share a database.
    is_read_only : bool
        For who changes nothing: no table is made or brought up to date.

    Returns
    -------
    History
        To be closed by the caller.

    Raises
    ------
    MissingExtraError
        When a package that the database needs is not installed.
    ConfigurationError
        When the address can't be used, or the tables were made by a newer program, or may be another workspace's.
    HistoryUnavailableError
        When the database can't be reached, or is only read and has no tables yet, or older ones.

    Examples
    --------
    >>> import tempfile
    >>> history = open_history(tempfile.mkdtemp())
    >>> history.open_launches()
    []
    """
    if not url:
        return FileHistory(state_path)
    _check_address(url)
    from sinagot.schedule.history.belonging import Belonging
    from sinagot.schedule.history.database import DatabaseHistory

    belonging = Belonging(os.fspath(state_path), name or None, likeness)
    return DatabaseHistory(url, is_read_only=is_read_only, belonging=belonging)


def _check_address(url: str | None) -> None:
    """Refuse the address of a database that can't be used here; nothing is asked of it."""
    if not url:
        return
    needed = (*_NEEDED, *((_DRIVER,) if url.startswith("postgres") else ()))
    for package in needed:
        if find_spec(package) is None:
            raise MissingExtraError(
                f"a history in a database needs the package {package}, which is not installed here; install "
                f"{' '.join(needed)} with pip (the extra 'history' of sinagot)",
                package=package,
                extra="history",
            )
    from sinagot.schedule.history.connecting import Database

    Database(url, 0.0).close()


def open_history_of(configuration: Configuration, *, is_read_only: bool = False) -> History:
    """Open the history of a workspace, where the environment or its configuration says; see `open_history`.

    Parameters
    ----------
    configuration : Configuration
        Of the workspace.
    is_read_only : bool
        As of `open_history`.

    Raises
    ------
    ConfigurationError
        As of `open_history`; it names the variable where that one has said it.
    """
    settings = history_of(configuration)
    with _named():
        return open_history(
            configuration.state_path,
            settings.url,
            name=settings.name,
            likeness=likeness_of(configuration) if settings.url else "",
            is_read_only=is_read_only,
        )


def check_address_of(configuration: Configuration) -> None:
    """Refuse what can't be used here as the address of the history of a workspace; nothing is asked of it.

    Parameters
    ----------
    configuration : Configuration
        Of the workspace.

    Raises
    ------
    MissingExtraError
        When a package that the database needs is not installed.
    ConfigurationError
        When the address can't be used; it names the variable where that one has said it.
    """
    with _named():
        _check_address(history_of(configuration).url)


@contextmanager
def _named() -> Iterator[None]:
    """Name the variable in what is wrong with an address, where it has said it."""
    try:
        yield
    except ConfigurationError as error:
        said = variables_said().get(("history", "url"))
        if said is None or error.key != _KEY:
            raise
        text = error.message.removeprefix(f"{_KEY}: ")
        raise ConfigurationError.at(text, key=said.variable) from error
