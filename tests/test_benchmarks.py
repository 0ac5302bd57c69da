"""The benchmarks' table can be produced, has the right rows, and compares what is equal. No time is asserted."""

import importlib.util
import json
import math
import subprocess
import sys

import pytest
import torch

from tinyfrontier.authoring.lessons import ROOT, find_lessons

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("benchmarks")]

SCRIPT = ROOT / "benchmarks" / "run.py"


@pytest.fixture(scope="module")
def bench():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("tinyfrontier_benchmarks", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def table():
    """What `course.py bench --quick --json` prints."""
    done = subprocess.run([sys.executable, SCRIPT, "--quick", "--json"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def little(bench):
    return bench.Effort(repeats=3, seconds=0.0, quick=True)


def test_every_peer_has_its_rows(table):
    """Attention, mixture of experts, diffusion and the import are each compared with the peer that the row names."""
    found = {(row["name"], row["peer"]) for row in table["rows"]}
    assert found >= {
        ("attention (01)", "torch, scaled_dot_product_attention"),
        ("GPT (02)", "transformers, GPT2LMHeadModel"),
        ("writing with a KV cache (02)", "the same model without a cache"),
        ("mixture of experts (06)", "transformers, MixtralSparseMoeBlock"),
        ("diffusion, training step (15)", "the same U-Net, diffusers' scheduler"),
        ("diffusion, training step (15)", "diffusers, UNet2DModel of like size"),
        ("Stable Diffusion, one image (16)", "diffusers, the pipeline"),
        ("latent U-Net, training step (16)", "diffusers' scheduler"),
        ("PINN (22)", "the same by torch.autograd.grad twice"),
        ("PINN (22)", "one gradient of the same loss"),
        ("p4 convolution (18)", "torch, Conv2d of as many outputs"),
        ("E(n) graph network (18)", "the plain one of like size"),
        ("weather network (24)", "solver on 32 x 32 cells"),
        ("import tinyfrontier", "python -c pass"),
    }
    cases = [(row["name"], row["case"], row["peer"]) for row in table["rows"]]
    assert len(set(cases)) == len(cases)
    attention = {case for name, case, _ in cases if name == "attention (01)"}
    lengths = {case.removesuffix(", forward") for case in attention if case.endswith(", forward")}
    assert len(lengths) >= 2
    assert attention == {f"{length}, {kind}" for length in lengths for kind in ("forward", "forward + backward")}


def test_every_notebook_has_its_cost_or_a_reason(table):
    """A lesson's CPU seconds and peak memory stand in the table, or a note says that it has not been built."""
    for path in find_lessons():
        rows = [row["peer"] for row in table["rows"] if row["name"] == path.stem]
        assert rows == ["reference seconds wanted", "peak memory allowed"] or any(
            path.stem in note for note in table["skipped"]
        )


def test_ratios_are_finite_and_positive(table):
    """Each ratio is own over peer's, a finite positive number."""
    for row in table["rows"]:
        assert math.isfinite(row["ratio"])
        assert row["ratio"] > 0
        assert row["ratio"] == pytest.approx(row["own"] / row["other"])


def test_rows_print_as_a_markdown_table(bench):
    """A row becomes one line with six cells; the ratio tells how often the peer's time fits into ours."""
    line = bench.line(bench.Row("attention", "64 tokens", "torch", own=3.0, other=1.5))
    assert line == "| attention | 64 tokens | torch | 3 ms | 1.5 ms | 2.00 |"


def test_a_missing_lesson_leaves_a_note(bench, monkeypatch):
    """Where a lesson has no source, its rows are left out and a note names the lesson."""

    def missing(lesson):
        raise ValueError("number must be that of a lesson with a source")

    monkeypatch.setattr(bench, "definitions", missing)
    effort = little(bench)
    for rows in (
        bench.attention_rows,
        bench.mixture_rows,
        bench.diffusion_rows,
        bench.stable_diffusion_rows,
        bench.symmetry_rows,
        bench.weather_rows,
    ):
        assert list(rows(effort)) == []
    assert [note.split(":")[0] for note in effort.skipped] == [
        f"lesson {n} is left out" for n in ("01", "06", "15", "16", "18", "24")
    ]


def test_the_two_sides_take_turns(bench):
    """Own and peer go first in alternate rounds, so that a machine that slows down slows both."""
    order = []
    own, other = bench.race(lambda: order.append("own"), lambda: order.append("peer"), little(bench))
    assert own >= 0
    assert other >= 0
    rounds = order[4:]  # the first four calls warm up
    assert rounds == ["own", "peer", "peer", "own", "own", "peer"]


def test_different_functions_are_not_raced(bench):
    """Where ours and the library's disagree, the benchmark stops and says by how much."""
    bench.must_agree("sum", torch.ones(3), torch.ones(3) + 1e-7)
    with pytest.raises(AssertionError, match=r"differ by 0\.5"):
        bench.must_agree("sum", torch.ones(3), torch.full((3,), 1.5))
    with pytest.raises(AssertionError, match="nan"):
        bench.must_agree("sum", torch.ones(3), torch.full((3,), math.nan))


def test_a_record_is_measured_anew_beside_what_was_recorded(bench, monkeypatch):
    """One line a figure, recorded beside now."""
    record = bench.load_record(bench.records.recorded()[0])
    monkeypatch.setattr(bench.records, "measured", lambda lesson: record)
    monkeypatch.setattr(bench.random, "choice", lambda lessons: lessons[0])
    lines = bench.remeasure()
    assert "recorded: seeds" in lines[0]
    for name, value in record.figures.items():
        assert f"| {name} | {value} | {value} |" in lines
