"""A student's function that runs in another process, as the check engine sees it: one call goes out, values come back.

The verdict is made here, by the same `run_check` as in a notebook, in a process that never executes a student's code.
The other process (`graded_process`) gets arguments and returns values; it holds no solution, no expected result and no
checker, so patching what it finds in its memory only changes the values that it returns.

What this protects from: a forged verdict (there is none to forge), reading solutions or expected results from memory,
from the package or from the course's files, writing files, the network, other processes, endless time, memory and
output. Files, TCP and signals are refused by the Linux kernel (Landlock) where it can, and everywhere by an audit hook
of Python's. What it does not: where there is no Landlock (macOS, Windows, old kernels) code that calls the operating
system below Python can read what the grader's own user can read; UDP is refused by the hook alone. What the other
process says of its own side effects (inputs changed, global state changed, slopes) is believed. And no checker can tell
an answer that was copied from another student.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any

import numpy as np
import psutil
import torch

from ..exercises.calls import _Interrupted
from . import wire

_KINDS = (*vars(builtins).values(), torch.linalg.LinAlgError, np.exceptions.AxisError)
_ERRORS = {kind.__name__: kind for kind in _KINDS if isinstance(kind, type) and issubclass(kind, BaseException)}


class Ended(Exception):
    """The process of a student's function is gone; why stands in the function's `fate`."""


class Nursery:
    """A warm parent that forks one graded process an exercise; on Windows, or told so, each is started anew.

    Args:
        method: "fork", "spawn", or None for what the system can.

    Raises:
        ValueError: if `method` is none of these.
    """

    def __init__(self, method: str | None = None):
        usual = "fork" if hasattr(os, "fork") and hasattr(socket, "send_fds") else "spawn"
        if method not in ("fork", "spawn", None):
            raise ValueError(f"method must be 'fork', 'spawn' or None, got {method!r}")
        self.method = method or usual
        self.control: socket.socket | None = None
        self.process: subprocess.Popen | None = None

    def _command(self) -> tuple[list[str], dict[str, str]]:
        keep = {"PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "HOME", "LD_LIBRARY_PATH"}
        environment = {name: value for name, value in os.environ.items() if name.upper() in keep}
        environment.update(PYTHONPATH=str(Path(__file__).parents[2]), PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1")
        environment.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", TINYFRONTIER_PROGRESS="off", TQDM_DISABLE="1")
        environment.update(HF_HUB_OFFLINE="1", MPLBACKEND="agg", PYTHONUTF8="1")
        return [sys.executable, "-m", f"{__package__}.graded_process"], environment

    def _warm(self) -> socket.socket:
        if self.control is None or self.process is None or self.process.poll() is not None:
            self.close()
            own, other = socket.socketpair()
            command, environment = self._command()
            self.process = subprocess.Popen(
                [*command, str(other.fileno())],
                env=environment,
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            other.close()
            self.control = own
        return self.control

    def born(self, load: list[str]) -> tuple[Any, Any, int, Any]:
        """A new process: where to read, where to write, its number, and a function that gives its exit code."""
        if self.method == "spawn":
            command, environment = self._command()
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )

            def wait() -> int:
                try:
                    return process.wait(2)
                except subprocess.TimeoutExpired:
                    process.kill()
                    return process.wait()

            return process.stdout, process.stdin, process.pid, wait
        control = self._warm()
        own, other = socket.socketpair()
        socket.send_fds(control, [json.dumps({"load": load}).encode()], [other.fileno()])
        other.close()
        number = json.loads(control.recv(100))

        def reap() -> int:
            control.sendall(json.dumps({"wait": number}).encode())
            return json.loads(control.recv(100))

        stream = own.makefile("rwb")
        own.close()
        return stream, stream, number, reap

    def close(self) -> None:
        """End the warm parent."""
        if self.control is not None:
            self.control.close()
            self.control = None
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            self.process.kill()
            self.process.wait()
            self.process = None

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Slopes(torch.autograd.Function):
    """The gradient of what another process computed: it is asked there."""

    @staticmethod
    def forward(ctx, function, values, *leaves):
        ctx.function, ctx.call = function, function.calls
        ctx.shapes = [(leaf.shape, leaf.dtype) for leaf in leaves]
        return tuple(values)

    @staticmethod
    def backward(ctx, *slopes):
        return None, None, *ctx.function.slopes_of(ctx.call, slopes, ctx.shapes)


class Elsewhere:
    """A student's function in a process of its own, to be called like any other.

    Args:
        nursery: where processes come from.
        task: what the process runs: `course` and `student` (pairs of file name and text), `sources`, `name`, `asked`
            (the exercise's name), `flags`, `load` (modules), `private` (places that nobody may read).
        seconds: CPU time that one call may take; real time may be four times that, and 20 s more.
        memory: bytes beyond what an idle process holds.

    Attributes:
        fate: "" while all is well, else "too slow", "memory", "crash", "exit", "tampering" or "malformed".
        trouble: kinds of the errors that calls ended with.
    """

    def __init__(self, nursery: Nursery, task: dict, seconds: float, memory: int):
        self.__name__, self.seconds, self.memory = task["asked"], seconds, memory
        self.fate, self.said, self.trouble = "", "", set[str]()
        self.changed: tuple[str, ...] = ()
        self.calls = 0
        self.scratch = tempfile.mkdtemp(prefix="graded-")
        self.source, self.target, self.number, self._exit_code = nursery.born(task.get("load", []))
        self._replies: queue.Queue = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        life = int(20 * seconds) + 60
        self._send({**task, "scratch": self.scratch, "memory": memory, "life": life})
        self._process: psutil.Process | None = None
        try:
            self.loaded = self._receive(seconds + 10)[0]
        except (Ended, _Interrupted):
            self.loaded = {}

    def imitate(self, code: CodeType | None, quiet_gradient: bool) -> None:
        """Show a diagnosis the function's code, which is read and never run."""
        if code is None:
            return
        self.__code__ = code
        if quiet_gradient:
            self.__wrapped__ = SimpleNamespace(__code__=code)
            self.__code__ = decorate_context.__code__

    # -- messages

    def _listen(self) -> None:
        try:
            while (found := wire.read_reply(self.source)) is not None:
                self._replies.put(found)
            self._replies.put(None)
        except (OSError, ValueError, TypeError) as error:
            self._replies.put(error)

    def _send(self, message: dict) -> None:
        try:
            wire.write_plain(self.target, message)
        except (OSError, ValueError):
            pass  # gone: the answer tells

    def _receive(self, seconds: float) -> tuple[dict, list[bytes]]:
        """The next answer; ends the process where none comes in time."""
        began, before, found = time.monotonic(), None, None
        while True:
            try:
                found = self._replies.get(timeout=0.2)
                break
            except queue.Empty:
                pass
            try:
                self._process = self._process or psutil.Process(self.number)
                used = sum(self._process.cpu_times()[:2])
                before = used if before is None else before
                held = self._process.memory_info().rss
            except psutil.Error:
                continue
            if used - before > seconds or time.monotonic() - began > 4 * seconds + 20:
                self._end("too slow")
                raise _Interrupted
            if held > self.memory + 2**30:
                self._end("memory")
                raise Ended("out of memory")
        if isinstance(found, Exception):
            self._end("malformed")
            raise Ended("an answer that the grader cannot read")
        if found is None:
            self._dead()
            raise Ended(self.fate)
        if "tampering" in found[0]:
            self.said = str(found[0]["tampering"])[:200]
            self._end("tampering")
            raise Ended(self.fate)
        return found

    def _dead(self) -> None:
        """Say why the process is gone."""
        code = self._wait()
        self.said = str(code)
        cpu = getattr(signal, "SIGXCPU", None)
        if code >= 0 and code < 2**31:
            self.fate = "exit"
        elif cpu is not None and code == -cpu:
            self.fate = "too slow"
        else:
            self.fate = "memory" if code == -getattr(signal, "SIGKILL", 9) else "crash"

    def _wait(self) -> int:
        code, self._exit_code = self._exit_code(), lambda: 0
        return code

    def _end(self, fate: str) -> None:
        self.fate = fate
        self.close()

    def close(self) -> None:
        """End the process and remove what it wrote."""
        for stop in (lambda: os.killpg(self.number, signal.SIGKILL), lambda: psutil.Process(self.number).kill()):
            with contextlib.suppress(Exception):
                stop()
        with contextlib.suppress(Exception):
            self._wait()
        for stream in (self.target, self.source):
            with contextlib.suppress(Exception):
                stream.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    # -- calls

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run one call there; its errors are raised here."""
        if self.fate:
            raise Ended(self.fate)
        self.calls += 1
        self.changed = ()
        leaves = wire.leaves_with_gradient((args, kwargs))
        self._send({"call": wire.cloudpickle.dumps((args, kwargs)), "seed": torch.initial_seed()})
        reply, blobs = self._receive(self.seconds)
        self.changed = tuple(str(name)[:100] for name in reply.get("changed", ()))
        try:
            if "after" in reply:
                count = _blobs_in(reply.get("value"))
                _impose(args, kwargs, wire.decode(reply["after"], blobs[count:]))
            if "error" not in reply:
                return self._result(reply["value"], blobs, leaves)
            raised = _local_error(reply["error"])
        except (ValueError, KeyError, TypeError, AttributeError):
            self._end("malformed")
            raise Ended(self.fate) from None
        self.trouble.add(str(reply["error"]["kinds"][0]))
        raise raised

    def _result(self, value: Any, blobs: list[bytes], leaves: list[torch.Tensor]) -> Any:
        carried: list[torch.Tensor] = []
        plain = wire.decode(value, blobs, lambda found: carried.append(found) or found)
        if not carried:
            return plain
        if not leaves:
            return wire.decode(value, blobs, lambda found: found.requires_grad_())
        made = iter(_Slopes.apply(self, carried, *leaves))
        return wire.decode(value, blobs, lambda found: next(made))

    def slopes_of(self, call: int, slopes: tuple, shapes: list) -> list[torch.Tensor | None]:
        """Gradients by each leaf of the latest call."""
        if call != self.calls or self.fate:
            raise RuntimeError("the gradient of an earlier call is gone")
        self._send({"slopes": wire.cloudpickle.dumps(list(slopes))})
        try:
            reply, blobs = self._receive(self.seconds)
        except (Ended, _Interrupted):
            raise RuntimeError(f"the process ended: {self.fate}") from None
        if "error" in reply:
            raise RuntimeError(str(reply["error"].get("text", "")))
        found = wire.decode(reply["value"], blobs)
        if not isinstance(found, list) or len(found) != len(shapes):
            raise RuntimeError("gradients do not fit")
        for slope, (shape, dtype) in zip(found, shapes, strict=True):
            if slope is not None and (
                not isinstance(slope, torch.Tensor) or (slope.shape, slope.dtype) != (shape, dtype)
            ):
                raise RuntimeError("a gradient has the wrong shape")
        return found


def decorate_context() -> None:
    """Bears the name by which a diagnosis knows `@torch.no_grad()`."""


def _blobs_in(message: Any) -> int:
    """How many blobs an encoded value takes."""
    if isinstance(message, list):
        return sum(map(_blobs_in, message))
    if not isinstance(message, dict):
        return 0
    ((kind, body),) = message.items()
    if kind in ("tensor", "array", "scalar"):
        return 1
    return sum(map(_blobs_in, body)) if kind in ("list", "tuple", "set", "dict") else 0


def _local_error(told: dict) -> BaseException:
    """An error of the same kind, with the same words."""
    kinds = [str(kind) for kind in told["kinds"]]
    base = next((_ERRORS[kind] for kind in kinds if kind in _ERRORS), Exception)
    kind = base if kinds[0] == base.__name__ else type(kinds[0], (base,), {"__str__": lambda self: str(self.args[0])})
    try:
        made = kind(str(told["text"]))
    except TypeError:  # an error whose making wants more than words
        made = type(kinds[0], (Exception,), {})(str(told["text"]))
    if str(made) != str(told["text"]) and isinstance(made, KeyError):
        made = KeyError(str(told["text"]).strip("'\""))
    made.place = str(told.get("place", ""))[:300]
    return made


def _impose(args: tuple, kwargs: dict, after: Any) -> None:
    """Change arguments here as the function changed its own, as far as the engine looks."""
    pairs = [*zip(args, after[0], strict=False), *((kwargs[name], after[1].get(name)) for name in kwargs)]
    for mine, theirs in pairs:
        with contextlib.suppress(TypeError, RuntimeError, ValueError):
            _change(mine, theirs)


def _change(mine: Any, theirs: Any) -> None:
    if isinstance(mine, torch.Tensor):
        if isinstance(theirs, torch.Tensor) and mine.dtype == theirs.dtype:
            mine.data = theirs.detach().clone()
        else:
            mine.requires_grad_(not mine.requires_grad)
    elif isinstance(mine, np.ndarray):
        mine.resize(theirs.shape, refcheck=False)
        mine[...] = theirs
    elif isinstance(mine, list):
        same = len(mine) == len(theirs)
        if same and any(isinstance(part, (torch.Tensor, np.ndarray, list, dict)) for part in mine):
            for left, right in zip(mine, theirs, strict=True):
                _change(left, right)
        else:
            mine[:] = theirs
    elif isinstance(mine, tuple):
        for left, right in zip(mine, theirs, strict=False):
            _change(left, right)
    elif isinstance(mine, dict):
        mine.clear()
        mine.update(theirs)
    elif isinstance(mine, torch.nn.Module):
        for parameter in mine.parameters():
            parameter.data = parameter.data + 1
