"""Whether this run is a rehearsal, which only has to prove that every cell runs. Needs nothing else."""

import os

REHEARSAL_STEPS = 12  # enough for a running mean over ten


def rehearsing() -> bool:
    """Whether the tests set `TINYFRONTIER_REHEARSAL=1`, as they do for students' copies and for nothing else."""
    return os.environ.get("TINYFRONTIER_REHEARSAL", "") not in ("", "0")


def at_most(count: int, few: int) -> int:
    """`count`, or `few` where that is smaller and this is a rehearsal."""
    return min(count, few) if rehearsing() else count
