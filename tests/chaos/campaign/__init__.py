"""Faults by the dozen, and what they cost: each trial is a real run that is hurt, looked at, and run again.

`make chaos` runs it and writes the counts into the page on reliability; the tests run a small one.
"""
