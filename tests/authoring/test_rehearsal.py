"""A rehearsal proves that every cell runs; it shows that it is one, and an ordinary run shows nothing of it."""

import json

import nbformat
import pytest

from tinyfrontier.authoring.kernels import execute
from tinyfrontier.show import VERDICT_MIME

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nbval")]

CELLS = (
    """import torch
from tinyfrontier.show import verdict
from tinyfrontier.training import fit, progress

weight = torch.nn.Parameter(torch.tensor(3.0))
asked = []


def loss(generator):
    asked.append(1)
    return weight**2


history = fit([weight], loss, steps=300, lr=0.1)""",
    "visited = sum(1 for _ in progress(range(100)))",
    "print(len(asked), len(history.losses), visited)",
    'verdict("A toy claim.", {"loss": history.losses[-1]}, holds=history.losses[-1] < 0.1, sections=["F1"], lesson=1)',
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same notebook, rehearsed and run in full."""
    folder, found = tmp_path_factory.mktemp("rehearsal"), {}
    for rehearsal in (True, False):
        cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
        execute(notebook, folder, strict=False, rehearsal=rehearsal)
        found[rehearsal] = notebook
    return found


@pytest.mark.parametrize("rehearsal", [True, False], ids=["rehearsed", "in full"])
def test_every_cell_is_visited(runs, rehearsal):
    """Rehearsed or not, each cell runs, in order, and none ends in an error."""
    cells = runs[rehearsal].cells
    assert [cell.execution_count for cell in cells] == [1, 2, 3, 4]
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


def test_a_rehearsal_ends_its_loops_after_a_dozen_steps(runs):
    """A dozen updates and a dozen items instead of all; the history is as long as ever."""
    assert runs[True].cells[2].outputs[0].text == "12 300 12\n"
    assert runs[False].cells[2].outputs[0].text == "300 300 100\n"


def test_the_verdict_of_a_rehearsal_says_so_and_an_ordinary_one_does_not(runs):
    """Box, text and record carry the word in a rehearsal; nothing of an ordinary run's outputs does."""
    rehearsed, full = (runs[kind].cells[-1].outputs[0].data for kind in (True, False))
    assert "Rehearsal, not a result" in rehearsed["text/html"]
    assert rehearsed[VERDICT_MIME]["rehearsal"] is True
    assert full[VERDICT_MIME]["outcome"] == "holds"
    everything = json.dumps([cell.outputs for cell in runs[False].cells]).lower()
    assert "not a result" not in everything
    assert not full[VERDICT_MIME].get("rehearsal")
