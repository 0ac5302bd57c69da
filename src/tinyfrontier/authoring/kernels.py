"""Run a notebook in a fresh kernel, offline and on one thread, and measure what it costs. Needs nbclient and psutil."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from nbclient import NotebookClient
from nbformat import NotebookNode

from .calibration import CELL_SECONDS_LIMIT, Speed
from .lessons import ROOT
from .offline import GUARD

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
    """What a run cost.

    Attributes:
        cpu_seconds: process CPU time, with that of finished children.
        peak_mib: peak resident memory, MiB.
        cells: CPU seconds of each code cell by its id, in order; empty where cells were not told apart.
        files: the course's own files that the run read (modules, weights, data), relative to the course's folder.
    """

    cpu_seconds: float
    peak_mib: float
    cells: dict[str, float] = field(default_factory=dict)
    files: tuple[str, ...] = ()


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


def kernel_environment(*, strict: bool, rehearsal: bool = False) -> dict[str, str]:
    """The environment a notebook runs in: one thread, no progress bars, no progress file, strict or lenient checks.

    In a rehearsal every training ends after a dozen steps; only the tests ask for it, and only for students' copies.
    """
    environment = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    environment.update(KERNEL_ENVIRONMENT)
    environment["TINYFRONTIER_STRICT"] = "1" if strict else ""
    environment["TINYFRONTIER_REHEARSAL"] = "1" if rehearsal else ""
    return environment


# Asked of a kernel after its last cell: which of the course's own files it has read. Compiled modules are no files of
# ours, so modules are asked for by name; data and weights were noted by an audit hook, as they were opened.
_WATCH = """
def _watch_files():
    import sys
    opened = set()
    def note(event, arguments):
        if event == "open" and isinstance(arguments[0], str) and isinstance(arguments[1], (str, type(None))):
            if not set(arguments[1] or "r") & set("wax+"):
                opened.add(arguments[0])
    sys.addaudithook(note)
    sys._tinyfrontier_opened = opened
_watch_files()
del _watch_files
"""
_ASK = """
import json as _json, sys as _sys
print("\\n".join(sorted({*_sys._tinyfrontier_opened, *(
    _module.__file__ for _module in list(_sys.modules.values()) if getattr(_module, "__file__", None)
)})))
"""


def own_files(opened: list[str], root: Path) -> tuple[str, ...]:
    """Of the files that a run opened, those of the course that a lesson can depend on, with their folders' company.

    Weights are read past Python, so of a folder of weights every file counts once one was opened.
    """
    found: set[Path] = set()
    for name in opened:
        path = Path(name)
        if not path.is_absolute() or not path.is_relative_to(root) or not path.is_file() or path.suffix == ".pyc":
            continue
        inside = path.relative_to(root)
        if inside.parts[0] == "src" or (inside.parts[0] == "lessons" and len(inside.parts) > 2):
            found.add(inside)
            if "pretrained" in inside.parts and path.suffix != ".py":
                found.update(each.relative_to(root) for each in path.parent.iterdir() if each.is_file())
    authoring = Path("src/tinyfrontier/authoring")
    return tuple(sorted(path.as_posix() for path in found if not path.is_relative_to(authoring)))


class _Client(NotebookClient):
    """A client whose kernel is off the network before the first cell, and is measured cell by cell."""

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.cost: Cost | None = None
        self.spent: dict[str, float] = {}
        self._before = 0.0
        self.on_cell_start = self._started
        self.on_cell_executed = self._executed

    def _cost(self) -> Cost:
        return cost_of_process(self.km.provisioner.pid)

    def _started(self, cell, cell_index) -> None:
        if cell.cell_type == "code":
            self._before = self._cost().cpu_seconds

    def _executed(self, cell, cell_index, execute_reply) -> None:
        self.spent[cell.id] = round(self._cost().cpu_seconds - self._before, 2)

    async def _quietly(self, client, code: str) -> str:
        said: list[str] = []

        def hear(message) -> None:
            said.append(message["content"].get("text", ""))

        reply = await client.execute_interactive(code, store_history=False, timeout=300, output_hook=hear)
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"the kernel's own code did not run: {reply['content']}")
        return "".join(said)

    async def async_start_new_kernel_client(self):
        client = await super().async_start_new_kernel_client()
        await self._quietly(client, _WATCH + GUARD)
        return client

    async def _async_cleanup_kernel(self):
        pid = getattr(getattr(self.km, "provisioner", None), "pid", None)
        if pid and psutil.pid_exists(pid) and await self.km.is_alive():
            whole = self._cost()
            if self.spent and len(self.spent) == sum(cell.cell_type == "code" for cell in self.nb.cells):
                opened = (await self._quietly(self.kc, _ASK)).splitlines()
                whole = Cost(whole.cpu_seconds, whole.peak_mib, self.spent, own_files(opened, ROOT))
            self.cost = whole
        await super()._async_cleanup_kernel()


def execute(
    notebook: NotebookNode, folder: Path, *, strict: bool = True, rehearsal: bool = False, speed: Speed | None = None
) -> Cost:
    """Execute `notebook` in place in a fresh kernel and return its cost.

    Args:
        notebook: changed in place: outputs are filled in.
        folder: the working folder of the kernel.
        strict: whether a check that does not pass raises.
        rehearsal: whether every training ends after a dozen steps.
        speed: how fast this machine is now; a cell is interrupted after 20 times the most that a cell may cost.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell raises.
        nbclient.exceptions.CellTimeoutError: if a cell hangs.
        nbclient.exceptions.DeadKernelError: if the kernel dies.
    """
    client = _Client(
        notebook,
        timeout=int((speed or Speed(1.0, 1.0)).patience(CELL_SECONDS_LIMIT)),
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
    )
    client.execute(env=kernel_environment(strict=strict, rehearsal=rehearsal), cwd=str(folder))
    if client.cost is None:
        raise RuntimeError("the kernel ended before it could be measured")
    return client.cost
