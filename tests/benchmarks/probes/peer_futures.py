"""concurrent.futures, one call a record, two workers: FOLDER."""

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from chains import chain, prepare

if __name__ == "__main__":
    data = f"{sys.argv[1]}/dataset"
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(partial(chain, data), prepare(data)))
