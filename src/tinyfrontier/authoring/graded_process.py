"""The process in which a student's function runs: it answers the grader's calls and can do little else.

It is started before anything of a student is known (`python -m tinyfrontier.authoring.graded_process`), has PyTorch in
memory but no exercise's solution, cases or expected results, and is forked once an exercise. The fork reads the
course's definitions and the student's code, gives up what it can (`lockdown`), and computes outputs for the arguments
that it is sent. What is right is decided elsewhere, in `graded_calls`.
"""

from __future__ import annotations

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
import sys
import traceback
import warnings
from typing import Any

import numpy as np
import torch

from ..exercises.calls import GlobalState, same_input, seed_all
from . import STUDENT_CODE, wire
from .lockdown import lock

OUTPUT_LIMIT = 200_000  # characters that one call may print


class TooMuchOutput(BaseException):
    """A function prints without end."""


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
