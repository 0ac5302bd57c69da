"""The machine's check: what it finds, what it advises, and that a damaged machine is a line and not an exception."""

import contextlib
import socket
from collections import namedtuple
from importlib import metadata

import psutil
import pytest
import torch

from tinyfrontier.show import machine
from tinyfrontier.show.machine import Check, Report


def test_a_sound_machine_is_ready():
    """Here, where the tests run, every quick check is OK."""
    report = machine.doctor()
    assert report.ok, str(report)
    assert len(report) >= 9
    assert str(report).endswith("Everything is ready.")


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

    monkeypatch.setattr(data, "digits", visits("127.0.0.1"), raising=False)
    assert machine.offline().ok
    monkeypatch.setattr(data, "digits", visits("192.0.2.1"), raising=False)
    check = machine.offline()
    assert not check.ok
    assert "192.0.2.1" in check.found


@pytest.mark.parametrize(("version", "ok"), [((3, 10, 13), False), ((3, 11, 0), True), ((3, 13, 1), True)])
def test_python_is_compared_with_the_packages_wish(version, ok):
    """A Python below requires-python is refused, with advice."""
    check = machine.python_version(version)
    assert check.ok == ok
    assert bool(check.advice) != ok


def test_a_missing_and_an_old_package_are_named():
    """Packages that are absent or out of range are listed, and the advice is the repair."""

    def installed(name):
        if name == "jupytext":
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "scipy" else metadata.version(name)

    check = machine.packages(installed)
    assert not check.ok
    assert "jupytext is missing" in check.found
    assert "scipy is 0.1, wanted" in check.found
    assert "course.py lab" in check.advice


def test_another_version_in_range_is_fine_but_said():
    """A package within its range but not at the tested version is OK, and shown."""
    check = machine.packages(lambda name: "4.99.0" if name == "tqdm" else metadata.version(name))
    assert check.ok
    assert "tqdm 4.99.0" in check.found.split("other than the tested version: ")[1]


def test_tested_versions_belong_to_this_machine(tmp_path):
    """Comments are skipped, and lines meant for another platform."""
    path = tmp_path / "constraints.txt"
    path.write_text("# a comment\nSome_Thing==1.5\nother==2 ; sys_platform == 'nowhere'\n")
    versions = machine.pinned_versions(path)
    assert {name: str(version) for name, version in versions.items()} == {"some-thing": "1.5"}
    assert machine.pinned_versions(tmp_path / "absent.txt") == {}


def test_the_training_run_learns_and_leaves_no_trace():
    """The loss falls within a moment, and neither random numbers nor threads of the reader change."""
    torch.manual_seed(7)
    expected, threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(7)
    check = machine.training(0.2)
    assert check.ok, check
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_little_memory_and_disk_get_advice(monkeypatch):
    """Below the course's needs, the line says what to do."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: namedtuple("memory", "available")(2**30))
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: usage(0, 0, 1000))
    assert (machine.memory().ok, machine.disk().ok) == (False, False)
    assert "2 GiB" in machine.memory().advice
    assert "notebooks cannot be saved" in machine.disk().advice


def test_a_containers_limits_count(monkeypatch):
    """Cores and memory are those that the container grants, not the machine's."""
    limits = {"cpu.max": ["100000", "100000"], "memory.max": [str(3 * 2**30)], "memory.current": [str(2 * 2**30)]}
    monkeypatch.setattr(machine, "_cgroup", limits.__getitem__)
    assert machine.cores().found.startswith("1;")
    assert not machine.memory().ok


def test_the_progress_file_must_be_writable(tmp_path, monkeypatch):
    """A folder that cannot be written to, or does not exist, is reported; switching progress off is fine."""
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", str(tmp_path / "progress.json"))
    assert machine.progress_file().ok
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", str(tmp_path / "absent" / "progress.json"))
    assert "TINYFRONTIER_PROGRESS" in machine.progress_file().advice
    monkeypatch.setenv("TINYFRONTIER_PROGRESS", "off")
    assert machine.progress_file().ok


def test_missing_widgets_are_named(monkeypatch):
    """Without the widgets' browser half, JupyterLab counts as incomplete."""
    import jupyter_core.paths

    monkeypatch.setattr(jupyter_core.paths, "jupyter_path", lambda *parts: [])
    check = machine.jupyter()
    assert not check.ok
    assert "the widgets' JupyterLab extension" in check.found


def test_a_check_that_fails_itself_is_a_line(monkeypatch):
    """An exception inside a check becomes a line that is not OK, and the others still run."""

    def broken():
        raise RuntimeError("no such thing")

    monkeypatch.setattr(machine, "pytorch", broken)
    monkeypatch.setattr(machine, "training", lambda: Check("training run", True, "skipped"))
    found = {check.name: check for check in machine.checks()}
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
    assert page.count("what to do") == 1
    assert repr(report) == text
