"""The notebook test run: a budget that is exceeded, a changed output and a download each fail it."""

import os
import subprocess
import sys

import nbformat
import pytest

from tinyfrontier.authoring.kernels import Cost, cost_of_process
from tinyfrontier.authoring.nbval_plugin import over_budget

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nbval")]


def run(folder, source: str, *, output: str = "", tags=()) -> subprocess.CompletedProcess:
    """Run a one-cell notebook under the plugin."""
    folder.mkdir(parents=True, exist_ok=True)
    cell = nbformat.v4.new_code_cell(source, execution_count=1, metadata={"tags": list(tags)})
    if output:
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=output)]
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": {"name": "python3", "display_name": "p"}})
    nbformat.write(notebook, folder / "page.ipynb")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tinyfrontier.authoring.nbval_plugin",
        "-p",
        "no:cacheprovider",
    ]
    command += [
        "--nbval-lax",
        "--nbval-current-env",
        "-q",
        "-rP",
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
        str(folder),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_sound_notebook_passes_and_tells_its_cost(tmp_path):
    """A notebook in budget passes, and its cost is printed; solutions run in strict mode on one thread."""
    source = 'import os\nprint(os.environ["TINYFRONTIER_STRICT"], os.environ["OMP_NUM_THREADS"])'
    result = run(tmp_path / "solutions", source, output="1 1\n", tags=["nbval-check-output"])
    assert result.returncode == 0, result.stdout
    assert "solutions/page:" in result.stdout
    assert "CPU s, peak" in result.stdout


@pytest.mark.parametrize(
    ("source", "output", "tags", "message"),
    [
        ("print(2 + 2)", "5\n", ("nbval-check-output",), "5"),
        ("import socket\nsocket.create_connection(('192.0.2.1', 80), 3)", "", (), "this course runs offline"),
        ("1 / 0", "", (), "ZeroDivisionError"),
    ],
    ids=["changed output", "network", "error"],
)
def test_a_faulty_notebook_fails(tmp_path, source, output, tags, message):
    """A changed checked output, a download, and an error fail the run."""
    result = run(tmp_path / "notebooks", source, output=output, tags=tags)
    assert result.returncode == 1
    assert message in result.stdout


def test_the_budget_is_a_hard_limit():
    """Over 60 CPU seconds or 1.5 GiB is told with figures; within the limits nothing is."""
    assert over_budget("a", Cost(59.9, 1500)) == ""
    assert over_budget("a", Cost(61.0, 1500)) == "a took 61.0 CPU s (limit 60)"
    assert "a peak of 1600 MiB (limit 1536)" in over_budget("a", Cost(61.0, 1600))


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
