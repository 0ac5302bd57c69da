"""The environment doctor: what it finds, what it advises, and that a damaged machine is a line and not an exception."""

import contextlib
import socket
import subprocess
import sys
from collections import namedtuple
from importlib import metadata

import psutil
import pytest
import torch

from tinyfrontier.authoring import doctor
from tinyfrontier.authoring.doctor import Check, Report


def test_a_sound_machine_is_ready():
    """Here, where the tests run, every quick check is OK."""
    report = doctor.table()
    assert report.ok, str(report)
    assert len(report) >= 9
    assert str(report).endswith("Everything is ready.")


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


def test_the_quick_offline_check_sees_connections(monkeypatch):
    """A data set that opens a connection in this process is caught; a local connection is not held against it."""
    from tinyfrontier import data

    digits = data.digits

    def visits(host):
        def load():
            with socket.socket() as one:
                one.settimeout(0.01)
                with contextlib.suppress(OSError):
                    one.connect((host, 9))
            return digits()

        return load

    original = socket.socket.connect
    monkeypatch.setattr(data, "digits", visits("127.0.0.1"), raising=False)
    assert doctor.offline_quick().ok
    monkeypatch.setattr(data, "digits", visits("192.0.2.1"), raising=False)
    check = doctor.offline_quick()
    assert not check.ok
    assert "192.0.2.1" in check.found
    assert socket.socket.connect is original


@pytest.mark.parametrize(("version", "ok"), [((3, 10, 13), False), ((3, 11, 0), True), ((3, 13, 1), True)])
def test_python_is_compared_with_the_packages_wish(version, ok):
    """A Python below requires-python is refused, with advice."""
    check = doctor.python_version(version)
    assert check.ok == ok
    assert bool(check.advice) != ok


def test_a_missing_and_an_old_package_are_named():
    """Packages that are absent or out of range are listed, and the advice is the repair."""

    def installed(name):
        if name == "jupytext":
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "scipy" else metadata.version(name)

    check = doctor.packages(installed)
    assert not check.ok
    assert "jupytext is missing" in check.found
    assert "scipy is 0.1, wanted" in check.found
    assert "course.py lab" in check.advice


def test_another_version_in_range_is_fine_but_said():
    """A package within its range but not at the tested version is OK, and shown."""
    check = doctor.packages(lambda name: "4.99.0" if name == "tqdm" else metadata.version(name))
    assert check.ok
    assert "other than the tested version: tqdm 4.99.0" in check.found


def test_tested_versions_belong_to_this_machine(tmp_path):
    """Comments are skipped, and lines meant for another platform."""
    path = tmp_path / "constraints.txt"
    path.write_text("# a comment\nSome_Thing==1.5\nother==2 ; sys_platform == 'nowhere'\n")
    versions = doctor.pinned_versions(path)
    assert {name: str(version) for name, version in versions.items()} == {"some-thing": "1.5"}
    assert doctor.pinned_versions(tmp_path / "absent.txt") == {}


def test_the_training_run_learns_and_leaves_no_trace():
    """The loss falls within a moment, and neither random numbers nor threads of the reader change."""
    torch.manual_seed(7)
    expected, threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(7)
    check = doctor.training(0.2)
    assert check.ok, check
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_little_memory_and_disk_get_advice(monkeypatch):
    """Below the course's needs, the line says what to do."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: namedtuple("memory", "available")(2**30))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(0, 0, 1000))
    assert (doctor.memory().ok, doctor.disk().ok) == (False, False)
    assert "2 GiB" in doctor.memory().advice
    assert "notebooks cannot be saved" in doctor.disk().advice


def test_a_containers_limits_count(monkeypatch):
    """Cores and memory are those that the container grants, not the machine's."""
    limits = {"cpu.max": ["100000", "100000"], "memory.max": [str(3 * 2**30)], "memory.current": [str(2 * 2**30)]}
    monkeypatch.setattr(doctor, "_cgroup", limits.__getitem__)
    assert doctor.cores().found.startswith("1;")
    assert not doctor.memory().ok


def test_the_progress_file_must_be_writable(tmp_path, monkeypatch):
    """A folder that cannot be written to, or does not exist, is reported; switching progress off is fine."""
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", str(tmp_path / "progress.json"))
    assert doctor.progress_file().ok
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", str(tmp_path / "absent" / "progress.json"))
    assert "TINYFRONTIER_PROGRESS" in doctor.progress_file().advice
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", "off")
    assert doctor.progress_file().ok


def test_missing_widgets_are_named(monkeypatch):
    """Without the widgets' browser half, JupyterLab counts as incomplete."""
    import jupyter_core.paths

    monkeypatch.setattr(jupyter_core.paths, "jupyter_path", lambda *parts: [])
    check = doctor.jupyter()
    assert not check.ok
    assert "the widgets' JupyterLab extension" in check.found


def test_chromium_is_optional(monkeypatch):
    """Without a browser the line is still OK and says what is left out."""
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    check = doctor.browser()
    assert check.ok
    assert "the browser test is skipped" in check.found


def test_a_check_that_fails_itself_is_a_line(monkeypatch):
    """An exception inside a check becomes a line that is not OK, and the others still run."""

    def broken():
        raise RuntimeError("no such thing")

    monkeypatch.setattr(doctor, "pytorch", broken)
    monkeypatch.setattr(doctor, "training", lambda seconds=0: Check("training run", True, "skipped"))
    found = {check.name: check for check in doctor.checks(quick=True)}
    assert not found["PyTorch"].ok
    assert "RuntimeError: no such thing" in found["PyTorch"].found
    assert found["JupyterLab"].ok


def test_the_table_reads_in_both_forms():
    """Text and HTML hold each line; advice stands only where something is wrong, and HTML is escaped."""
    report = Report([Check("cores", True, "2"), Check("packages", False, "scipy <1>", "repair & try again")])
    text, page = str(report), report._repr_html_()
    assert "OK  cores" in text
    assert "!!  packages  scipy <1>" in text
    assert "-> repair & try again" in text
    assert "1 of 2 lines need attention" in text
    assert "scipy &lt;1&gt;" in page
    assert "repair &amp; try again" in page
    assert page.count("What to do") == 1
    assert repr(report) == text


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
