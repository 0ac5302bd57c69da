"""The doctor's command: the slower checks beside the start page's, and what it prints and returns."""

import subprocess
import sys

import pytest

from tinyfrontier.authoring import calibration, doctor
from tinyfrontier.show import machine
from tinyfrontier.show.machine import Check


def test_the_full_check_holds_each_line_once(monkeypatch):
    """The slow training run and the fresh process take the quick ones' places; Chromium comes last."""
    asked = []
    monkeypatch.setattr(machine, "training", lambda seconds: asked.append(seconds) or Check("training run", True, "x"))
    monkeypatch.setattr(doctor, "offline", lambda: Check("offline", True, "in a fresh process"))
    monkeypatch.setattr(calibration, "calibrate", lambda: calibration.Speed(2.0, 3.0))
    checks = doctor.checks()
    found = {check.name: check for check in checks}
    assert len(found) == len(checks) >= 10
    assert asked == [5.0]
    assert found["offline"].found == "in a fresh process"
    assert found["speed"].found.startswith(
        "2.00 x the reference machine's CPU time: a lesson computes for at most about 90 s"
    )
    assert checks[-1].name == "Chromium"


def test_the_course_loads_without_a_network():
    """The full offline check starts a fresh process behind the guard, and HF_HUB_OFFLINE is honoured there."""
    check = doctor.offline()
    assert check.ok, check
    assert "HF_HUB_OFFLINE is honoured" in check.found


def test_reaching_for_the_network_is_named(monkeypatch):
    """A download at import would be found by the host it looks up."""
    monkeypatch.setattr(doctor, "_OFFLINE_SESSION", "import socket; socket.create_connection(('example.invalid', 80))")
    check = doctor.offline()
    assert not check.ok
    assert "example.invalid" in check.found


def test_a_course_that_does_not_load_is_said(monkeypatch):
    """An import that fails shows its last line instead of a traceback."""
    monkeypatch.setattr(doctor, "_OFFLINE_SESSION", "import no_such_module")
    check = doctor.offline()
    assert not check.ok
    assert "No module named 'no_such_module'" in check.found


def test_chromium_is_optional(monkeypatch):
    """Without a browser the line is still OK and says what is left out."""
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    check = doctor.browser()
    assert check.ok
    assert "the browser test is skipped" in check.found


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_tells_the_result(monkeypatch, capsys, ok, code):
    """The command prints the table and returns 1 when a line needs attention."""
    monkeypatch.setattr(doctor, "checks", lambda quick: [Check("cores", ok, str(quick), "add some")])
    assert doctor.main(["--quick"]) == code
    assert "True" in capsys.readouterr().out


def test_the_module_runs_as_a_command():
    """`python -m tinyfrontier.authoring.doctor --help` explains itself."""
    command = [sys.executable, "-m", "tinyfrontier.authoring.doctor", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "--quick" in shown
