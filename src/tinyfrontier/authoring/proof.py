"""All tests in one pytest run: `python3 course.py test [OPTIONS] [-- PYTEST ARGS]`, where `--help` tells the options.

Style and freshness are tests like any other; the notebooks run beside the unit tests, the longest first, on as many
workers as there are cores and free memory. Writes nothing, needs no network.
"""

from __future__ import annotations

import argparse
import os
import sys

from .build import changed_lessons
from .lessons import ROOT, LessonError, find_lessons

QUICK = "not browser and not slow"


def options(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; what follows `--` goes to pytest and stands in `.pytest`."""
    own, rest = arguments, []
    if "--" in arguments:
        cut = arguments.index("--")
        own, rest = arguments[:cut], arguments[cut + 1 :]
    parser = argparse.ArgumentParser(
        prog="course.py test", description="Runs the tests.", epilog="What is meant for pytest goes after --."
    )
    parser.add_argument("--quick", action="store_true", help="leave the notebooks and the slow tests out")
    parser.add_argument("--full", action="store_true", help="run students' copies in full, not in rehearsal")
    parser.add_argument(
        "--rounding",
        metavar="N",
        type=int,
        default=0,
        help="solutions only, rounded as another machine might: 1, 2, ... are such ways (checks that nothing turns)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--lesson", metavar="NN", help="one lesson: its tests, exercises, freshness and notebooks")
    which.add_argument("--changed", action="store_true", help="only lessons that a change since the build can touch")
    chosen = parser.parse_args(own)
    chosen.pytest = rest
    return chosen


def wanted_lessons(chosen: argparse.Namespace) -> list[str] | None:
    """The numbers of the lessons to run, such as ["06"]; None for all of them.

    Raises:
        ValueError: if the lesson asked for does not exist.
    """
    if chosen.changed:
        return [f"{number:02d}" for number in changed_lessons()]
    if chosen.lesson is None:
        return None
    have = [path.stem[:2] for path in find_lessons()]
    number = chosen.lesson.zfill(2)
    if number not in have:
        raise ValueError(
            f"--lesson needs the number of a finished lesson ({have[0]} to {have[-1]}), got {chosen.lesson}"
        )
    return [number]


def command(chosen: argparse.Namespace, lessons: list[str] | None) -> list[str]:
    """The arguments of the one pytest run."""
    # tests of one xdist_group share a worker, and what it set up; the longest start first, in the plugin's order
    line = ["-q", "-n", "auto", "--dist", "loadgroup", "--no-loadscope-reorder"]
    line += ["-p", "tinyfrontier.authoring.nbval_plugin", "--nbval-lax", "--nbval-current-env"]
    if chosen.rounding:
        line += ["solutions", "--rounding", str(chosen.rounding)]
        return [*line, *(["--only-notebooks", ",".join(lessons)] if lessons else []), *chosen.pytest]
    line.append("tests")
    if chosen.quick:
        line += ["-m", QUICK]
    elif lessons != []:
        line += ["notebooks", "solutions"]
    if chosen.full:
        line.append("--full-notebooks")
    if chosen.changed:
        line += ["--only-notebooks", ",".join(lessons)] if lessons else []
    elif lessons:
        line += ["--only-lessons", ",".join(lessons)]
    return [*line, *chosen.pytest]


def main(arguments: list[str] | None = None) -> int:
    """Run the tests; returns pytest's exit code."""
    import pytest

    chosen = options(sys.argv[1:] if arguments is None else arguments)
    try:
        lessons = wanted_lessons(chosen)
    except (LessonError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    if chosen.changed:
        print(f"changed since they were built: {', '.join(lessons) or 'no lesson'}")
    os.chdir(ROOT)
    return int(pytest.main(command(chosen, lessons)))


if __name__ == "__main__":
    sys.exit(main())
