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
from operator import attrgetter

import psutil
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file
from tinyfrontier.beside.lesson_07 import plan, ranks, savings

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
    shared = ranks.Cluster()
    yield shared
    shared.close()


@pytest.fixture(scope="module")
def data():
    """Images of noise, so that nothing has to be loaded."""
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.rand(200, 64, generator=generator), torch.randint(10, (200,), generator=generator)
    return {"images": images, "labels": labels, "steps": STEPS, "seed": SEED, "dtype": "float64"}


def members(cluster):
    """The process ids of a cluster's ranks and of the process that they come from."""
    mine = [psutil.Process(process.pid) for process in cluster.running]
    return [process.pid for parent in mine for process in (parent, *parent.children(recursive=True))]


def wait_for_ranks(cluster, seconds=60.0):
    """The same, once the ranks of a job are there."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if cluster.running and len(members(cluster)) > 2:
            return members(cluster)
        time.sleep(0.05)
    raise AssertionError("no ranks were started")


def gone(processes, seconds=60.0):
    """Whether all processes have ended within some seconds."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in processes):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("world", [1, 2, 3])
def test_the_ring_sums_and_sends_what_the_formula_says(cluster, lesson, world):
    """The ring equals gloo's all-reduce for a length that does not divide, and the system counts its bytes."""
    for off, ring, gloo in cluster.run(lesson.compare_sums, world, numbers=50_001):
        assert off < 1e-5
        if ranks.written() >= 0:
            wanted = 2 * (world - 1) * math.ceil(50_001 / world) * 4
            assert ring == pytest.approx(wanted, rel=0.02, abs=1000)
            assert gloo == pytest.approx(wanted, rel=0.02, abs=1000)


STRATEGIES = [
    ("data_parallel", "same_everywhere", 2),
    ("tensor_training", "put_together", 2),
    ("pipeline.pipeline_training", "end_to_end", 2),
    ("zero_training", "same_everywhere", 2),
    pytest.param("data_parallel", "same_everywhere", 4, marks=pytest.mark.slow),
    pytest.param("tensor_training", "put_together", 4, marks=pytest.mark.slow),
    pytest.param("pipeline.pipeline_training", "end_to_end", 4, marks=pytest.mark.slow),
    pytest.param("zero_training", "same_everywhere", 4, marks=pytest.mark.slow),
]


def weights(answers):
    """The weights that each rank reports."""
    return [answer["weights"] for answer in answers]


@pytest.mark.parametrize(("strategy", "join", "world"), STRATEGIES)
def test_a_split_run_equals_one_process(cluster, lesson, data, strategy, join, world):
    """Each way of splitting ends with the weights of one process, in double precision to 1e-11."""
    alone = lesson.vector(lesson.one_process(**data)["weights"])
    split = getattr(lesson, join)(weights(cluster.run(attrgetter(strategy)(lesson), world, **data)))
    assert alone.shape == split.shape
    assert (split - alone).abs().max() < 1e-11


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "world"), [("DDP", 2), ("FSDP2", 4), ("DTensor", 2), ("FSDP2 x DTensor", 4)])
def test_the_library_equals_one_process(cluster, lesson, data, kind, world):
    """DDP, FSDP2, DTensor and the last two together end with the weights of one process, to 1e-11."""
    alone = lesson.vector(lesson.one_process(**data)["weights"])
    answers = cluster.run(lesson.library.library_training, world, kind=kind, **data)
    assert (lesson.same_everywhere(weights(answers)) - alone).abs().max() < 1e-11


@pytest.mark.parametrize("world", [2, 4])
@pytest.mark.parametrize("way", ["data parallel", "tensor parallel", "pipeline", "ZeRO-1"])
def test_held_and_sent_are_what_the_price_list_says(cluster, lesson, data, way, world):
    """The busiest rank holds what is foretold to 2 %, and writes what is foretold to 6 %, by the system's count."""
    names = {"data parallel": "data_parallel", "tensor parallel": "tensor_training", "ZeRO-1": "zero_training"}
    job = lesson.pipeline.pipeline_training if way == "pipeline" else getattr(lesson, names[way])
    answers = cluster.run(job, world, **{**data, "dtype": "float32"})
    held, sent = lesson.foretold(way, world)
    assert max(answer["held"] for answer in answers) == pytest.approx(held, rel=0.02)
    if ranks.written() >= 0:
        assert max(answer["sent"] for answer in answers) == pytest.approx(sent, rel=0.06)


@pytest.mark.slow
def test_unequal_parts_are_another_gradient(cluster, lesson, data):
    """64 images on three ranks are 22, 22 and 20, and the mean of their means is not the mean of all."""
    split = lesson.same_everywhere(weights(cluster.run(lesson.data_parallel, 3, **data)))
    assert (split - lesson.vector(lesson.one_process(**data)["weights"])).abs().max() > 1e-6


@pytest.mark.parametrize("strategy", ["data_parallel", "tensor_training"])
def test_the_controls_fail(cluster, lesson, data, strategy):
    """Without their sums over ranks, data parallel and tensor parallel training go wrong."""
    join = lesson.put_together if strategy == "tensor_training" else lambda parts: lesson.vector(parts[0])
    split = join(weights(cluster.run(getattr(lesson, strategy), 2, reduce=False, **data)))
    assert (split - lesson.vector(lesson.one_process(**data)["weights"])).abs().max() > 1e-3


def test_data_parallel_ranks_that_drift_are_noticed(cluster, lesson, data):
    """Weights that differ between ranks are an error, not an answer."""
    with pytest.raises(AssertionError, match="drifted"):
        lesson.same_everywhere(weights(cluster.run(lesson.data_parallel, 2, reduce=False, **data)))


def test_columns_and_rows_have_the_gradients_of_the_whole_layer(lesson):
    """The parts of a layer sum to it, and so do their gradients."""
    torch.manual_seed(0)
    block, x = lesson.Block(6, 10).double(), torch.randn(3, 6, dtype=torch.float64)
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


def test_a_batch_in_parts_and_blocks_run_again_give_the_same_gradients(lesson):
    """Parts and recomputation keep less and leave the gradients as they are; parts do no more work."""
    model, x = lesson.make_model(0, "float64"), torch.randn(16, 64, dtype=torch.float64)
    y = torch.arange(16) % 10
    kept, work, wanted = savings.activations(model, x, y)
    less, same_work, in_parts = savings.activations(model, x, y, parts=4)
    least, more_work, again = savings.activations(model, x, y, again=True)
    assert torch.allclose(in_parts, wanted, atol=1e-12)
    assert torch.allclose(again, wanted, atol=1e-12)
    assert less == pytest.approx(kept / 4, rel=0.01)
    assert least < kept / 4
    assert same_work == work < more_work <= work * 4 / 3


def test_kept_bytes_counts_what_autograd_saves():
    """A linear layer keeps its input, once; a second use of the same tensor costs nothing more."""
    model, x = nn.Linear(8, 8, bias=False), torch.randn(16, 8)
    assert savings.kept_bytes(model, lambda: model(x).sum()) == x.nbytes
    assert savings.kept_bytes(model, lambda: (model(x) + model(x)).sum()) == x.nbytes


def test_updates_are_lost_at_the_small_rate_only(lesson, monkeypatch):
    """In bfloat16 alone a step of 1e-4 leaves most weights as they were, one of 3e-3 few; fp32 loses none."""
    images, labels = torch.rand(200, 64), torch.arange(200) % 10
    for name, value in {"train_images": images, "train_labels": labels}.items():
        monkeypatch.setattr(lesson, name, value, raising=False)
        monkeypatch.setattr(lesson, name.replace("train", "test"), value, raising=False)
    monkeypatch.setenv("TINYFRONTIER_REHEARSAL", "1")  # a dozen steps are enough
    lost = {rate: lesson.train_in("bf16 alone", rate, 3)[1] for rate in (1e-4, 3e-3)}
    assert lost[1e-4] > 0.5 > 0.3 > lost[3e-3]
    assert lesson.train_in("bf16, fp32 master", 1e-4, 3)[1] < 0.05


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_the_plan_holds_what_the_exercise_says(lesson, stage):
    """Weights, gradients and Adam of the plan are `state_bytes` of a share."""
    held = plan.memory("13B", 64, 4, 2, stage, 1, True)
    wanted = lesson.state_bytes(plan.parameters_of(*plan.OPT["13B"]) // 8, 8, stage)
    assert [held[name] * 1e9 for name in ("weights", "gradients", "Adam")] == pytest.approx(wanted)


def test_the_plan_adds_up():
    """OPT-175B's layout holds 16 bytes a parameter over all GPUs; tensor and pipeline traffic vanish at degree one."""
    held = plan.memory("175B", 992, 8, 1, 3, 8, True)
    states = sum(value for name, value in held.items() if name != "activations")
    assert 992 * states == pytest.approx(16 * plan.parameters_of(*plan.OPT["175B"]) / 1e9, rel=1e-3)
    assert sum(held.values()) < 80
    bubble, days = plan.duration("175B", 992, 8, 1, 8, True)
    assert bubble == 0
    assert 30 < days < 36  # the logbook's estimate was 33, on 1,024
    assert plan.duration("13B", 64, 1, 8, 1, False)[0] == pytest.approx(7 / (1024 // 8 + 7))
    assert plan.traffic("1.3B", 1, 1, 1, 0, 1, False) == {"data": 0, "tensor": 0, "pipeline": 0}


def test_tensor_traffic_of_the_plan_is_four_all_reduces_a_block():
    """For one micro-batch of one sequence: four rings of 2 bytes a number and block, six with recomputation."""
    layers, _, width = plan.OPT["1.3B"]
    ring = 2 * (4 - 1) / 4 * 2 * plan.CONTEXT * width / 1e9
    micro = plan.BATCH  # one group, so that one micro-batch is the whole step
    for recompute, sums in ((False, 4), (True, 6)):
        sent = plan.traffic("1.3B", 4, 4, 1, 0, micro, recompute)
        assert sent["tensor"] == pytest.approx(sums * layers * ring * micro)


def test_opt_has_the_sizes_of_its_names():
    """The four models' parameter counts are their names to within 3 %."""
    for name, shape in plan.OPT.items():
        assert plan.parameters_of(*shape) / 1e9 == pytest.approx(float(name[:-1]), rel=0.03)


def test_answers_keep_their_types_and_shapes(tmp_path):
    """What is packed comes back: tensors of any kind, numbers, lists, text."""
    values = {"a": torch.arange(6).view(2, 3), "b": torch.zeros(()), "c": [1, 2.5], "d": "text", "e": True}
    ranks.pack(tmp_path / "file", values)
    found = ranks.unpack(tmp_path / "file")
    assert found.keys() == values.keys()
    assert all(torch.equal(found[k], v) if isinstance(v, torch.Tensor) else found[k] == v for k, v in values.items())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failing_rank_stops_all_and_is_named(lesson):
    """An error on rank 1 arrives with its message while rank 0 waits for it, and no process is left."""
    own = ranks.Cluster()
    own.start(2)
    pids = members(own)
    with pytest.raises(RuntimeError, match="rank 1 has had enough"):
        own.run(ranks.trouble, 2)
    assert gone(pids)
    answers = own.run(lesson.hello, 2)  # and the next run works
    own.close()
    assert answers == [11, 11]


def test_a_hanging_rank_ends_at_the_time_limit():
    """A rank that never comes costs the limit, not for ever, and no process is left."""
    own, pids = ranks.Cluster(), []
    watch = threading.Thread(target=lambda: pids.extend(wait_for_ranks(own)))
    watch.start()
    with pytest.raises(TimeoutError):
        own.run(ranks.silence, 2, seconds=12)
    watch.join()
    assert len(pids) > 2
    assert gone(pids)


@pytest.mark.slow
def test_a_rank_that_dies_is_noticed():
    """A rank killed from outside ends the run with its exit code, and its partner with it."""
    own, pids = ranks.Cluster(), []

    def murder():
        pids.extend(wait_for_ranks(own))
        time.sleep(0.5)
        psutil.Process(pids[-1]).kill()

    threading.Thread(target=murder).start()
    with pytest.raises(RuntimeError, match=r"died|failed"):
        own.run(ranks.silence, 2, seconds=60)
    assert gone(pids)


NOTEBOOK = """
import sys, threading, time
from tinyfrontier.beside.lesson_07 import ranks
import psutil
cluster = ranks.Cluster()

def tell():
    while True:
        time.sleep(0.05)
        mine = [psutil.Process(process.pid) for process in cluster.running]
        pids = [p.pid for parent in mine for p in (parent, *parent.children())]
        if len(pids) > 2:
            return print(*pids, flush=True)

threading.Thread(target=tell, daemon=True).start()
try:
    cluster.run(ranks.silence, 2, seconds=90)
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
            time.sleep(1)  # the ranks are in the job by now
            assert all(psutil.pid_exists(pid) for pid in pids)
            notebook.send_signal(signal.SIGINT if how == "interrupt" else signal.SIGKILL)
            if how == "interrupt":
                assert notebook.stdout.readline().split() == ["interrupted", "0"]
            assert len(pids) > 2
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
