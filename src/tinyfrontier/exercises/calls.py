"""Call a function as a check does: seeded, with fresh arguments, a time limit, and the global state watched."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import dataclasses
import functools
import io
import random
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from .form import Case

_PLAIN = (int, float, complex, str, bytes, bool, type(None), torch.dtype, torch.Size, range)


class _Interrupted(BaseException):
    """Thrown into a student's function that has run too long; not an Exception, so that it is not caught there."""


@dataclass
class Outcome:
    """What a call did: its value or its error, what became of its arguments, which global state it changed."""

    value: Any = None
    error: BaseException | None = None
    too_slow: bool = False
    args: tuple = ()
    kwargs: dict = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    drew: bool = False


def seed_all(seed: int) -> None:
    """Seed the global generators of Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """A check seeds the global generators; the notebook's own stream of random numbers must not notice."""
    python, numpy, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(torch_state)


def _copyable(value: Any) -> bool:
    """Whether a deep copy of the value surely equals a new building of it."""
    if isinstance(value, torch.Tensor):
        return value.is_leaf
    if isinstance(value, (np.ndarray, np.generic, torch.nn.Module)):
        return not (isinstance(value, np.ndarray) and value.dtype == object)
    if type(value) in (tuple, list, set, frozenset):
        return all(map(_copyable, value))
    if type(value) is dict:
        return all(map(_copyable, value.values()))
    return isinstance(value, _PLAIN)


def fresh(pristine: Case, build: Callable[[], Case]) -> Case:
    """A case equal to `pristine` that shares no object with it: a deep copy, or built anew where that is not safe."""
    if _copyable(pristine.args) and _copyable(pristine.kwargs):
        args, kwargs = copy.deepcopy((pristine.args, pristine.kwargs))
        return dataclasses.replace(pristine, args=args, kwargs=kwargs)
    return build()


def same_input(before: Any, after: Any) -> bool:
    """Whether an argument still holds what it held; objects the engine cannot look into count as unchanged."""
    if isinstance(before, torch.nn.Module):
        left, right = before.state_dict(), after.state_dict()
        return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)
    if isinstance(before, torch.Tensor):
        return (
            before.shape == after.shape
            and before.dtype == after.dtype
            and before.requires_grad == after.requires_grad
            and bool(torch.isclose(before.detach(), after.detach(), rtol=0, atol=0, equal_nan=True).all())
        )
    if isinstance(before, np.ndarray):
        return before.shape == after.shape and bool(np.array_equal(before, after, equal_nan=before.dtype.kind == "f"))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(same_input(before[key], after[key]) for key in before)
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(same_input, before, after))
    if isinstance(before, (int, float, str, bytes, bool, type(None), set, frozenset)):
        return before == after or before != before
    return True


# name in the report -> how to read it, how to set it
_SETTINGS: dict[str, tuple[Callable, Callable]] = {
    "PyTorch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "PyTorch's default device": (torch.get_default_device, lambda device: _set_device(device)),
    "PyTorch's gradient mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "PyTorch's number of threads": (torch.get_num_threads, torch.set_num_threads),
    "PyTorch's deterministic mode": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "PyTorch's print options": (
        lambda: dict(vars(torch._tensor_str.PRINT_OPTS)),
        lambda options: vars(torch._tensor_str.PRINT_OPTS).update(options),
    ),
    "NumPy's error settings (np.seterr)": (np.geterr, lambda settings: np.seterr(**settings)),
    "NumPy's print options": (np.get_printoptions, lambda options: np.set_printoptions(**options)),
}
# name in the report -> functions that seed, functions that put an earlier state back
_SEEDERS: dict[str, tuple[tuple, tuple]] = {
    "PyTorch's random seed": (
        ((torch, "manual_seed"), (torch.random, "manual_seed"), (torch, "seed")),
        ((torch, "set_rng_state"), (torch.random, "set_rng_state")),
    ),
    "NumPy's random seed": (((np.random, "seed"),), ((np.random, "set_state"),)),
    "Python's random seed": (((random, "seed"),), ((random, "setstate"),)),
}


def _set_device(device: torch.device) -> None:
    torch.set_default_device(None if device == torch.device("cpu") else device)


class GlobalState:
    """What holds for the whole process: read before a call, compared and put back after it."""

    def __init__(self) -> None:
        self.before = {name: read() for name, (read, _) in _SETTINGS.items()}
        self.seeded: dict[str, Any] = {}
        self.streams = self._streams()
        self.first_seed = torch.initial_seed()
        self.own: list[tuple[Any, str, Callable]] = []

    @staticmethod
    def _streams() -> dict[str, Any]:
        numpy = np.random.get_state()
        return {
            "PyTorch's random seed": torch.get_rng_state().numpy().tobytes(),
            "NumPy's random seed": (numpy[1].tobytes(), numpy[2]),
            "Python's random seed": random.getstate(),
        }

    def watch(self) -> None:
        """Notice calls that seed the global generators, unless the state before is put back (`fork_rng`)."""
        for name, (seeders, restorers) in _SEEDERS.items():
            for module, attribute in seeders:
                self._replace(module, attribute, functools.partial(self._seeding, name))
            for module, attribute in restorers:
                self._replace(module, attribute, functools.partial(self._restoring, name))

    def _replace(self, module: Any, attribute: str, watched: Callable) -> None:
        original = getattr(module, attribute)
        self.own.append((module, attribute, original))
        setattr(module, attribute, functools.partial(watched, original))

    def _seeding(self, name: str, original: Callable, *args: Any, **kwargs: Any) -> Any:
        self.seeded.setdefault(name, self._streams()[name])
        return original(*args, **kwargs)

    def _restoring(self, name: str, original: Callable, *args: Any, **kwargs: Any) -> Any:
        done = original(*args, **kwargs)
        if self.seeded.get(name) == self._streams()[name]:
            del self.seeded[name]
        return done

    def changes(self) -> tuple[str, ...]:
        """Names of what is no longer as it was. Drawing random numbers is no change, seeding is."""
        found = [name for name, (read, _) in _SETTINGS.items() if read() != self.before[name]]
        streams = self._streams()
        seeded = set(self.seeded)
        if torch.initial_seed() != self.first_seed:
            seeded.add("PyTorch's random seed")
        return (*found, *(name for name in _SEEDERS if name in seeded and streams[name] != self.streams[name]))

    def drew(self) -> bool:
        """Whether numbers were drawn from a global generator."""
        return self._streams() != self.streams

    def restore(self) -> None:
        """Put everything back; may be called twice."""
        while self.own:
            module, attribute, original = self.own.pop()
            setattr(module, attribute, original)
        for name, (read, write) in _SETTINGS.items():
            if read() != self.before[name]:
                write(self.before[name])


def call(function: Callable, case: Case, limit: float | None, *, quiet: bool = False) -> Outcome:
    """Call in a worker thread, so that a loop that never ends cannot take the notebook with it.

    `quiet` swallows what the function prints and warns: a check that calls it again must not say everything twice.
    """
    outcome = Outcome(args=case.args, kwargs=case.kwargs)
    outside = GlobalState()

    def work() -> None:
        seed_all(case.seed)
        state = GlobalState()
        try:
            with contextlib.ExitStack() as stack:
                if quiet:
                    stack.enter_context(warnings.catch_warnings())
                    warnings.simplefilter("ignore")
                    stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
                    stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
                state.watch()
                outcome.value = function(*case.args, **case.kwargs)
        except _Interrupted:
            outcome.too_slow = True
        except BaseException as error:  # a student's function may raise anything, SystemExit too
            outcome.error = error
        finally:
            if not outcome.too_slow:
                outcome.changed, outcome.drew = state.changes(), state.drew()
            state.restore()

    watched = [place for groups in _SEEDERS.values() for places in groups for place in places]
    originals = [(module, name, getattr(module, name)) for module, name in watched]
    worker = threading.Thread(target=work, name=f"check {getattr(function, '__name__', 'function')}", daemon=True)
    worker.start()
    worker.join(limit)
    if worker.is_alive():
        for _ in range(20):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident), ctypes.py_object(_Interrupted))
            worker.join(0.1)
            if not worker.is_alive():
                break
        outcome = Outcome(too_slow=True, args=case.args, kwargs=case.kwargs)
    for module, name, original in originals:
        setattr(module, name, original)
    outside.restore()
    return outcome
