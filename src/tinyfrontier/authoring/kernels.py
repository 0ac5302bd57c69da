"""Run a notebook in a fresh kernel, offline and on one thread, and measure what it costs. Needs nbclient and psutil."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil
from nbclient import NotebookClient
from nbformat import NotebookNode

from .offline import GUARD

CPU_SECONDS_WANTED, CPU_SECONDS_LIMIT = 45.0, 60.0
PEAK_MIB_LIMIT = 1536.0
CELL_TIMEOUT = 180

KERNEL_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TINYFRONTIER_PROGRESS": "off",
    "TQDM_DISABLE": "1",
}


@dataclass(frozen=True)
class Cost:
    """What a run cost: process CPU time in seconds, and peak resident memory in MiB."""

    cpu_seconds: float
    peak_mib: float


def cost_of_process(pid: int) -> Cost:
    """CPU time and peak memory of a running process and its finished children.

    Peak memory falls back to the present one where the system keeps no peak.
    """
    process = psutil.Process(pid)
    times = process.cpu_times()
    seconds = times.user + times.system + getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
    memory = process.memory_info()
    peak = float(getattr(memory, "peak_wset", memory.rss))
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                peak = float(line.split()[1]) * 1024
    return Cost(seconds, peak / 2**20)


def kernel_environment(*, strict: bool) -> dict[str, str]:
    """The environment a notebook runs in: one thread, no progress bars, no progress file, strict or lenient checks."""
    environment = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    environment.update(KERNEL_ENVIRONMENT)
    environment["TINYFRONTIER_STRICT"] = "1" if strict else ""
    return environment


class _Client(NotebookClient):
    """A client whose kernel is off the network before the first cell, and is measured after the last."""

    cost: Cost | None = None

    async def async_start_new_kernel_client(self):
        client = await super().async_start_new_kernel_client()
        reply = await client.execute_interactive(
            GUARD, store_history=False, timeout=60, output_hook=lambda message: None
        )
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"the offline guard did not start: {reply['content']}")
        return client

    async def _async_cleanup_kernel(self):
        provisioner = getattr(self.km, "provisioner", None)
        pid = getattr(provisioner, "pid", None)
        if pid and psutil.pid_exists(pid):
            self.cost = cost_of_process(pid)
        await super()._async_cleanup_kernel()


def execute(notebook: NotebookNode, folder: Path, *, strict: bool = True) -> Cost:
    """Execute `notebook` in place in a fresh kernel and return its cost.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell raises.
        nbclient.exceptions.CellTimeoutError: if a cell runs longer than `CELL_TIMEOUT` seconds.
    """
    client = _Client(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
    )
    client.execute(env=kernel_environment(strict=strict), cwd=str(folder))
    if client.cost is None:
        raise RuntimeError("the kernel ended before it could be measured")
    return client.cost
