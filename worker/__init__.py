"""operate-worker: translates the text inside product images."""

import os

# Many jobs at once keep the cores busy; OpenBLAS's own threads would only spin while they wait for each
# other (a fifth of the worker's CPU). Read when numpy is loaded, hence here.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
