"""The dashboard: what the command line shows, as pages and as an API, live.

Knows HTTP and how things are shown; what is shown comes from the workspace and the engine. It runs no code of the user:
what is to be run is started as a program of its own.
"""
