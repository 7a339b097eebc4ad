"""Schedules: when pipelines run by themselves, and the service that starts them.

Knows cron texts, policies and the history of ticks and launches; starts pipelines as programs of their own. Must not
know pages, routes or the command line; how a pipeline runs is `sinagot.workspace.pipelines`'s.
"""
