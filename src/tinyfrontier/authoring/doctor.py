"""The environment doctor: `python3 course.py doctor` prints the start page's checks and some that take longer."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import partial

from ..show import machine
from ..show.machine import REPAIR, Check, Report
from .offline import GUARD

# Runs in a fresh interpreter behind the offline guard: everything a lesson's first cells do, and one request that must
# be refused at once because HF_HUB_OFFLINE says so.
_OFFLINE_SESSION = """
import importlib
import tinyfrontier
for room in ("data", "show", "exercises", "training"):
    importlib.import_module(f"tinyfrontier.{room}")
images = tinyfrontier.data.digits().images
text = tinyfrontier.data.text_corpus()
import huggingface_hub
from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled
try:
    huggingface_hub.hf_hub_download("tiny/frontier", "config.json")
except (LocalEntryNotFoundError, OfflineModeIsEnabled):
    print("honoured")
"""


def offline() -> Check:
    """Import the course and load its data in a process that may not use the network."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        [sys.executable, "-c", GUARD + _OFFLINE_SESSION],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=600,
        env=environment,
    )
    reached = re.findall(r"this course runs offline; a cell (?:reached for|looked up) \S+", result.stderr)
    if reached:
        return Check("offline", False, reached[-1].replace("a cell", "something"), REPAIR)
    if result.returncode:
        last = result.stderr.strip().splitlines()[-1:] or [f"exit code {result.returncode}"]
        return Check("offline", False, f"the course does not load: {last[0]}", REPAIR)
    honoured = "honoured" in result.stdout
    advice = "do not download models during a lesson: this version of huggingface_hub would reach for the network"
    found = f"the course loads without a network; HF_HUB_OFFLINE is {'honoured' if honoured else 'ignored'}"
    return Check("offline", honoured, found, "" if honoured else advice)


def speed() -> Check:
    """Run the calibration: how many of this machine's CPU seconds are one of the reference machine's."""
    from .calibration import SECONDS_LIMIT, calibrate

    now = calibrate()
    longest = f"a lesson computes for at most about {now.cpu * SECONDS_LIMIT:.0f} s"
    return Check("speed", True, f"{now.cpu:.2f} x the reference machine's CPU time: {longest}")


def browser() -> Check:
    """Look for the Chromium that the browser test drives; nobody else needs it."""
    path = chromium()
    return Check("Chromium", True, "found" if path else "none, so the browser test is skipped; lessons do not need it")


def chromium() -> str | None:
    """Find a Chromium or Chrome that a test can drive."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


def checks(quick: bool = False) -> list[Check]:
    """Run the checks: all of them, or those of the start page."""
    if quick:
        return machine.checks()
    thorough = (
        ("training run", partial(machine.training, 5.0)),
        ("speed", speed),
        ("offline", offline),
        ("Chromium", browser),
    )
    return machine.checks(thorough)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if something needs attention."""
    parser = argparse.ArgumentParser(prog="course.py doctor", description="Checks whether this machine is ready.")
    parser.add_argument("--quick", action="store_true", help="only the start page's checks, in three seconds")
    report = Report(checks(parser.parse_args(arguments).quick))
    print(report)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
