"""The sub-commands, one module each, loaded when it is called; `command` in each is what click runs.

Know options and how to show answers; must not know how answers are found, which is the workspace's. What they return
is the exit code.
"""
