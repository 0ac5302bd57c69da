"""The environment doctor: is this machine ready for the course? Each line says OK, or what to do.

`python3 course.py doctor` prints every check, the start page shows the quick ones as a table. PyTorch and the data sets
are imported only when a check needs them, so that a damaged installation is reported instead of raised.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from .offline import GUARD

ROOT = Path(__file__).resolve().parents[3]
GIB = 2**30
MEMORY_NEEDED = 2 * GIB  # one lesson's kernel peaks at 1.5 GiB, JupyterLab and a browser tab take the rest
DISK_NEEDED = GIB // 2  # a learner's copies of the notebooks, with their outputs
REPAIR = "run `python3 course.py lab` from a terminal: it repairs the installation"

_LOCAL_HOSTS = ("127.", "::1", "localhost", "0.0.0.0")

# Runs in a fresh interpreter behind the offline guard: everything a lesson's first cells do, and one request that must
# be refused at once because HF_HUB_OFFLINE says so.
_OFFLINE_SESSION = """
import importlib, pkgutil
import tinyfrontier
for room in ("data", "show", "exercises", "training"):
    importlib.import_module(f"tinyfrontier.{room}")
images = tinyfrontier.data.digits().images
text = tinyfrontier.data.text_corpus()
import huggingface_hub
from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled
try:
    huggingface_hub.hf_hub_download("tiny/frontier", "config.json")
except (LocalEntryNotFoundError, OfflineModeIsEnabled):
    print("honoured")
"""


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
            colour, sign = ("#009E73", "OK") if check.ok else ("#D55E00", "to do")
            advice = "" if check.ok else f"<br><b>What to do:</b> {html.escape(check.advice)}"
            cell = "<td style='text-align:left;vertical-align:top;padding:2px 16px 2px 0'>"
            rows.append(
                f"<tr>{cell}<b style='color:{colour}'>{sign}</b></td>{cell}{html.escape(check.name)}</td>"
                f"{cell}{html.escape(check.found)}{advice}</td></tr>"
            )
        return f"<table>{''.join(rows)}</table><div>{html.escape(self.conclusion())}</div>"


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


def training(seconds: float = 5.0) -> Check:
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
    """Import the course and load its data in a process that may not use the network."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        [sys.executable, "-c", GUARD + _OFFLINE_SESSION],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    reached = re.findall(r"this course runs offline; a cell (?:reached for|looked up) \S+", result.stderr)
    if reached:
        return _check("offline", False, reached[-1].replace("a cell", "something"), REPAIR)
    if result.returncode:
        last = result.stderr.strip().splitlines()[-1:] or [f"exit code {result.returncode}"]
        return _check("offline", False, f"the course does not load: {last[0]}", REPAIR)
    honoured = "honoured" in result.stdout
    advice = "do not download models during a lesson: this version of huggingface_hub would reach for the network"
    found = f"the course loads without a network; HF_HUB_OFFLINE is {'honoured' if honoured else 'ignored'}"
    return _check("offline", honoured, found, advice)


def offline_quick() -> Check:
    """Load a data set here and now, and watch whether anything in this process opens a connection meanwhile."""
    with _watched_network() as reached:
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


def browser() -> Check:
    """Look for the Chromium that the browser test drives; nobody else needs it."""
    path = chromium()
    return _check("Chromium", True, "found" if path else "none, so the browser test is skipped; lessons do not need it")


def chromium() -> str | None:
    """Find a Chromium or Chrome that a test can drive."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


def checks(quick: bool = False) -> list[Check]:
    """Run the checks: all of them, or for the start page those that together take under three seconds."""
    steps: list[tuple[str, Callable[[], Check]]] = [
        ("Python", python_version),
        ("packages", packages),
        ("PyTorch", pytorch),
        ("cores", cores),
        ("free memory", memory),
        ("free disk", disk),
        ("progress file", progress_file),
        ("training run", (lambda: training(0.8)) if quick else training),
        ("offline", offline_quick if quick else offline),
        ("JupyterLab", jupyter),
    ]
    if not quick:
        steps.append(("Chromium", browser))
    return [_guarded(name, step) for name, step in steps]


def table(quick: bool = True) -> Report:
    """Run the checks and return them as a table to show."""
    return Report(checks(quick))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if something needs attention."""
    parser = argparse.ArgumentParser(prog="course.py doctor", description="Checks whether this machine is ready.")
    parser.add_argument("--quick", action="store_true", help="only the start page's checks, in three seconds")
    report = table(parser.parse_args(arguments).quick)
    print(report)
    return 0 if report.ok else 1


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


@contextlib.contextmanager
def _watched_network() -> Iterator[list[str]]:
    """Collect the hosts beyond this machine that the process asks for; local sockets, such as the kernel's, pass."""
    reached: list[str] = []
    connect, lookup = socket.socket.connect, socket.getaddrinfo

    def note(host) -> None:
        name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
        if not name.startswith(_LOCAL_HOSTS):
            reached.append(name)

    def watched_connect(self, address):
        if isinstance(address, tuple):
            note(address[0])
        return connect(self, address)

    def watched_lookup(host, *args, **kwargs):
        note(host)
        return lookup(host, *args, **kwargs)

    socket.socket.connect, socket.getaddrinfo = watched_connect, watched_lookup
    try:
        yield reached
    finally:
        socket.socket.connect, socket.getaddrinfo = connect, lookup


if __name__ == "__main__":
    sys.exit(main())
