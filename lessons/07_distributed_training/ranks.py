"""Ranks for a notebook: start them, hand them jobs, collect their answers, never leave one behind.

Also what the lesson measures on a rank: bytes held, bytes written. Knows nothing of the
lesson's models and strategies; a rank runs this very file.

On Linux one process, the nursery, imports PyTorch once and forks a fresh set of ranks for every job. Elsewhere each
rank is a process of its own that takes job after job.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median  # noqa: F401  the cells' own, which run in this namespace
from typing import Any

import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F  # noqa: F401  the same

from tinyfrontier.training import progress  # noqa: F401  the same

__all__ = ["Cluster", "everywhere", "held", "local", "scatter_cost", "silence", "trouble", "whole_of", "written"]

FORKS = sys.platform == "linux"
LOOPBACK = {"linux": "lo", "darwin": "lo0"}  # talk inside this machine only
PROGRAM: dict[str, str] = {}


def everywhere(thing: Any) -> Any:
    """Mark a function or class for the ranks; they run the very source that stands in the cell."""
    lines, at = inspect.findsource(thing.forward if isinstance(thing, type) else thing)
    while isinstance(thing, type) and not lines[at].startswith("class "):
        at -= 1
    PROGRAM[thing.__name__] = "".join(inspect.getblock(lines[at:]))
    return thing


# What a rank counts.


def local(tensor: torch.Tensor) -> torch.Tensor:
    """What of a tensor is here: all of it, unless the library has spread it over ranks."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def whole_of(tensor: torch.Tensor) -> torch.Tensor:
    """A copy of a tensor, put together first if the library has spread it; then every rank has to ask for it."""
    return (tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor).detach().clone()


def held(model: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """Bytes of the weights, gradients and optimiser state that live in this process, each piece of memory once."""
    tensors = [*model.parameters()]
    tensors += [p.grad for p in model.parameters() if p.grad is not None]
    tensors += [value for state in optimiser.state.values() for value in state.values()]
    storages = [local(tensor).untyped_storage() for tensor in tensors]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def written() -> int:
    """Bytes that this process has written so far, to sockets or files; -1 where the system does not tell."""
    with contextlib.suppress(OSError), open("/proc/self/io") as counters:
        return int(counters.read().split("wchar:")[1].split()[0])
    return -1


@everywhere
def scatter_cost(numbers):
    """Bytes that gloo writes for a reduce-scatter, as a share of those for an all-reduce of the same data."""
    data, out, before = torch.ones(numbers), torch.empty(numbers // dist.get_world_size()), written()
    dist.reduce_scatter_tensor(out, data)
    between = written()
    dist.all_reduce(data)
    return (between - before) / max(1, written() - between)


# Two jobs that go wrong.


@everywhere
def trouble():
    """One rank fails while the other waits for it."""
    if dist.get_rank() == 1:
        raise ValueError("rank 1 has had enough")
    dist.all_reduce(torch.zeros(1))


@everywhere
def silence():
    """One rank never comes."""
    while dist.get_rank() == 1:
        time.sleep(1)
    dist.all_reduce(torch.zeros(1))


# The life of a rank.


def pack(path: str | Path, values: Any) -> None:
    """Write values into one file, which appears all at once, so that nobody reads half of it."""
    Path(f"{path}.part").write_bytes(pickle.dumps(values))
    os.replace(f"{path}.part", path)


def unpack(path: str | Path) -> Any:
    """Read what `pack` wrote."""
    return pickle.loads(Path(path).read_bytes())  # noqa: S301  files of this run, in a folder of its own


def work(rank: int, folder: str) -> None:
    """One job: meet the other ranks, run the function in the world that they form, leave the answer in a file."""
    try:
        program, function, ranks, seconds, arguments = unpack(f"{folder}/job")
        torch.set_num_threads(1)
        names = {**globals(), "__name__": "rank", "everywhere": lambda thing: thing}
        exec(compile(program, "the notebook's cells", "exec", dont_inherit=True), names)
        meeting = f"file:///{folder.lstrip('/')}/meeting"  # on a cluster this is an address
        limit = timedelta(seconds=seconds)
        dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=ranks, timeout=limit)
        try:
            answer = {"answer": names[function](**arguments)}
        finally:
            dist.destroy_process_group()
    except Exception:
        answer = {"error": traceback.format_exc()}
    pack(f"{folder}/answer{rank}", answer)


def import_once() -> None:
    """The parts of PyTorch that are slow to import, before there are ranks."""
    import torch._dynamo  # optimisers ask for it at their first step
    import torch.distributed.fsdp
    import torch.distributed.tensor.parallel  # noqa: F401


def nursery() -> None:
    """Fork ranks for each job that comes through the pipe; end with them all when the pipe closes."""
    children: dict[int, tuple[str, int]] = {}

    def reap(*_: Any) -> None:
        for pid in [*children]:
            with contextlib.suppress(ChildProcessError):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    folder, rank = children.pop(pid)
                    if status:
                        code = os.waitstatus_to_exitcode(status)
                        pack(f"{folder}/answer{rank}", {"error": f"it died with exit code {code}"})

    import_once()
    signal.signal(signal.SIGCHLD, reap)
    for line in sys.stdin:
        folder, ranks = line.rstrip("\n").rsplit(" ", 1)
        for rank in range(int(ranks)):
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                work(rank, folder)
                os._exit(0)
            children[pid] = folder, rank
        reap()  # for one that ended before it was noted
    os.killpg(0, signal.SIGKILL)  # the notebook wants no more, or is gone


def resident(rank: int) -> None:
    """Where there is no fork: take job after job. The thread that reads the pipe ends the rank when the pipe closes."""
    jobs: queue.SimpleQueue = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            jobs.put(line.rstrip("\n").rsplit(" ", 1)[0])
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        work(rank, jobs.get())


# The notebook's side.


def collect(running: Sequence[subprocess.Popen], folder: Path, ranks: int, deadline: float) -> list:
    """The answers of all ranks, in order.

    An error in one rank soon becomes an error in those that talk to it; after the first the others have half a second.

    Raises:
        RuntimeError: what went wrong in which rank.
        TimeoutError: at the deadline.
    """
    answers: dict[int, Any] = {}
    while len(answers) < ranks:
        for rank in set(range(ranks)) - set(answers):
            if (folder / f"answer{rank}").exists():
                answers[rank] = unpack(folder / f"answer{rank}")
            elif any(process.poll() is not None for process in running):
                answers[rank] = {"error": "its process died"}
        errors = [f"rank {r} failed: {answers[r]['error']}" for r in sorted(answers) if "error" in answers[r]]
        if errors:
            deadline = min(deadline, time.monotonic() + 0.5)
        late = time.monotonic() > deadline
        if errors and (late or len(answers) == ranks):
            raise RuntimeError("\n".join(errors))
        if late:
            raise TimeoutError(f"{ranks - len(answers)} of {ranks} ranks gave no answer in time")
        time.sleep(0.005)
    return [answers[rank]["answer"] for rank in range(ranks)]


class Cluster:
    """Ranks that can be told what to do: started when first needed, never left behind.

    Attributes:
        running: the processes of this notebook's ranks; on Linux the nursery alone, whose children they are.
    """

    def __init__(self) -> None:
        self.home = tempfile.TemporaryDirectory(prefix="ranks-", ignore_cleanup_errors=True)
        self.running: list[subprocess.Popen] = []
        self.jobs = 0

    def start(self, ranks: int) -> None:
        """Have enough processes for so many ranks."""
        own = {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        if sys.platform in LOOPBACK:
            own["GLOO_SOCKET_IFNAME"] = LOOPBACK[sys.platform]
        for rank in range(len(self.running), 1 if FORKS else ranks):
            with open(Path(self.home.name, f"log{rank}"), "w") as log:
                # a session of its own, so that an interrupt reaches the notebook, which then stops the ranks
                process = subprocess.Popen(
                    [sys.executable, __file__, *([] if FORKS else [str(rank)])],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    env=os.environ | own,
                    start_new_session=True,
                )
            self.running.append(process)

    def run(self, function: Callable, ranks: int, seconds: float = 60, **arguments: Any) -> list:
        """Run `function(**arguments)`, which is marked by `everywhere`, on so many ranks at once.

        Whatever goes wrong, an interrupt from the keyboard included, ends in the same way: every rank is stopped.

        Returns:
            The answers, one a rank.

        Raises:
            RuntimeError: if a rank raises or dies; the message names it.
            TimeoutError: if an answer is missing after so many seconds.
        """
        self.jobs += 1
        folder = Path(self.home.name, f"job{self.jobs}")
        folder.mkdir()
        pack(folder / "job", ("\n\n".join(PROGRAM.values()), function.__name__, ranks, seconds, arguments))
        try:
            self.start(ranks)
            for process in self.running[:ranks]:
                process.stdin.write(f"{folder.as_posix()} {ranks}\n".encode())
                process.stdin.flush()
            return collect(self.running, folder, ranks, time.monotonic() + seconds)
        except BaseException:  # an interrupt is one, too
            self.close()
            raise

    def close(self) -> None:
        """Stop every rank, whatever it is doing."""
        for process in self.running:
            with contextlib.suppress(ProcessLookupError):
                if FORKS:
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
        for process in self.running:
            process.wait()
            process.stdin.close()
        self.running = []


if __name__ == "__main__":
    nursery() if FORKS else resident(int(sys.argv[1]))
