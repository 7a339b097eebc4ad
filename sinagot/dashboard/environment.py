"""The app as other servers find it, `uvicorn sinagot.dashboard.app:app`: all that it needs stands in the environment.

Knows variables; must not know sockets. Nothing is made before it is asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from sinagot.dashboard.auth import new_token
from sinagot.errors import ConfigurationError

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["HOSTS", "TOKEN", "WORKSPACE", "app_of_environment"]

WORKSPACE = "SINAGOT_WORKSPACE"
TOKEN = "SINAGOT_TOKEN"  # the name of a variable
#: Further host names that may be asked for, separated by commas.
HOSTS = "SINAGOT_ALLOW_HOSTS"


@cache
def app_of_environment(make: Callable[..., FastAPI]) -> FastAPI:
    """Make the app of the workspace that the environment names, once.

    Parameters
    ----------
    make : callable
        Makes it, as `sinagot.dashboard.app.create_app` does.

    Returns
    -------
    FastAPI
        The app, with schedules.

    Raises
    ------
    ConfigurationError
        No workspace is named, or hosts without a token of one's own; or the address of the history can't be used.
    """
    named = os.environ.get(WORKSPACE) or os.environ.get("WORKFLOW_ROOT_PATH")
    if not named:
        raise ConfigurationError.at(
            f"it is not set, and says where the workspace is: {WORKSPACE}=/data/lab uvicorn sinagot.dashboard.app:app",
            key=WORKSPACE,
        )
    hosts = [name.strip() for name in os.environ.get(HOSTS, "").split(",") if name.strip()]
    given = os.environ.get(TOKEN)
    if hosts and not given:
        raise ConfigurationError.at(
            f"others can reach it under these names; give a token of your own by {TOKEN}", key=HOSTS
        )
    workspace, words = _open(named)
    token = given or new_token()
    app = make(workspace, token=token, allowed_hosts=hosts, words=words)
    app.state.house.reception.reach()  # one that is away is waited for
    if not given:
        sys.stderr.write(f"The token is {token}\nWhoever has it sees all data, and can start runs.\n")
    return app


def _open(named: str) -> tuple[Any, list[str]]:
    """Open the workspace, and give the options that lead to it on a command line."""
    name, equals, root = named.partition("=")
    if equals and ":" in name and not os.path.exists(named):
        from sinagot.workspace.code_first.doors import open_named

        root = os.path.abspath(os.path.expanduser(root))
        return open_named(name, root, [os.getcwd()]), ["-w", f"{name}={root}"]
    from sinagot.workspace.workspace import Workspace

    path = os.path.abspath(os.path.expanduser(named))
    return Workspace(path), ["-w", path]
