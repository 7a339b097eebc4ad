"""Reads what the user wrote: TOML files, merged, checked and turned into plain settings.

Knows files, keys, defaults and good error messages; must not know records, scripts, runs or workspaces.
It stands first in the flow: `sinagot.config.load.load_configuration` feeds the workspace and the engine.
"""

from sinagot.errors import ConfigurationError

__all__ = ["ConfigurationError"]
