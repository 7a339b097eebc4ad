"""What there is to do, and why.

The graph of steps, what is on disk for it, what changed, and the decision about each job. Looks and decides; nothing
here runs a script or writes a result.
"""
