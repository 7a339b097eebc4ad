"""Pipelines of a workspace: where they are found, what parameters they get, and how one runs for no record.

Knows workspaces, pipelines and the engine's attempt; must not know how anything is shown on a command line.
"""
