"""The user's code: the class that scripts derive from, and how a file becomes a `StepSpec` or a class.

Knows script files, local modules beside them and command steps; must not know records, plans, runs or
workspaces. Stands between the configuration, which names steps, and the engine, which executes them:
`loading` is the door to all of it.
"""
