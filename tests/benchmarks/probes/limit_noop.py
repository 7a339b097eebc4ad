"""The least that a second run must do, in Python: three listings, two comparisons of names. FOLDER [stats].

With `stats` one stat of each path is added: the least that it takes to see what changed.
"""

import os
import sys

data = f"{sys.argv[1]}/dataset"
raw, first, second = (set(os.listdir(f"{data}/{folder}")) for folder in ("raw", "first", "second"))
if not (raw <= first and raw <= second):
    raise SystemExit("not up to date")
if sys.argv[2:]:
    for folder, names in (("raw", raw), ("first", first), ("second", second)):
        found = {
            name: (facts.st_size, facts.st_mtime_ns)
            for name in names
            if (facts := os.stat(f"{data}/{folder}/{name}"))
        }
        if len(found) != len(names):
            raise SystemExit("not up to date")
