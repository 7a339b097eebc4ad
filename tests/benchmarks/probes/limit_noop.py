"""The least that a second run must do, in Python: three listings, two comparisons of names. FOLDER."""

import os
import sys

raw, first, second = (
    set(os.listdir(f"{sys.argv[1]}/dataset/{folder}")) for folder in ("raw", "first", "second")
)
if not (raw <= first and raw <= second):
    raise SystemExit("not up to date")
