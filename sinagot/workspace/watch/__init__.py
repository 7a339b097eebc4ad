"""The watch: recordings that arrive are run once they are complete.

Knows folders, what is complete, and when to look again; must not know how a run is executed: it asks for ordinary runs.
"""
