"""Both steps of one record as people write them for a pool: what is there is not made again."""

import os

from bodies import work


def prepare(data):
    """Make the folders; give the names of all records."""
    for folder in ("first", "second"):
        os.makedirs(f"{data}/{folder}", exist_ok=True)
    return sorted(os.listdir(f"{data}/raw"))


def chain(data, name):
    for source, target in (("raw", "first"), ("first", "second")):
        if not os.path.exists(f"{data}/{target}/{name}"):
            work(f"{data}/{source}/{name}", f"{data}/{target}/{name}")
