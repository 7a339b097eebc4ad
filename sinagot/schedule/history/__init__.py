"""What services have decided and started: one contract, in plain files or in a database.

Knows decisions, launches, pauses and services as plain values; must not know cron texts or how anything is started.
"""
