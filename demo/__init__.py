"""The program: its commands, its pages and its sample."""

import os

# Before numpy is there.  The matrices here are small, and OpenBLAS's other threads, which spin
# while they wait for the next one, would take a core from tracking and drawing.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
