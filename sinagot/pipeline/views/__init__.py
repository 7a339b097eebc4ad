"""What people and other programs see of a pipeline: text, Mermaid, DOT, JSON, a page, a form, a DAG file.

Knows descriptions only; must not know pipelines, or run anything.
"""
