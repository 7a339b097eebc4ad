"""The command line: one front of the same API that Python users have.

Knows words, options and how to show answers; must not hold logic of its own. Nothing stands above it.
"""
