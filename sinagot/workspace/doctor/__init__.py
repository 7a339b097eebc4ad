"""The doctor: what drives, Python and workers are like, measured and told.

Knows the probes of `sinagot.dataset` and what a run needs; must not change a workspace.
"""
