"""A process of its own for programs that nobody trusts: starts workers, waits for them, ends them. Knows no program."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading


def listen(stream, answers):
    """Put each line of the worker's output into a queue, and "" at its end."""
    for line in stream:
        answers.put(line)
    answers.put("")


def start_worker(program):
    """A fresh worker running `program` in a session of its own, and the queue of its answers."""
    worker = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", "-c", program],
        **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE),
        env={name: value for name, value in os.environ.items() if name == "SYSTEMROOT"},  # Windows cannot do without
        cwd=tempfile.gettempdir(),
        start_new_session=True,
        text=True,
    )
    answers = queue.SimpleQueue()
    threading.Thread(target=listen, args=(worker.stdout, answers), daemon=True).start()
    return worker, answers


def end_worker(worker):
    """Kill a worker and everything that it started; its exit code and last words."""
    if hasattr(os, "killpg") and worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
    worker.kill()
    code, words = worker.wait(), worker.stderr.read()
    for stream in (worker.stdin, worker.stdout, worker.stderr):
        try:
            stream.close()
        except OSError:
            pass  # what was still to be sent has no reader any more
    return code, words


class Sandbox:
    """Runs programs in a process of their own.

    Args:
        program: the worker's source: reads `[source, inputs, bare]` as JSON a line, answers with a line of JSON, and
            leaves with exit code 77 where its guard ended it.
        wall: the longest wait for one answer, in seconds.

    Raises:
        TypeError: if `program` is not text.
        ValueError: if `wall` is not positive.
    """

    def __init__(self, program, wall=5.0):
        if not isinstance(program, str):
            raise TypeError(f"program must be text, got {type(program).__name__}")
        if not wall > 0:
            raise ValueError(f"wall must be positive, got {wall!r}")
        self.program, self.worker, self.wall = program, None, wall

    def run(self, source, inputs, bare=False):
        """The list of what `f` returns for each input, or a word that says what went wrong."""
        if self.worker is None or self.worker.poll() is not None:
            self.worker, self.answers = start_worker(self.program)
        try:
            self.worker.stdin.write(json.dumps([source, inputs, bare]) + "\n")
            self.worker.stdin.flush()
            line = self.answers.get(timeout=self.wall)
        except (OSError, queue.Empty):
            line = None
        return json.loads(line) if line else self.explain(waited=line is None)

    def explain(self, waited):
        """A word for why no line came; the worker is ended."""
        code = None if waited else self.worker.wait(self.wall)
        words = end_worker(self.worker)[1]
        self.worker = None
        if code == 77:
            return f"stopped at {words}"
        return "out of time" if waited or code == -getattr(signal, "SIGPROF", 0) else "died"
