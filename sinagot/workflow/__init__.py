"""Workflows as classes: what a seed, a step and a storage are, and how they become steps of the engine.

Knows values, types and files of values; must not know workspaces or records on disk. Stands between the user's classes
and the graph: a workspace asks a `Recipe` for its steps, an attempt asks it for the script of one.
"""
