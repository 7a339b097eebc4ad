"""What goes on inside one attempt: acts, each one call of the user's code, and the order in which they run.

A stage of a pipeline is an act. Must not know pipelines, jobs of other attempts, or what is on disk.
"""
