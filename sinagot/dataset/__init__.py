"""What is on disk: path patterns, record ids, listings, and outputs put in place whole.

Knows paths, names and the rules of an id; knows nothing of steps, runs, logs or workspaces.
Stands above `sinagot.config` and is used by scripts, engine and workspace.
"""
