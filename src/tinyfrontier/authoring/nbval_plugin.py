"""A pytest plugin that runs notebooks the way the course promises: offline, on one thread, in bounded memory.

Use it with `pytest -p tinyfrontier.authoring.nbval_plugin --nbval-lax notebooks solutions`; it wraps nbval. Solutions
run in strict mode, so that a check that fails stops the run; students' copies run in rehearsal, because they only have
to prove that every cell runs (`--full-notebooks` runs them in full). Seconds never decide: what a notebook cost stands
in a table at the end; an error, a changed checked output, a dead kernel, a hung cell or too much memory fails.
"""

from __future__ import annotations

import json
import os
import sys
import time
import types
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from queue import Empty

import pytest

from tinyfrontier._rounding import PLAINER_PROCESSOR

from .calibration import CELL_SECONDS_LIMIT, PEAK_MIB_LIMIT, SECONDS_LIMIT, calibrate
from .kernels import cost_of_process, kernel_environment
from .offline import GUARD, ROUNDING

# jsonschema asks for this parser when it is installed (JupyterLab brings it), at 2.5 s an import; nothing here uses it.
sys.modules.setdefault("rfc3987_syntax", types.ModuleType("rfc3987_syntax"))

WORKER_BYTES = 2 * 2**30  # a kernel peaks at 1.5 GiB, and the process that drives it holds PyTorch too
START_SECONDS = 300  # for a kernel to start, where many programs share the cores
HEARTBEAT = 5.0  # seconds between two looks at a kernel that has not answered
TITLE = "notebooks"


def pytest_addoption(parser) -> None:
    """Options of this plugin."""
    group = parser.getgroup("tinyfrontier")
    group.addoption("--full-notebooks", action="store_true", help="students' copies without rehearsal")
    group.addoption("--rounding", type=int, default=0, help="round as another machine might; 1, 2, ... are such ways")
    group.addoption("--hang-after", type=float, default=None, help="seconds after which a cell counts as hung")
    group.addoption("--peak-mib", type=float, default=None, help="memory that a kernel may take, MiB")
    group.addoption("--only-lessons", default="", help="notebooks and tests of these lessons only, as 06,17")
    group.addoption("--only-notebooks", default="", help="notebooks of these lessons only, and all tests")


def pytest_configure(config) -> None:
    """Wrap nbval's notebook and cell collectors."""
    from nbval.kernel import RunningKernel
    from nbval.plugin import IPyNbCell, IPyNbFile

    config.option.nbval_kernel_startup_timeout = START_SECONDS
    RunningKernel._ensure_iopub_up = _wait_for_output_channel
    if not hasattr(IPyNbFile, "tinyfrontier"):
        IPyNbFile.tinyfrontier = True
        _wrap_file(IPyNbFile)
        _wrap_cell(IPyNbCell)
    config.pluginmanager.register(_Table(config), "tinyfrontier-table")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config) -> int:
    """As many workers as there are cores that this process may use, with 2 GiB of free memory each."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return workers_for(cores, psutil.virtual_memory().available)


def notebook_of(nodeid: str) -> str:
    """The notebook that a cell's id names, such as `solutions/06_mixture_of_experts`; "" for any other test."""
    file, found, _ = nodeid.partition(".ipynb::")
    return file if found else ""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Schedule by group, with every notebook a group of its own: its cells share a kernel."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadGroupScheduling

    class ByNotebook(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return notebook_of(nodeid) or super()._split_scope(nodeid)

    return ByNotebook(config, log)


def workers_for(cores: int, free_bytes: int) -> int:
    """Number of workers for that many cores and bytes of free memory, at least one."""
    return max(1, min(cores, free_bytes // WORKER_BYTES))


# ------------------------------------------------------------------------------------------------- which, in what order


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items) -> None:
    """Start the longest notebooks first, and leave out what was not asked for."""
    lessons, notebooks = (_numbers(config.option.only_lessons), _numbers(config.option.only_notebooks))
    left_out = [
        item
        for item in items
        if (lessons and not _concerns(item, lessons))
        or (notebooks and _is_cell(item) and not _concerns(item, notebooks))
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    for item in items:
        if _is_cell(item):
            item.add_marker(pytest.mark.timeout(0))  # this plugin watches the kernel itself
    items.sort(key=lambda item: -_expected(item.parent) if _is_cell(item) else 0.0)


def _numbers(text: str) -> list[str]:
    return [number for number in text.split(",") if number]


def _concerns(item, lessons: list[str]) -> bool:
    name = item.path.name
    if item.path.suffix == ".ipynb" or item.path.parent.name == "lessons":
        return name.removeprefix("test_")[:2] in lessons
    return any(f"lesson_{number}" in item.name for number in lessons)


def _is_cell(item) -> bool:
    return hasattr(item, "cell_num")


def _name(file) -> str:
    return f"{file.path.parent.name}/{file.path.stem}"


def _costs(file) -> dict[str, float]:
    """Reference seconds of each cell by its id, as the solution's build measured them; {} if it was never built."""
    solution = file.path.parent.parent / "solutions" / file.path.name
    known = _KNOWN.get(solution)
    if known is None:
        try:
            own = json.loads(solution.read_text(encoding="utf-8"))["metadata"]["tinyfrontier"]
        except (OSError, ValueError, KeyError):
            own = {}
        known = _KNOWN[solution] = own.get("cell_seconds", {})
    return known


_KNOWN: dict[Path, dict[str, float]] = {}


def _expected(file) -> float:
    whole = sum(_costs(file).values())
    return whole if file.path.parent.name == "solutions" else 0.4 * whole


# ------------------------------------------------------------------------------------------------------ how they run


class NotebookStopped(Exception):
    """A cell hung, its kernel died, or its notebook took too much memory; the message is one line."""


def _first_line(source: str) -> str:
    line = next((line.strip() for line in source.splitlines() if line.strip()), "")
    return line if len(line) <= 60 else line[:59] + "…"


def _where(item) -> str:
    return f"{_name(item.parent)}, cell {item.cell_num} (`{_first_line(item.cell.source)}`)"


def _wrap_file(kind) -> None:
    plain_setup, plain_teardown = kind.setup, kind.teardown

    def setup(self) -> None:
        self.speed = calibrate(1)
        self.stopped = ""
        folder = self.path.parent.name
        rehearsal = folder == "notebooks" and not self.config.option.full_notebooks
        kept, wanted = dict(os.environ), kernel_environment(strict=folder == "solutions", rehearsal=rehearsal)
        way = self.config.option.rounding
        wanted.update(PLAINER_PROCESSOR if way else {})
        os.environ.clear()
        os.environ.update(wanted)
        try:
            plain_setup(self)
        finally:
            os.environ.clear()
            os.environ.update(kept)
        for line in (GUARD, ROUNDING.format(way=way)) if way else (GUARD,):
            reply = self.kernel.kc.execute_interactive(line, silent=True, store_history=False, timeout=START_SECONDS)
            if reply["content"]["status"] != "ok":
                raise RuntimeError(f"what runs before the first cell did not: {reply['content']}")

    def teardown(self) -> None:
        if self.kernel is not None and hasattr(self.kernel, "km"):
            plain_teardown(self)

    kind.setup, kind.teardown = setup, teardown


def _wait_for_output_channel(kernel) -> None:
    """Wait until the kernel's output arrives; nbval's own gives up after ten seconds, however busy the machine is."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        message = kernel.kc.kernel_info()
        try:
            kernel.await_reply(message, timeout=START_SECONDS)
            kernel.await_idle(message, 1)
            return
        except Empty:
            continue
    raise RuntimeError(f"the kernel's output did not arrive within {START_SECONDS} s")


def _limit(item) -> float:
    if item.config.option.hang_after is not None:
        return item.config.option.hang_after
    return item.parent.speed.patience(_costs(item.parent).get(item.cell.get("id"), CELL_SECONDS_LIMIT))


def _wrap_cell(kind) -> None:
    plain_runtest, plain_failure = kind.runtest, kind.repr_failure

    def runtest(self) -> None:
        notebook = self.parent
        if notebook.stopped:
            pytest.skip(notebook.stopped)
        kernel, limit = notebook.kernel, _limit(self)
        self.output_timeout = START_SECONDS  # what a cell has printed comes late where cores are shared

        def await_reply(message, timeout=None) -> None:
            _await(self, kernel, message, limit)

        kernel.await_reply = await_reply
        try:
            plain_runtest(self)
            _measure(self, kernel)
        except NotebookStopped:
            notebook.stopped = f"{_name(notebook)} ended before this cell"
            raise
        finally:
            del kernel.await_reply

    def repr_failure(self, failure) -> str:
        if isinstance(failure.value, NotebookStopped):
            return str(failure.value)
        return plain_failure(self, failure)

    kind.runtest, kind.repr_failure = runtest, repr_failure


def _measure(item, kernel) -> None:
    if not kernel.is_alive():
        raise NotebookStopped(f"{_where(item)}: the kernel died")
    cost = cost_of_process(kernel.km.provisioner.pid)
    seconds = item.parent.speed.reference_seconds(cost.cpu_seconds)
    item.user_properties.append(("notebook", (cost.cpu_seconds, seconds, cost.peak_mib)))
    fault = over_memory(cost.peak_mib, item.config.option.peak_mib)
    if fault:
        raise NotebookStopped(f"{_where(item)}: {fault}")


def over_memory(peak_mib: float, limit: float | None = None) -> str:
    """A sentence that says by how much a peak is over the limit (the course's, unless another is given), or ""."""
    limit = limit or PEAK_MIB_LIMIT
    return f"a peak of {peak_mib:.0f} MiB (limit {limit:.0f})" if peak_mib > limit else ""


def _await(item, kernel, message: str, limit: float) -> None:
    """Wait for the answer to a cell; notice a kernel that died, and interrupt one that hangs."""
    began = time.monotonic()
    while True:
        try:
            reply = kernel.kc.get_shell_msg(timeout=min(HEARTBEAT, limit))
        except Empty:
            if not kernel.is_alive():
                raise NotebookStopped(f"{_where(item)}: the kernel died") from None
            if time.monotonic() - began > limit:
                kernel.interrupt()
                raise NotebookStopped(f"{_where(item)}: hung, interrupted after {limit:.0f} s") from None
            continue
        if reply["parent_header"].get("msg_id") == message:
            if reply["content"]["status"] == "aborted":
                raise NotebookStopped(f"{_where(item)}: the kernel would not run it")
            return


# ------------------------------------------------------------------------------------------------------------ the table


@dataclass(frozen=True)
class _Line:
    name: str
    cpu: float
    reference: float
    peak: float


class _Table:
    """Collects what each notebook cost, on the process that reports, and prints it at the end."""

    def __init__(self, config):
        self.config = config
        self.costs: dict[str, tuple[float, float, float]] = {}

    def pytest_runtest_logreport(self, report) -> None:
        if report.when == "call":
            for name, value in report.user_properties:
                if name == "notebook":
                    path = Path(report.nodeid.split("::")[0])
                    self.costs[f"{path.parent.name}/{path.stem}"] = tuple(value)  # the last cell's is the whole

    def pytest_terminal_summary(self, terminalreporter) -> None:
        if not self.costs or hasattr(self.config, "workerinput"):
            return
        terminalreporter.section(TITLE)
        for line in table([_Line(name, *cost) for name, cost in self.costs.items()]):
            terminalreporter.write_line(line)


def table(lines: list[_Line]) -> list[str]:
    """The closing table: notebook, CPU s, reference s, peak MiB, what is over budget; then what rehearsal saved."""
    text = [f"{'notebook':<44}{'CPU s':>8}{'reference s':>13}{'peak MiB':>10}{'share':>8}"]
    by_stem: dict[str, dict[str, _Line]] = defaultdict(dict)
    for line in sorted(lines, key=lambda line: line.name.split("/")[::-1]):
        folder, stem = line.name.split("/")
        by_stem[stem][folder] = line
    shares = {}
    for stem, both in by_stem.items():
        for folder, line in sorted(both.items(), reverse=True):
            share = ""
            if folder == "notebooks" and "solutions" in both:
                shares[stem] = line.reference / max(1e-9, both["solutions"].reference)
                share = f"{shares[stem]:.0%}"
            note = "  over budget" if folder == "solutions" and line.reference > SECONDS_LIMIT else ""
            text.append(f"{line.name:<44}{line.cpu:>8.1f}{line.reference:>13.1f}{line.peak:>10.0f}{share:>8}{note}")
    if lines:
        cpu, reference = sum(line.cpu for line in lines), sum(line.reference for line in lines)
        text.append(f"{'all':<44}{cpu:>8.1f}{reference:>13.1f}{max(line.peak for line in lines):>10.0f}")
        slowness = cpu / max(1e-9, reference)
        text.append(f"this machine took {slowness:.2f} times the reference machine's CPU seconds; no second decides")
    if shares:
        text.append(f"students' copies cost {sum(shares.values()) / len(shares):.0%} of their solutions on average")
    return text
