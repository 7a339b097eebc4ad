"""JSON lines per record: what a log line holds, how it is written, captured, printed and read back.

Knows folders, record ids and plain dicts; must not know workspaces, jobs, plans or what a status is decided
from. The engine writes through it while a job runs, the workspace reads from it; it calls no layer but the
errors.
"""
