"""What is on record of a dataset's jobs, and what is made of it after a death.

Claims, events, marks, origins, decisions. Files only: whoever plans, runs or shows asks here, and nothing here knows
who asks.
"""
