"""What a graded process gives up before it meets a student's code: files, network, processes, memory, time.

Three layers: limits of the operating system, Landlock where Linux has it, and an audit hook of Python's, which also
names what only a cheat does. `graded_calls` says what they protect from and what not.
"""

from __future__ import annotations

import array
import builtins
import contextlib
import ctypes
import linecache
import os
import struct
import sys
from pathlib import Path
from typing import Any

from .._course import ROOT
from . import STUDENT_CODE

TAMPERING = 77
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PRIVATE = ("tinyfrontier.exercises", "tinyfrontier.authoring")
_DENIED = {
    "subprocess.Popen": "start a process",
    "os.system": "start a process",
    "os.exec": "start a process",
    "os.posix_spawn": "start a process",
    "os.spawn": "start a process",
    "os.fork": "start a process",
    "os.forkpty": "start a process",
    "pty.spawn": "start a process",
    "os.kill": "end a process",
    "os.killpg": "end a process",
    "socket.__new__": "use the network",
    "socket.connect": "use the network",
    "socket.getaddrinfo": "use the network",
    "socket.gethostbyname": "use the network",
}
_WRITES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
_SPIES = {
    "gc.get_objects": "searches the memory of the process",
    "gc.get_referrers": "searches the memory of the process",
    "gc.get_referents": "searches the memory of the process",
    "sys._current_frames": "looks at the code that calls it",
    "ctypes.dlopen": "reaches below Python",
    "ctypes.dlsym": "reaches below Python",
}


class InputAsked(Exception):
    """A function waits for the keyboard."""


def _no_keyboard(prompt: object = "") -> str:
    raise InputAsked("input() has nobody to answer")


def private_places(root: Path) -> list[str]:
    """Files and folders of the course that hold answers or checks."""
    package = root / "src" / "tinyfrontier"
    found = [package / "exercises", package / "authoring", root / "solutions", root / "notebooks", root / "tests"]
    found += [root / ".git", root / "my_work", root / "benchmarks", *sorted((root / "lessons").glob("*.md"))]
    return [os.path.realpath(path) for path in found]


def readable_places(root: Path) -> list[str]:
    """What a graded function may read: Python, its libraries, and the course's own package without its answers."""
    package, private = root / "src" / "tinyfrontier", private_places(root)
    found = [Path(place) for place in ("/usr", "/lib", "/lib64", "/etc", "/opt", "/sys/devices/system/cpu")]
    found += [Path(place) for place in ("/dev/null", "/dev/zero", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo")]
    found += [Path(sys.prefix), Path(sys.base_prefix), *(Path(place) for place in sys.path if place)]
    found += [*package.iterdir()] + [path for path in (root / "lessons").iterdir() if path.is_dir()]
    chosen = []
    for path in found:
        real = os.path.realpath(path)
        holds = any(place == real or place.startswith(real + os.sep) for place in private)
        if os.path.exists(real) and not holds:
            chosen.append(real)
    return sorted(set(chosen))


def _limits(memory: int, seconds: int) -> None:
    """Memory in bytes beyond what is held now, CPU seconds of the whole process; no core files, small files."""
    try:
        import resource
    except ImportError:  # Windows: there the grader's own watch is the only limit
        return
    try:
        held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        held = 0
    wanted = {"CPU": seconds, "CORE": 0, "FSIZE": 16 * 2**20, "NOFILE": 128}
    if held:
        wanted["AS"] = held + memory
    for name, amount in wanted.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (amount, amount))


def landlock(readable: list[str], scratch: str) -> bool:
    """Let Linux itself refuse every other file, TCP and signals to others; False where the kernel cannot."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(444, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    handled = (1 << {1: 13, 2: 14}.get(version, 15)) - 1 | (1 << 15 if version >= 5 else 0)
    rules = array.array("Q", [handled, 3 if version >= 4 else 0, 3 if version >= 6 else 0])
    size = 8 * (1 + (version >= 4) + (version >= 6))
    rules_at, _ = rules.buffer_info()
    ruleset = libc.syscall(444, ctypes.c_void_p(rules_at), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    for place in [*readable, scratch]:
        try:
            opened = os.open(place, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        allowed = (1 << 2) | (1 << 3 if os.path.isdir(place) else 0)  # read files, list folders
        if place == scratch:
            allowed = handled & ~1  # anything but start a program
        elif place in ("/dev/null", "/dev/zero"):
            allowed |= 1 << 1
        beneath = ctypes.create_string_buffer(struct.pack("=Qi", allowed, opened))
        libc.syscall(445, ruleset, 1, beneath, 0)
        os.close(opened)
    done = libc.prctl(38, 1, 0, 0, 0) == 0 and libc.syscall(446, ruleset, 0) == 0
    os.close(ruleset)
    return done


def _guard(private: tuple[str, ...], scratch: str, tell):
    """The audit hook: it ends the process at what only a cheat does, and refuses what no answer needs."""
    real, join, is_text, writing = os.path.realpath, os.path.join, isinstance, _WRITING
    leave, here = os._exit, os.getcwd
    busy: list[bool] = []

    def caught(what: str) -> None:
        tell(what)
        leave(TAMPERING)

    def place_of(path: Any) -> str:
        path = os.fsdecode(path) if is_text(path, (bytes, os.PathLike)) else path
        return real(join(here(), path)) if is_text(path, str) else ""

    def hook(event: str, arguments: tuple) -> None:
        if event == "import":
            name = str(arguments[0])
            if name in _PRIVATE or name.startswith(tuple(part + "." for part in _PRIVATE)):
                caught(f"imports `{name}`, where the checks are")
        elif event in _SPIES:
            if event.startswith("ctypes") and not _asked_by_student():
                return  # libraries load what they need
            caught(_SPIES[event])
        elif event in _DENIED:
            raise PermissionError(f"a graded function may not {_DENIED[event]}")
        elif event in ("open", "os.listdir", "os.scandir", "os.chdir") or event in _WRITES:
            if busy:
                return
            busy.append(True)  # asking for a real path may itself be seen here
            try:
                place = place_of(arguments[0])
            finally:
                busy.pop()
            inside = place == scratch or place.startswith(scratch + os.sep)
            if not inside and any(place == one or place.startswith(one + os.sep) for one in private):
                checks = place.startswith(private[:2])
                name = "tinyfrontier/" + place.split("/tinyfrontier/")[-1].split("/")[0] if checks else Path(place).name
                caught(
                    f"opens `{name}`, " + ("where the checks are" if checks else "a file of the course or of a class")
                )
            if place.startswith("/proc/") and place.endswith(("/mem", "/maps", "/environ", "/cmdline")):
                caught("opens the memory of a process")
            changes = event in _WRITES or (event == "open" and bool((arguments[2] or 0) & writing))
            if changes and place and not inside and place != os.devnull:
                raise PermissionError("a graded function may write only into its own folder")

    return hook


def _asked_by_student() -> bool:
    """Whether the innermost code outside Python's own modules is the student's."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(STUDENT_CODE):
            return True
        if "site-packages" in name:
            return False
        frame = frame.f_back
    return False


def lock(task: dict, tell) -> None:
    """Give up files, network, processes and memory beyond the task's limits, for good."""
    scratch = os.path.realpath(task["scratch"])
    os.chdir(scratch)
    os.environ.clear()
    os.environ.update(HOME=scratch, TMPDIR=scratch, OMP_NUM_THREADS="1", PATH="")
    private = (*private_places(ROOT), *(os.path.realpath(place) for place in task["private"]))
    _limits(task["memory"], task["life"])
    landlock(readable_places(ROOT), scratch)
    for name in [name for name in sys.modules if name.startswith((*_PRIVATE, "__main__"))]:
        file = getattr(sys.modules[name], "__file__", None) or ""
        linecache.cache[file] = (0, None, [], file)  # PyTorch, when a seed is set, wants the lines of all who call
        if name != "__main__":
            del sys.modules[name]  # so that asking for one is seen
    for package in ("exercises", "authoring"):
        vars(sys.modules["tinyfrontier"]).pop(package, None)
    builtins.input = _no_keyboard
    sys.addaudithook(_guard(tuple(private), scratch, tell))
