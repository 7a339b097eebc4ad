"""Dask, one task a record, on a cluster of two workers that it starts: FOLDER."""

import sys
from functools import partial

from chains import chain, prepare


def main():
    from distributed import Client

    data = f"{sys.argv[1]}/dataset"
    with Client(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as client:
        client.gather(client.map(partial(chain, data), prepare(data), pure=False))


if __name__ == "__main__":
    main()
