"""Decides what has to be done, then does it.

Knows jobs, plans, claims and executors as plain values; must not know workspaces, scopes, tables or the command line.
It stands between what the user asked for (`sinagot.workspace`) and the files it works on (`sinagot.dataset`).
"""
