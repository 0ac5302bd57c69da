"""Lesson 07: its ring, splits and schedules against PyTorch's, its arithmetic, its ranks, and its torchrun script."""

import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time

import psutil
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file

from tinyfrontier.authoring import definitions
from tinyfrontier.authoring.lessons import ROOT, find_lessons, lesson_path
from tinyfrontier.exercises import exercises_of

SCRIPT = ROOT / "lessons" / "07_distributed_training" / "train.py"
SEED, STEPS = 3, 4


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(7)


@pytest.fixture(scope="module")
def cluster(lesson):
    """Ranks that all tests share; gone at the end."""
    ranks = lesson.Cluster()
    yield ranks
    ranks.close()


@pytest.fixture(scope="module")
def data():
    """Images of noise, so that nothing has to be loaded."""
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.rand(200, 64, generator=generator), torch.randint(10, (200,), generator=generator)
    return {"images": images, "labels": labels, "steps": STEPS, "seed": SEED, "dtype": "float64"}


def gone(processes, seconds=60.0):
    """Whether all processes have ended within some seconds."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in processes):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_the_ring_sums_and_sends_what_the_formula_says(cluster, lesson, ranks):
    """The ring equals gloo's all-reduce for a length that does not divide, with 2(W-1) padded chunks sent."""
    for answer in cluster.run(lesson.compare_sums, ranks, numbers=1001):
        assert answer["off"] < 1e-5
        assert answer["sent"] == 2 * (ranks - 1) * math.ceil(1001 / ranks) * 4


STRATEGIES = [
    ("data_parallel", "same_everywhere", 2),
    ("tensor_training", "put_together", 2),
    ("pipeline_training", "end_to_end", 2),
    ("zero_training", "same_everywhere", 2),
    pytest.param("data_parallel", "same_everywhere", 4, marks=pytest.mark.slow),
    pytest.param("tensor_training", "put_together", 4, marks=pytest.mark.slow),
    pytest.param("pipeline_training", "end_to_end", 4, marks=pytest.mark.slow),
    pytest.param("zero_training", "same_everywhere", 4, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("strategy", "join", "ranks"), STRATEGIES)
def test_a_split_run_equals_one_process(cluster, lesson, data, strategy, join, ranks):
    """Each way of splitting ends with the weights of one process, in double precision to 1e-11."""
    alone = lesson.vector(lesson.one_process(**data))
    split = getattr(lesson, join)(cluster.run(getattr(lesson, strategy), ranks, **data))
    assert alone.shape == split.shape
    assert (split - alone).abs().max() < 1e-11


@pytest.mark.slow
def test_unequal_parts_are_another_gradient(cluster, lesson, data):
    """64 images on three ranks are 22, 22 and 20, and the mean of their means is not the mean of all."""
    split = lesson.same_everywhere(cluster.run(lesson.data_parallel, 3, **data))
    assert (split - lesson.vector(lesson.one_process(**data))).abs().max() > 1e-6


@pytest.mark.parametrize("strategy", ["data_parallel", "tensor_training"])
def test_the_controls_fail(cluster, lesson, data, strategy):
    """Without their sums over ranks, data parallel and tensor parallel training go wrong."""
    join = lesson.put_together if strategy == "tensor_training" else lambda answers: lesson.vector(answers[0])
    split = join(cluster.run(getattr(lesson, strategy), 2, reduce=False, **data))
    assert (split - lesson.vector(lesson.one_process(**data))).abs().max() > 1e-3


def test_data_parallel_ranks_that_drift_are_noticed(cluster, lesson, data):
    """Weights that differ between ranks are an error, not an answer."""
    with pytest.raises(AssertionError, match="drifted"):
        lesson.same_everywhere(cluster.run(lesson.data_parallel, 2, reduce=False, **data))


def test_columns_and_rows_have_the_gradients_of_the_whole_layer(lesson):
    """On a world of one, the split layers give output, input gradient and weight gradients of nn.Linear."""
    torch.manual_seed(0)
    block, x = lesson.Block(6, 10).double(), torch.randn(3, 6, dtype=torch.float64)
    lesson.CopyIn.apply(x)  # forward needs no world
    parts = lesson.tensor_parallel(x, *block.into.parameters(), *block.out.parameters(), 5)
    whole = block.out(F.gelu(block.into(x)))
    assert torch.allclose(parts.sum(0), whole, atol=1e-12)
    gradients = [torch.autograd.grad(y.square().sum(), list(block.out.parameters())) for y in (parts.sum(0), whole)]
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(*gradients))


@pytest.mark.parametrize(("stages", "micro"), [(1, 1), (2, 3), (4, 8), (5, 2)])
def test_the_timetable_respects_who_waits_for_whom(lesson, stages, micro):
    """Forward waits for the stage ahead, backward for the one behind; the idle share is GPipe's bubble."""
    table = lesson.gpipe(stages, micro)
    tick = {(p, int(v)): t for p, row in enumerate(table) for t, v in enumerate(row) if v != 0}
    assert len(tick) == 2 * stages * micro
    for m in range(1, micro + 1):
        for p in range(1, stages):
            assert tick[p, m] > tick[p - 1, m]
            assert tick[p - 1, -m] > tick[p, -m]
        assert tick[stages - 1, -m] > tick[stages - 1, m]
    assert (table == 0).double().mean().item() == pytest.approx((stages - 1) / (micro + stages - 1))


def test_state_bytes_give_the_published_factors(lesson):
    """16 bytes a parameter on one rank; with many ranks ZeRO 1, 2, 3 tend to 4, 2 and 0 (Rajbhandari et al.)."""
    for stage, factor in enumerate((16, 4, 2, 0)):
        assert sum(lesson.state_bytes(10**9, 10**6, stage)) / 1e9 == pytest.approx(factor, abs=1e-3)
        assert sum(lesson.state_bytes(10**9, 1, stage)) == 16 * 10**9


def test_recomputing_a_block_gives_its_gradients(lesson):
    """The lesson's checkpoint equals the plain block, for its input and all its weights."""
    torch.manual_seed(0)
    block, x = lesson.Block(4, 12).double(), torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    wanted = torch.autograd.grad(block(x).square().sum(), [x, *block.parameters()])
    lesson.Recompute.apply(block, x).square().sum().backward()
    for gradient, parameter in zip(wanted, [x, *block.parameters()]):
        assert torch.allclose(gradient, parameter.grad, atol=1e-12)


def test_kept_bytes_counts_what_autograd_saves(lesson):
    """A linear layer keeps its input, once; a second use of the same tensor costs nothing more."""
    model, x = nn.Linear(8, 8, bias=False), torch.randn(16, 8)
    assert lesson.kept_bytes(model, lambda: model(x).sum()) == x.nbytes
    assert lesson.kept_bytes(model, lambda: (model(x) + model(x)).sum()) == x.nbytes


def test_the_plan_adds_up(lesson):
    """OPT-175B's layout holds 16 bytes a parameter over all GPUs; tensor and pipeline traffic vanish at degree one."""
    held = lesson.plan_memory("175B", 992, 8, 1, 3, 8, True)
    states = sum(value for name, value in held.items() if name != "activations")
    assert 992 * states == pytest.approx(16 * lesson.parameters_of(*lesson.OPT["175B"]) / 1e9, rel=1e-3)
    assert sum(held.values()) < 80
    bubble, days = lesson.plan_time("175B", 992, 8, 1, 8, True)
    assert bubble == 0
    assert 30 < days < 36  # the logbook's estimate was 33, on 1,024
    assert lesson.plan_time("13B", 64, 1, 8, 1, False)[0] == pytest.approx(7 / (1024 // 8 + 7))
    alone = lesson.plan_traffic("1.3B", 1, 1, 1, 0, 1, False)
    assert alone == {"data": 0, "tensor": 0, "pipeline": 0}


def test_tensor_traffic_of_the_plan_is_four_all_reduces_a_block(lesson):
    """For one micro-batch of one sequence: four rings of 2 bytes a number and block, six with recomputation."""
    layers, _, width = lesson.OPT["1.3B"]
    ring = 2 * (4 - 1) / 4 * 2 * lesson.CONTEXT * width / 1e9
    micro = lesson.BATCH  # one group, so that one micro-batch is the whole step
    for recompute, sums in ((False, 4), (True, 6)):
        sent = lesson.plan_traffic("1.3B", 4, 4, 1, 0, micro, recompute)
        assert sent["tensor"] == pytest.approx(sums * layers * ring * micro)


def test_opt_has_the_sizes_of_its_names(lesson):
    """The four models' parameter counts are their names to within 3 %."""
    for name, shape in lesson.OPT.items():
        assert lesson.parameters_of(*shape) / 1e9 == pytest.approx(float(name[:-1]), rel=0.03)


def test_answers_keep_their_types_and_shapes(lesson, tmp_path):
    """What is packed comes back: tensors of any kind, numbers, lists, text."""
    values = {"a": torch.arange(6).view(2, 3), "b": torch.zeros(()), "c": [1, 2.5], "d": "text", "e": True}
    lesson.pack(f"{tmp_path}/file", values)
    found = lesson.unpack(f"{tmp_path}/file")
    assert found.keys() == values.keys()
    assert all(torch.equal(found[k], v) if isinstance(v, torch.Tensor) else found[k] == v for k, v in values.items())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failing_rank_stops_all_and_is_named(lesson):
    """An error on rank 1 arrives with its message while rank 0 waits for it, and no process is left."""
    ranks = lesson.Cluster()
    ranks.start(2)
    pids = [process.pid for process in ranks.running]
    with pytest.raises(RuntimeError, match="rank 1 has had enough"):
        ranks.run(lesson.trouble, 2)
    assert gone(pids)
    answers = ranks.run(lesson.hello, 2)  # and the next run works
    ranks.close()
    assert [answer["sum"] for answer in answers] == [11, 11]


def test_a_hanging_rank_ends_at_the_time_limit(lesson):
    """A rank that never comes costs the limit, not for ever, and no process is left."""
    ranks = lesson.Cluster()
    ranks.start(2)
    pids = [process.pid for process in ranks.running]
    with pytest.raises(TimeoutError):
        ranks.run(lesson.silence, 2, seconds=2)
    assert gone(pids)


@pytest.mark.slow
def test_a_rank_that_dies_is_noticed(lesson):
    """A rank killed from outside ends the run with its exit code, and its partner with it."""
    ranks = lesson.Cluster()
    ranks.start(2)
    pids = [process.pid for process in ranks.running]
    threading.Timer(1.0, ranks.running[1].kill).start()
    with pytest.raises(RuntimeError, match=r"died|failed"):
        ranks.run(lesson.silence, 2, seconds=30)
    assert gone(pids)


NOTEBOOK = """
import sys
from tinyfrontier.authoring import definitions
lesson = definitions(7)
cluster = lesson.Cluster()
cluster.start(2)
print(*(process.pid for process in cluster.running), flush=True)
try:
    cluster.run(lesson.silence, 2, seconds=50)
except KeyboardInterrupt:
    print("interrupted", len(cluster.running), flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["interrupt", "kill"])
@pytest.mark.skipif(os.name == "nt", reason="signals to one process are POSIX")
def test_no_rank_outlives_an_interrupt_or_a_killed_notebook(how):
    """After an interrupt in the middle of a job, and after the notebook's own death, its ranks are gone."""
    with subprocess.Popen(
        [sys.executable, "-c", NOTEBOOK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as notebook:
        pids = [int(pid) for pid in notebook.stdout.readline().split()]
        try:
            time.sleep(2.5)  # the ranks are in the job by now
            assert all(psutil.pid_exists(pid) for pid in pids)
            notebook.send_signal(signal.SIGINT if how == "interrupt" else signal.SIGKILL)
            if how == "interrupt":
                assert notebook.stdout.readline().split() == ["interrupted", "0"]
            assert len(pids) == 2
            assert gone(pids)
        finally:
            notebook.kill()
            for pid in pids:
                with contextlib.suppress(psutil.NoSuchProcess):
                    psutil.Process(pid).kill()


def test_a_reference_of_every_exercise_serves_the_later_cells(lesson):
    """What students have not solved is done by the course's own function, with the same result as the lesson's."""
    for name, exercise in exercises_of(7).items():
        for case in exercise.build():
            mine, theirs = getattr(lesson, name)(*case.args), exercise.oracle(*case.args)
            assert torch.allclose(
                torch.as_tensor(mine, dtype=torch.float64), torch.as_tensor(theirs).double(), atol=1e-4
            )


def torchrun(*options, out, processes=1, launch=("--standalone",)):
    """Start the script as a cluster would."""
    command = [sys.executable, "-m", "torch.distributed.run", *launch, "--nproc-per-node", str(processes), str(SCRIPT)]
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else os.environ
    arguments = ["--steps", "4", "--out", str(out), *options]
    return subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def finish(*launched):
    """Wait for all; the error's text where one failed."""
    try:
        for process in launched:
            _, said = process.communicate(timeout=100)
            assert process.returncode == 0, textwrap.shorten(said, 3000)
    finally:
        for process in launched:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def one_process_script(tmp_path_factory):
    """What the script writes on one process: record and weights."""
    folder = tmp_path_factory.mktemp("one")
    finish(torchrun(out=folder))
    return json.loads((folder / "record.json").read_text()), load_file(folder / "weights.safetensors")


def check_script(folder, reference, loss=1e-4, weight=1e-3):
    """The record, after comparing losses and weights with one process."""
    record, weights = json.loads((folder / "record.json").read_text()), load_file(folder / "weights.safetensors")
    assert record["losses"] == pytest.approx(reference[0]["losses"], abs=loss)
    assert weights.keys() == reference[1].keys()
    assert max(float((weights[name] - value).abs().max()) for name, value in reference[1].items()) < weight
    return record


LAYOUTS = [
    pytest.param(2, ["--accumulate", "2", "--recompute"], 0.51, id="two-sharded"),
    pytest.param(2, ["--tensor", "2"], 0.65, id="two-tensor"),
    pytest.param(4, ["--tensor", "2"], 0.33, id="four-both"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "options", "share"), LAYOUTS)
def test_the_script_gives_the_same_model_on_more_processes(tmp_path, one_process_script, processes, options, share):
    """Under torchrun, two and four processes end with the losses and weights of one, and hold less each."""
    finish(torchrun(*options, out=tmp_path, processes=processes))
    record = check_script(tmp_path, one_process_script)
    assert record["world"] == processes
    assert record["bytes_of_weights_held"] < share * one_process_script[0]["bytes_of_weights_held"]


@pytest.mark.slow
def test_the_script_runs_unchanged_on_two_hosts(tmp_path, one_process_script):
    """Two launches that meet at an address, as two machines would, train one model."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    meet = ["--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}", "--rdzv-id", "lesson07"]
    finish(*(torchrun(out=tmp_path, launch=[*meet, "--local-addr", "127.0.0.1"]) for _ in range(2)))
    assert check_script(tmp_path, one_process_script)["world"] == 2


@pytest.mark.slow
def test_the_script_in_bf16_stays_close(tmp_path, one_process_script):
    """Computing in bf16 with weights in fp32 changes the losses by less than 0.02."""
    finish(torchrun("--bf16", out=tmp_path, processes=2))
    check_script(tmp_path, one_process_script, loss=0.02, weight=0.02)


def test_the_script_refuses_what_does_not_divide():
    """A batch that the processes cannot share is refused with a sentence that names the argument."""
    source = SCRIPT.read_text(encoding="utf-8")
    assert "--batch must be a multiple" in source
    assert "--tensor must divide" in source


def test_the_folder_beside_the_lesson_is_no_lesson():
    """The lesson reader takes the source, and leaves the script's folder alone."""
    assert lesson_path(7) in find_lessons()
    assert not [path for path in find_lessons() if path.is_dir()]
