"""Graphs of steps, nodes and stages, drawn: as Mermaid, as DOT, and as a picture for notebooks and pages.

Knows boxes, lines and words; must not know what they stand for. Pure; nothing loads it before something is drawn.
"""
