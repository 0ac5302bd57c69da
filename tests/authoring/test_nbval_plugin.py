"""The notebook test run: what fails it, each with its one line, and what never does."""

import os
import subprocess
import sys

import nbformat
import pytest

from tinyfrontier.authoring.calibration import Speed
from tinyfrontier.authoring.kernels import cost_of_process
from tinyfrontier.authoring.nbval_plugin import _Line, notebook_of, over_memory, table, workers_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nbval")]


def write(folder, *sources: str, name="page", output: str = "", tags=()) -> None:
    """Write a notebook whose last cell has the output and tags."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = [nbformat.v4.new_code_cell(source, execution_count=1) for source in sources]
    cells[-1].metadata["tags"] = list(tags)
    if output:
        cells[-1].outputs = [nbformat.v4.new_output("stream", name="stdout", text=output)]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "p"}})
    nbformat.write(notebook, folder / f"{name}.ipynb")


def run(folder, *more: str) -> subprocess.CompletedProcess:
    """Run every notebook below a folder under the plugin."""
    command = [sys.executable, "-m", "pytest", "-p", "tinyfrontier.authoring.nbval_plugin", "-p", "no:cacheprovider"]
    command += ["--nbval-lax", "--nbval-current-env", "-q", "-rfE", "--color=no", "-c", os.devnull]
    command += ["--rootdir", str(folder), str(folder), *more]
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=1200)


SETTINGS = (
    "import os\n"
    'print(*(os.environ[f"{name}"] or 0 for name in '
    '("TINYFRONTIER_STRICT", "OMP_NUM_THREADS", "TINYFRONTIER_REHEARSAL")))'
)
STOPS = {
    "01_hangs": ("import time\nwhile True: time.sleep(1)", "(`import time`): hung, interrupted after 15 s"),
    "02_dies": ("import os\nos._exit(3)", "(`import os`): the kernel died"),
    "03_memory": ("block = b'x' * (400 * 2**20)", "(`block = b'x' * (400 * 2**20)`): a peak of "),
}
FAULTS = {
    "04_changed": ("print(2 + 2)", "5"),
    "05_network": ("import socket\nsocket.create_connection(('192.0.2.1', 80), 3)", "this course runs offline"),
    "06_error": ("1 / 0", "ZeroDivisionError"),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> str:
    """What one run prints over two sound notebooks and six that each fail in their own way."""
    folder = tmp_path_factory.mktemp("course")
    check = ["nbval-check-output"]
    write(folder / "solutions", SETTINGS, name="00_sound", output="1 1 0\n", tags=check)
    write(folder / "notebooks", SETTINGS, name="00_sound", output="0 1 1\n", tags=check)
    for name, (source, _) in STOPS.items():
        write(folder / "notebooks", "1 + 1", source, "2 + 2", name=name)
    for name, (source, _) in FAULTS.items():
        write(folder / "notebooks", source, name=name, output="5\n", tags=check)
    result = run(folder, "--hang-after", "15", "--peak-mib", "400")
    assert result.returncode == 1
    return result.stdout


def test_a_sound_notebook_passes_and_tells_its_cost(ran):
    """Sound notebooks pass, solutions strict and in full, copies in rehearsal; the table tells the costs."""
    rows = [line for line in ran.splitlines() if line.startswith(("solutions/00_sound ", "notebooks/00_sound "))]
    assert len(rows) == 2
    assert rows[1].rstrip().endswith("%")  # the copy's share of its solution
    assert "students' copies cost" in ran
    assert "00_sound.ipynb" not in ran[ran.index("short test summary") :]


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_notebook_fails(ran, name):
    """A changed checked output, a download, and an error fail the run, each with its reason."""
    assert f"{name}.ipynb::Cell 0" in ran[ran.index("short test summary") :]
    assert FAULTS[name][1] in ran


@pytest.mark.parametrize("name", STOPS)
def test_a_notebook_that_stops_is_named_in_one_line_and_the_others_go_on(ran, name):
    """A hung cell, a dead kernel and too much memory are named with notebook, cell number and first line."""
    assert f"notebooks/{name}, cell 1 {STOPS[name][1]}" in ran


def test_the_cells_after_a_stop_are_skipped(ran):
    """Of eight notebooks six fail at one cell each; the three that stopped skip their last cell."""
    assert "6 failed, 5 passed, 3 skipped" in ran


def test_full_runs_the_copies_as_students_do_and_only_what_is_asked_for(tmp_path):
    """`--full-notebooks` rehearses nothing; `--only-lessons` leaves other lessons out."""
    source = (
        'import os\nassert os.environ["PATH"]\nassert not os.environ["TINYFRONTIER_REHEARSAL"]'  # the rest is inherited
    )
    write(tmp_path / "notebooks", source, name="06_wanted")
    write(tmp_path / "notebooks", "raise ValueError", name="07_other")
    result = run(tmp_path, "--full-notebooks", "--only-lessons", "06")
    assert result.returncode == 0, result.stdout
    assert "1 passed, 1 deselected" in result.stdout


def test_rounding_reaches_the_kernel_and_leaves_no_name(tmp_path):
    """`--rounding` moves last digits at an optimiser's step and asks for a plainer processor; without it, neither."""
    source = """import os
import torch

weight = torch.ones(1000, requires_grad=True)
optimizer = torch.optim.SGD([weight], lr=0.5)
(weight**2 / 2).sum().backward()
optimizer.step()
apart = (weight != 0.5).any().item(), "ATEN_CPU_CAPABILITY" in os.environ, "round_otherwise" in dir()
assert apart == {wanted}"""
    write(tmp_path / "solutions", source.format(wanted=(True, True, False)), name="06_rounded")
    write(tmp_path / "solutions", source.format(wanted=(False, False, False)), name="07_plain")
    for lesson, way in (("06", "1"), ("07", "0")):
        result = run(tmp_path, "--rounding", way, "--only-lessons", lesson)
        assert result.returncode == 0, result.stdout


def test_seconds_are_told_and_never_decide():
    """The table names what is over budget; only memory is a fault."""
    lines = [_Line("solutions/06_x", 120.0, 60.0, 700.0), _Line("notebooks/06_x", 24.0, 12.0, 600.0)]
    text = table(lines)
    assert text[1].endswith("over budget")
    assert "20%" in text[2]
    assert "budget" not in text[2]
    assert text[-2] == "this machine took 2.00 times the reference machine's CPU seconds; no second decides"
    assert text[-1] == "students' copies cost 20% of their solutions on average"
    assert over_memory(1500) == ""
    assert over_memory(1600) == "a peak of 1600 MiB (limit 1536)"


def test_patience_grows_with_a_slow_machine_and_never_falls_below_five_minutes():
    """A cell hangs after 20 times its share of the budget at the measured speed, never before 300 s."""
    assert Speed(1.0, 1.0).patience(2.0) == 300
    assert Speed(0.5, 0.5).patience(20.0) == 400
    assert Speed(1.0, 3.0).patience(20.0) == 1200


def test_a_notebooks_cells_stay_together():
    """Cells of a notebook are one group, so that one worker runs them in one kernel; other tests are not concerned."""
    assert (
        notebook_of("notebooks/06_x.ipynb::Cell 0") == notebook_of("notebooks/06_x.ipynb::Cell 11") == "notebooks/06_x"
    )
    assert notebook_of("solutions/06_x.ipynb::Cell 0") == "solutions/06_x"
    assert notebook_of("tests/test_a.py::test_b[notebooks]") == ""


def test_workers_follow_cores_and_memory():
    """One worker a core, with 2 GiB of free memory each, and never none."""
    gib = 2**30
    assert workers_for(2, 16 * gib) == 2
    assert workers_for(8, 9 * gib) == 4
    assert workers_for(4, gib) == 1


def test_the_cost_of_a_process_grows_with_its_work():
    """CPU time and peak memory of a running process are measured."""
    before = cost_of_process(os.getpid())
    block = bytearray(200 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    sum(range(5_000_000))
    after = cost_of_process(os.getpid())
    del block
    assert after.cpu_seconds > before.cpu_seconds
    assert after.peak_mib >= before.peak_mib
    assert after.peak_mib > 200
