"""What became of each job of a run.

The ledger, the report and its groups of failures, estimates, and the flow of records.
"""
