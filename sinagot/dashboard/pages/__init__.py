"""The pages: each module knows one of them, and what it asks the workspace for.

Templates say how they look; texts of others are escaped there.
"""
