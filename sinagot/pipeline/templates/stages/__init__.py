"""What a stage of a template can do: one kind a module, found by the key that names it.

A kind reads its own keys, checks them without running, and does its work. Must not know jobs or how stages are ordered.
"""
