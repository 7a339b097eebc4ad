"""Kinds of data beyond files for scripts: classes for the records of a modality.

Know the workspace's classes and derive from them; nothing imports a plugin, it is found by its name.
"""
