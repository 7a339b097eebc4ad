"""Pipelines written in YAML: files are read, variables put in, objects found, parameters checked.

Knows YAML, places in files and types of parameters; must not know how a stage is run.
A file goes through `documents`, `variables` and `library`; values for a pipeline through `typed`.
"""
