"""Where jobs run: here, in child processes, or on a Dask cluster.

Knows how to move batches of jobs and results; must not know plans, status or workspaces.
Every executor passes the contract in `sinagot.testing`.
"""
