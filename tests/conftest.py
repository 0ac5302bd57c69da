"""Shared by all tests: no progress file is written, nothing reaches for the network, one thread a process."""

import os

os.environ.update(
    TINYFRONTIER_PROGRESS="off",
    HF_HUB_OFFLINE="1",
    OMP_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    TQDM_DISABLE="1",
)
os.environ.pop("TINYFRONTIER_STRICT", None)
os.environ.pop("NBGRADER_EXECUTION", None)
