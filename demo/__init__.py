"""The program: its commands, its pages and its sample."""

import os

# Before numpy and torch are there.  Threads that spin while they wait for more to do take a core
# from those who have it: the matrices here are small, so that OpenBLAS gets one thread, and torch's
# wait for a microsecond or so, not for milliseconds (a fit's step: 92 ms for 112).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
