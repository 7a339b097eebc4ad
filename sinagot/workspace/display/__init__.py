"""What notebooks and plots show of workspaces, scopes, plans and runs.

Knows statuses, counts and words; must not decide anything or write a file. Loaded when something is shown.
"""
