"""The process in which a student's function runs: it answers the grader's calls and can do little else.

It is started before anything of a student is known (`python -m tinyfrontier.authoring.graded_process`), has PyTorch in
memory but no exercise's solution, cases or expected results, and is forked once an exercise. The fork reads the
course's definitions and the student's code, gives up what the operating system lets it give up (`lock`), and then computes
outputs for the arguments that it is sent. What is right is decided elsewhere, in `graded_calls`.
"""

from __future__ import annotations

import array
import builtins
import contextlib
import ctypes
import gc
import importlib
import io
import json
import linecache
import os
import pickle
import signal
import socket
import struct
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .._course import ROOT
from ..exercises.calls import GlobalState, same_input, seed_all
from . import STUDENT_CODE, wire

OUTPUT_LIMIT = 200_000  # characters that one call may print
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


class TooMuchOutput(BaseException):
    """A function prints without end."""


class InputAsked(Exception):
    """A function waits for the keyboard."""


class _Counted(io.TextIOBase):
    """A place for what a function prints, which keeps nothing and ends at a limit."""

    def __init__(self) -> None:
        self.left = OUTPUT_LIMIT

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.left -= len(text)
        if self.left < 0:
            raise TooMuchOutput("the function prints without end")
        return len(text)


def _no_keyboard(prompt: object = "") -> str:
    raise InputAsked("input() has nobody to answer")


# ------------------------------------------------------------------------------------------------------ giving up


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
    linecache.cache[__file__] = (0, None, [], __file__)
    for name in [name for name in sys.modules if name.startswith(_PRIVATE) and name != __name__]:
        file = getattr(sys.modules[name], "__file__", None) or ""
        linecache.cache[file] = (0, None, [], file)  # PyTorch, when a seed is set, wants the lines of all who call
        del sys.modules[name]  # so that asking for one is seen
    for package in ("exercises", "authoring"):
        vars(sys.modules["tinyfrontier"]).pop(package, None)
    builtins.input = _no_keyboard
    sys.addaudithook(_guard(tuple(private), scratch, tell))


# -------------------------------------------------------------------------------------------------------- calls


def _run(pieces: list[tuple[str, str]], space: dict, flags: int = 0) -> None:
    for file, text in pieces:
        exec(compile(text, file, "exec", flags=flags, dont_inherit=True), space)


def _place(error: BaseException, name: str) -> str:
    """The line of the student's own code on which an error arose."""
    frames = [
        (frame.f_code.co_filename, frame.f_code.co_name, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename.startswith(STUDENT_CODE)
    ]
    own = [frame for frame in frames if frame[1] == name] or frames[:1]
    if not own:
        return ""
    file, _, line = own[-1]
    text = linecache.getline(file, line).strip()
    where = f"{file.removeprefix(STUDENT_CODE)}, line {line}"
    return f"{where}: {text}" if text else where


def _error(error: BaseException, name: str) -> dict:
    try:
        text = str(error)[:2000]
    except BaseException:
        text = ""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return {"error": {"kinds": kinds, "text": text, "place": _place(error, name)}}


class _Calls:
    """Answers requests with one student's function, until the grader hangs up."""

    def __init__(self, function, name: str):
        self.function, self.name = function, name
        self.outputs: list[torch.Tensor] = []
        self.leaves: list[torch.Tensor] = []

    def answer(self, request: dict) -> tuple[dict, list[bytes]]:
        return self.slopes(request) if "slopes" in request else self.call(request)

    def call(self, request: dict) -> tuple[dict, list[bytes]]:
        data = request["call"]
        args, kwargs = pickle.loads(data)  # noqa: S301 - written by the grader
        before = pickle.loads(data)  # noqa: S301
        self.leaves, self.outputs = wire.leaves_with_gradient((args, kwargs)), []
        blobs: list[bytes] = []
        seed_all(request["seed"])
        state = GlobalState()
        quiet, reply = _Counted(), {}
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
                warnings.simplefilter("ignore")
                state.watch()
                value = self.function(*args, **kwargs)
        except BaseException as error:
            reply = _error(error, self.name)
        finally:
            reply["changed"] = list(state.changes())
            state.restore()
        if "error" not in reply:
            try:
                reply["value"] = wire.encode(value, blobs, self.outputs)
            except BaseException as error:
                reply, self.outputs, blobs = {**_error(error, self.name), "changed": []}, [], []
        if not same_input(before, (args, kwargs)):
            reply["after"] = wire.encode([list(args), kwargs], blobs, [])
        return reply, blobs

    def slopes(self, request: dict) -> tuple[dict, list[bytes]]:
        blobs: list[bytes] = []
        try:
            given = pickle.loads(request["slopes"])  # noqa: S301
            found = torch.autograd.grad(self.outputs, self.leaves, given, allow_unused=True, retain_graph=True)
            return {"value": wire.encode(list(found), blobs, [])}, blobs
        except BaseException as error:
            return _error(error, self.name), []


def serve(source: io.BufferedIOBase, target: io.BufferedIOBase) -> None:
    """Read one task, then answer calls, until the other side hangs up."""
    task = wire.read_plain(source)
    if task is None:
        return
    write, leave = wire.write_reply, os._exit
    space: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
    for file, text in task["sources"].items():
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    torch.set_num_threads(1)
    with open(os.devnull, "r+b", buffering=0) as nothing:
        for number in (0, 1, 2):
            os.dup2(nothing.fileno(), number)
    _run(task["course"], space)
    lock(task, lambda what: write(target, {"tampering": what}, []))
    quiet = _Counted()
    try:
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            _run(task["student"], space, task["flags"])
            function = space[task["name"]]
            if not callable(function):
                raise TypeError(f"`{task['name']}` is not a function")
        write(target, {"ready": True}, [])
    except BaseException as error:
        write(target, _error(error, task["name"]), [])
        leave(0)
    calls = _Calls(function, task["asked"])
    while (request := wire.read_plain(source)) is not None:
        reply, blobs = calls.answer(request)
        if sum(map(len, blobs)) > wire.LARGEST:
            reply, blobs = {"error": {"kinds": ["MemoryError"], "text": "the result is too large", "place": ""}}, []
        write(target, reply, blobs)


# ------------------------------------------------------------------------------------------------- the warm parent


def _wait(process: int) -> int:
    """The exit code of a fork, negative for a signal; it has two seconds to end by itself."""
    import time

    for turn in range(200):
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if turn == 199:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        time.sleep(0.01)
    return 0


def breed(control: socket.socket) -> None:
    """Fork once for each socket that arrives; load modules and report exit codes when asked."""
    while True:
        message, handles, *_ = socket.recv_fds(control, 65536, 1)
        if not message:
            return
        order = json.loads(message)
        for name in order.get("load", ()):
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        if "wait" in order:
            control.sendall(json.dumps(_wait(order["wait"])).encode())
            continue
        gc.freeze()  # a fork that collects garbage would copy all that is shared
        process = os.fork()
        if process == 0:
            control.close()
            os.setsid()
            if sys.platform.startswith("linux"):
                ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # end with the parent
            stream = socket.socket(fileno=handles[0]).makefile("rwb")
            code = 1
            try:
                serve(stream, stream)
                code = 0
            finally:
                os._exit(code)
        os.close(handles[0])
        control.sendall(json.dumps(process).encode())


def _warm_up() -> None:
    """Load what the first call, the first gradient and the first error would load: every fork would do it anew."""
    calls = _Calls(lambda x, layer: layer(x).softmax(-1), "warm")
    given = ((torch.ones(2, 2, requires_grad=True), torch.nn.Linear(2, 2)), {})
    calls.call({"call": wire.cloudpickle.dumps(given), "seed": 0})
    calls.slopes({"slopes": wire.cloudpickle.dumps([torch.ones(2, 2)])})
    with contextlib.suppress(RuntimeError):
        torch.ones(2, 3) @ torch.ones(2, 3)
    np.linalg.norm(np.random.default_rng(0).random(3))
    calls.outputs, calls.leaves = [], []


def main(arguments: list[str]) -> None:
    """`CONTROL` is the number of an inherited socket; without it one task comes through standard input."""
    torch.set_num_threads(1)
    _warm_up()
    if arguments:
        breed(socket.socket(fileno=int(arguments[0])))
        return
    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    serve(source, target)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
