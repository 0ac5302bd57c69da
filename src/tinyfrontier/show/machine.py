"""Is this machine ready for the course? Each line says OK, or what to do.

The start page shows these checks as a table; `python3 course.py doctor` adds slower ones. PyTorch and the data sets are
imported only when a check needs them, so that a damaged installation is reported instead of raised.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from .._network import watched_network
from .boxes import box, strong

ROOT = Path(__file__).resolve().parents[3]
GIB = 2**30
MEMORY_NEEDED = 2 * GIB  # one lesson's kernel peaks at 1.5 GiB, JupyterLab and a browser tab take the rest
DISK_NEEDED = GIB // 2  # a learner's copies of the notebooks, with their outputs
REPAIR = "run `python3 course.py lab` from a terminal: it repairs the installation"


@dataclass(frozen=True)
class Check:
    """One line of the doctor's table.

    Attributes:
        name: what was looked at.
        ok: whether the course can run with what was found.
        found: what was found.
        advice: what to do; "" where nothing has to be done.
    """

    name: str
    ok: bool
    found: str
    advice: str = ""


class Report(Sequence):
    """The checks as a table: as text in a terminal, as HTML in a notebook."""

    def __init__(self, checks: Sequence[Check]):
        self.checks = tuple(checks)

    def __getitem__(self, index):
        return self.checks[index]

    def __len__(self) -> int:
        return len(self.checks)

    @property
    def ok(self) -> bool:
        """Whether every check is OK."""
        return all(check.ok for check in self)

    def __str__(self) -> str:
        width = max((len(check.name) for check in self), default=0)
        lines = []
        for check in self:
            lines.append(f"{'OK' if check.ok else '!!'}  {check.name:<{width}}  {check.found}")
            if not check.ok:
                lines.append(f"    {'':<{width}}  -> {check.advice}")
        return "\n".join([*lines, "", self.conclusion()])

    __repr__ = __str__

    def conclusion(self) -> str:
        """Sum the table up in one sentence."""
        wrong = sum(not check.ok for check in self)
        if not wrong:
            return "Everything is ready."
        return f"{wrong} of {len(self)} lines need attention: follow the advice, then check again."

    def _repr_html_(self) -> str:
        rows = []
        for check in self:
            sign = strong("OK", "good") if check.ok else strong("to do", "bad")
            rows.append((sign, check.name, check.found))
            if not check.ok:
                rows.append(("", strong("what to do"), check.advice))
        kind = "good" if self.ok else "bad"
        return box("Is this machine ready?", rows, kind=kind, note=self.conclusion(), name="doctor")


# ------------------------------------------------------------------------------------------------- the checks


def python_version(version: Sequence[int] = sys.version_info) -> Check:
    """Compare Python with what the package asks for."""
    wanted = SpecifierSet(metadata.metadata("tinyfrontier")["Requires-Python"])
    found = ".".join(str(part) for part in version[:3])
    advice = f"install a Python {wanted}, delete the folder .venv, then run `course.py lab` with the new Python"
    return _check("Python", Version(found) in wanted, f"{found} ({platform.system()})", advice)


def pinned_versions(path: Path = ROOT / "constraints.txt") -> dict[str, Version]:
    """Read the versions that the course is tested with, those meant for this machine; {} without the file."""
    if not path.exists():
        return {}
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    requirements = [Requirement(line) for line in lines if line]
    return {
        _plain(requirement.name): Version(next(iter(requirement.specifier)).version)
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate()
    }


def packages(installed: Callable[[str], str] = metadata.version) -> Check:
    """Compare the installed packages with the package's own list of requirements, and with the tested versions."""
    wrong, untested, count = [], [], 0
    tested = pinned_versions()
    for text in metadata.requires("tinyfrontier") or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            version = Version(installed(requirement.name))
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, wanted {requirement.specifier}")
        elif version.public != str(tested.get(_plain(requirement.name), version.public)):
            untested.append(f"{requirement.name} {version}")
    if wrong:
        return _check("packages", False, "; ".join(wrong), REPAIR)
    note = f"; other than the tested version: {', '.join(untested)}" if untested else ", in the tested versions"
    return _check("packages", True, f"{count} present{note}")


def pytorch() -> Check:
    """Multiply two matrices with PyTorch and say which build does it."""
    import torch

    build = "CPU build"
    if torch.version.cuda or torch.version.hip:
        build = "GPU build, which works too; the course computes on the CPU"
    product = torch.eye(3) @ torch.ones(3, 3)
    return _check("PyTorch", bool((product == 1).all()), f"{torch.__version__}, {build}", REPAIR)


def cores() -> Check:
    """Count the cores that this process may use, which in a container are fewer than the machine's."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup("cpu.max")
    if len(quota) == 2 and quota[0].isdigit():
        usable = min(usable, max(1, round(int(quota[0]) / int(quota[1]))))
    note = "" if usable > 1 else "; the course expects two, so lessons can take longer than they say"
    return _check("cores", True, f"{usable}{note}")


def memory() -> Check:
    """Ask for the memory that is still free, within a container's limit too."""
    import psutil

    free = psutil.virtual_memory().available
    limit, used = _cgroup("memory.max"), _cgroup("memory.current")
    if limit and used and limit[0].isdigit():
        free = min(free, int(limit[0]) - int(used[0]))
    return _check(
        "free memory",
        free >= MEMORY_NEEDED,
        f"{free / GIB:.1f} GiB",
        f"close programs or shut down other kernels until {MEMORY_NEEDED / GIB:.0f} GiB are free",
    )


def disk(root: Path = ROOT) -> Check:
    """Ask for the free space where the course lies."""
    free = shutil.disk_usage(root).free
    return _check(
        "free disk",
        free >= DISK_NEEDED,
        f"{free / GIB:.1f} GiB",
        f"free {DISK_NEEDED / GIB:.1f} GiB, or else notebooks cannot be saved",
    )


def progress_file() -> Check:
    """Try whether the file that remembers passed exercises can be written."""
    from ..exercises.progress import progress_path

    path = progress_path()
    if path is None:
        return _check("progress file", True, "switched off by TINYFRONTIER_PROGRESS")
    advice = "make its folder writable, or set TINYFRONTIER_PROGRESS to a file in a folder of your own"
    try:
        with tempfile.TemporaryFile(dir=path.parent, prefix=".progress-"):
            writable = not path.exists() or os.access(path, os.W_OK)
    except OSError:
        writable = False
    return _check("progress file", writable, f"{path.name}{'' if writable else ' cannot be written'}", advice)


def training(seconds: float = 0.8) -> Check:
    """Train a small network to tell two rings apart for some seconds; its loss has to fall."""
    import torch
    from torch import nn

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a net this small only waits for a second thread
    with torch.random.fork_rng(devices=[]):  # a learner's own random numbers stay as they were
        torch.manual_seed(0)
        radius = torch.cat([torch.full((128, 1), 0.5), torch.full((128, 1), 1.5)])
        angle = torch.rand(256, 1) * 2 * torch.pi
        points = radius * torch.cat([angle.cos(), angle.sin()], dim=1)
        ring = (radius[:, 0] > 1).long()
        net = nn.Sequential(nn.Linear(2, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 2))
        first, steps, began = None, 0, time.perf_counter()
        while steps < 50 or time.perf_counter() - began < seconds:
            loss = nn.functional.cross_entropy(net(points), ring)
            gradients = torch.autograd.grad(loss, list(net.parameters()))
            with torch.no_grad():  # plain gradient descent: importing torch.optim takes longer than this whole check
                for weight, gradient in zip(net.parameters(), gradients, strict=True):
                    weight -= 0.3 * gradient
            first = loss.item() if first is None else first
            steps += 1
    took, last = time.perf_counter() - began, loss.item()
    torch.set_num_threads(threads)
    return _check(
        "training run",
        last < first / 2,
        f"{steps / took:,.0f} steps a second for {took:.1f} s, loss {first:.2f} -> {last:.3f}",
        "the machine is too busy or too slow to learn in this time: close other programs, then check again",
    )


def offline() -> Check:
    """Load a data set here and now, and watch whether anything in this process opens a connection meanwhile."""
    with watched_network() as reached:
        from .. import data

        count = len(data.digits().labels)
    if reached:
        return _check("offline", False, f"loading the data reached for {reached[0]}", REPAIR)
    return _check("offline", True, f"{count:,} digits loaded without a network")


def jupyter() -> Check:
    """Look for JupyterLab, the widgets' two halves, and the kernel that belongs to this Python."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    from jupyter_core.paths import jupyter_path

    missing = []
    for name in ("jupyterlab", "ipywidgets"):
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    halves = [Path(folder) / "@jupyter-widgets" / "jupyterlab-manager" for folder in jupyter_path("labextensions")]
    if not any(half.is_dir() for half in halves):
        missing.append("the widgets' JupyterLab extension")
    try:
        KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        missing.append("the Python kernel")
    if missing:
        return _check("JupyterLab", False, f"missing: {', '.join(missing)}", REPAIR)
    return _check("JupyterLab", True, f"{metadata.version('jupyterlab')}, widgets {metadata.version('ipywidgets')}")


def checks(thorough: Sequence[tuple[str, Callable[[], Check]]] = ()) -> list[Check]:
    """Run the start page's checks, which together take under three seconds, each once.

    Args:
        thorough: checks by name that take the place of the start page's, or come after them.
    """
    steps: dict[str, Callable[[], Check]] = {
        "Python": python_version,
        "packages": packages,
        "PyTorch": pytorch,
        "cores": cores,
        "free memory": memory,
        "free disk": disk,
        "progress file": progress_file,
        "training run": training,
        "offline": offline,
        "JupyterLab": jupyter,
        **dict(thorough),
    }
    return [_guarded(name, step) for name, step in steps.items()]


def doctor() -> Report:
    """Look at this machine and return what was found as a table to show."""
    return Report(checks())


# ------------------------------------------------------------------------------------------------- tools


def _check(name: str, ok: bool, found: str, advice: str = "") -> Check:
    return Check(name, ok, found, "" if ok else advice)


def _guarded(name: str, step: Callable[[], Check]) -> Check:
    try:
        return step()
    except Exception as error:  # whatever is wrong with the machine belongs into the table
        return Check(name, False, f"could not be checked: {type(error).__name__}: {error}", REPAIR)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _cgroup(name: str) -> list[str]:
    try:
        return Path("/sys/fs/cgroup", name).read_text(encoding="ascii").split()
    except OSError:
        return []
