"""joblib, one call a record (it makes batches itself), two workers: FOLDER."""

import sys

from chains import chain, prepare
from joblib import Parallel, delayed

if __name__ == "__main__":
    data = f"{sys.argv[1]}/dataset"
    Parallel(n_jobs=2)(delayed(chain)(data, name) for name in prepare(data))
