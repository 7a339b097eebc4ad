"""The surface that users touch: workspaces, scopes, records, steps and their tables.

Knows what a user may ask and turns it into requests for the engine; must not decide or execute anything itself.
It stands above `sinagot.engine`, which sees plain values only, and below the fronts that users start.
"""
