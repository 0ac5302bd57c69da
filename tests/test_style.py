"""The code is formatted and lint-free, as `ruff` reads pyproject.toml."""

import subprocess
import sys

import pytest

from tinyfrontier.authoring.lessons import ROOT


@pytest.mark.style
@pytest.mark.parametrize("arguments", [("check", "."), ("format", "--check", ".")], ids=["lint", "format"])
def test_ruff_has_nothing_to_say(arguments):
    """Both of ruff's commands pass over the whole tree."""
    command = [sys.executable, "-m", "ruff", *arguments, "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace")
    assert result.returncode == 0, result.stdout + result.stderr
