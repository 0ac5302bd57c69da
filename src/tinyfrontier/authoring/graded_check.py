"""One exercise of one student: the check runs on the function in its own process, and the outcome becomes a finding.

PyTorch is loaded when the first check runs: who only reads notebooks does without.
"""

from __future__ import annotations

import ast
import sys

from .answers import TAMPERED, Finding

SECONDS = 10.0  # CPU time of one call
MEMORY_MIB = 1536

_FATES = {
    "too slow": "stopped after {seconds:g} s of computing. Is there a loop that never ends?",
    "memory": "out of memory: it wanted more than {memory} MiB.",
    "crash": "it crashed the Python process ({said}).",
    "exit": "it ended the Python process (`exit`). A function returns; it does not end the program.",
    "input": "it waits for the keyboard with `input()`. A function gets all it needs as arguments.",
    "output": "it prints without end.",
    "malformed": "it came back with something that cannot be read.",
}


def _fate_of(function, result) -> str:
    """The word for how a process ended, or for what all of its errors have in common; "" for an ordinary result."""
    if function.fate:
        return function.fate
    said = " ".join(text for label, text in (result.details if result else ()) if label == "said").lower()
    if "MemoryError" in function.trouble or "can't allocate memory" in said or "not enough memory" in said:
        return "memory"
    known = {"SystemExit": "exit", "KeyboardInterrupt": "exit", "InputAsked": "input", "TooMuchOutput": "output"}
    return next((fate for kind, fate in known.items() if kind in function.trouble), "")


def _code_of(task: dict):
    """The code of the student's function, compiled to be read by a diagnosis; it is never run."""
    for file, text in reversed(task["student"]):
        try:
            parts = compile(text, file, "exec", dont_inherit=True).co_consts
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None, False
        for part in parts:
            if getattr(part, "co_name", "") == task["name"]:
                wraps = [ast.unparse(one) for node in tree.body for one in getattr(node, "decorator_list", [])]
                return part, any("no_grad" in text or "inference_mode" in text for text in wraps)
    return None, False


def run_task(task: dict, nursery, seconds: float = SECONDS, memory_mib: int = MEMORY_MIB) -> Finding:
    """Run one exercise's check on one student's function.

    Args:
        task: as `plan` makes it.
        nursery: a `graded_calls.Nursery`.
        seconds: CPU time of one call.
        memory_mib: memory beyond what an idle process holds.
    """
    import torch

    from ..exercises import exercises_of
    from ..exercises.engine import run_check
    from .graded_calls import Elsewhere
    from .wire import cloudpickle

    torch.set_num_threads(1)
    exercise = exercises_of(task["lesson"])[task["asked"]]
    module = sys.modules[exercise.oracle.__module__]
    cloudpickle.register_pickle_by_value(module)
    function = Elsewhere(nursery, task, seconds, memory_mib * 2**20)
    try:
        result = None
        if "error" in function.loaded:
            told = function.loaded["error"]
            kind, text = str(told["kinds"][0]), str(told["text"]).split("\n")[0][:200]
            function.trouble.add(kind)
            line = f"your code cannot be loaded: {kind}: {text}"
            found = Finding(task["asked"], "raised", line, [["in", told["place"]]] if told.get("place") else [])
        elif not function.fate:
            function.imitate(*_code_of(task))
            result = run_check(exercise, function, time_limit=10 * seconds + 120)
            details = [[label, text] for label, text in result.details]
            found = Finding(task["asked"], result.status, result.headline, details, result.hint, result.mistake)
        else:
            found = Finding(task["asked"], "wrong", "")
        if found.status != "passed" or function.fate:
            _explain_fate(found, function, result, seconds, memory_mib)
        return found
    finally:
        cloudpickle.unregister_pickle_by_value(module)
        function.close()


def _explain_fate(found: Finding, function, result, seconds: float, memory_mib: int) -> None:
    fate = _fate_of(function, result)
    if fate == "tampering":
        found.status, found.line, found.details = "tampering", TAMPERED.format(function.said), []
    elif fate:
        found.status = "crash" if fate == "malformed" else fate
        found.line = _FATES[fate].format(seconds=seconds, memory=memory_mib, said=_signal_name(function.said))
        found.details = [pair for pair in found.details if pair[0] == "case"]
    if fate:
        found.hint = found.mistake = ""


def _signal_name(code: str) -> str:
    import signal

    try:
        return f"signal {signal.Signals(-int(code)).name}"
    except ValueError:
        return f"exit code {code}"
