"""What passes between the grader and a graded process. Towards the grader nothing is unpickled: only plain values pass.

The grader's own messages are pickled, since they come from the course. An answer is JSON and raw numbers: tensors,
arrays, numbers, texts and tuples, lists, dicts of them; of anything else only the name of its type.
"""

from __future__ import annotations

import builtins
import io
import json
import pickle
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

try:
    import cloudpickle
except ImportError:  # it comes with joblib, which scikit-learn needs; before 1.6 as a part of it
    from joblib.externals import cloudpickle

LARGEST = 64 * 2**20  # bytes of one answer
_HEAD = struct.Struct(">QQ")
_DTYPES = {
    str(kind).removeprefix("torch."): kind
    for kind in vars(torch).values()
    if isinstance(kind, torch.dtype) and str(kind).split(".")[1][0] in "bifcu" and "bits" not in str(kind)
}


def write_plain(target: io.BufferedIOBase, message: dict) -> None:
    """Send a message of the grader's."""
    data = pickle.dumps(message)
    target.write(_HEAD.pack(len(data), 0) + data)
    target.flush()


def read_plain(source: io.BufferedIOBase) -> dict | None:
    """The grader's next message; None when it hung up."""
    head = source.read(_HEAD.size)
    if not head or len(head) < _HEAD.size:
        return None
    return pickle.loads(source.read(_HEAD.unpack(head)[0]))  # noqa: S301 - only a graded process reads these


def write_reply(target: io.BufferedIOBase, reply: dict, blobs: list[bytes]) -> None:
    """Send an answer: JSON, then the numbers of its tensors one after the other."""
    text = json.dumps([reply, [len(blob) for blob in blobs]]).encode("ascii")
    target.write(_HEAD.pack(len(text), sum(map(len, blobs))) + text)
    for blob in blobs:
        target.write(blob)
    target.flush()


def read_reply(source: io.BufferedIOBase) -> tuple[dict, list[bytes]] | None:
    """The next answer; None when the process ended.

    Raises:
        ValueError: if it is none: too long, or not in this form.
    """
    head = source.read(_HEAD.size)
    if not head or len(head) < _HEAD.size:
        return None
    length, rest = _HEAD.unpack(head)
    if length > LARGEST or rest > LARGEST:
        raise ValueError("reply is too long")
    text, data = source.read(length), source.read(rest)
    if text is None or data is None or len(text) < length or len(data) < rest:
        return None
    try:
        reply, sizes = json.loads(text)
    except RecursionError:
        raise ValueError("reply is nested too deeply") from None
    if not isinstance(reply, dict) or sum(sizes) != rest or any(size < 0 for size in sizes):
        raise ValueError("reply is malformed")
    starts = [sum(sizes[:place]) for place in range(len(sizes))] if len(sizes) < 10_000 else []
    return reply, [data[start : start + size] for start, size in zip(starts, sizes, strict=True)]


def leaves_with_gradient(value: Any) -> list[torch.Tensor]:
    """Tensors and parameters in nested arguments that ask for a gradient, each once, in order."""
    found: dict[int, torch.Tensor] = {}

    def walk(part: Any) -> None:
        if isinstance(part, torch.nn.Module):
            for parameter in part.parameters():
                walk(parameter)
        elif isinstance(part, torch.Tensor):
            if part.requires_grad:
                found.setdefault(id(part), part)
        elif isinstance(part, (list, tuple)):
            for inner in part:
                walk(inner)
        elif isinstance(part, dict):
            for inner in part.values():
                walk(inner)

    walk(value)
    return list(found.values())


def encode(value: Any, blobs: list[bytes], outputs: list[torch.Tensor], depth: int = 0) -> Any:
    """A value as JSON; numbers of tensors go to `blobs`, tensors that carry a gradient to `outputs`."""
    if depth > 50:
        return {"other": type(value).__name__}

    def inner(part: Any) -> Any:
        return encode(part, blobs, outputs, depth + 1)

    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, torch.Tensor):
        return _tensor(value, blobs, outputs)
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.kind not in "biufc":
            return {"other": type(value).__name__}
        blobs.append(np.ascontiguousarray(value).tobytes())
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: [value.dtype.str, list(value.shape)]}
    if isinstance(value, int):
        return {"int": str(int(value))} if abs(value) < 10**1000 else {"other": "int"}
    if isinstance(value, float):
        return {"float": float(value).hex()}
    if isinstance(value, complex):
        return {"complex": [value.real.hex(), value.imag.hex()]}
    if isinstance(value, str):
        return {"text": str(value)}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, (list, tuple)):
        return {"list" if isinstance(value, list) else "tuple": [inner(part) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[inner(key), inner(part)] for key, part in value.items()]}
    if isinstance(value, (set, frozenset)):
        return {"set": [inner(part) for part in value]}
    return {"other": type(value).__name__}


def _tensor(value: torch.Tensor, blobs: list[bytes], outputs: list[torch.Tensor]) -> Any:
    plain = value.detach()
    name = str(plain.dtype).removeprefix("torch.")
    if plain.layout != torch.strided:
        plain = plain.to_dense()
    if plain.device.type != "cpu" or name not in _DTYPES:
        return {"other": "Tensor"}
    plain = plain.resolve_conj().resolve_neg().contiguous()
    blobs.append(plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b"")
    carries = value.requires_grad and value.is_floating_point()
    if carries:
        outputs.append(value)
    return {"tensor": [name, list(plain.shape), carries]}


def decode(
    message: Any, blobs: list[bytes], carry: Callable[[torch.Tensor], torch.Tensor] = lambda found: found
) -> Any:
    """What `encode` wrote; in place of a tensor that carried a gradient stands what `carry` makes of it.

    Raises:
        ValueError: if it was not written by `encode`.
    """
    try:
        return _decode(message, iter(blobs), carry)
    except (KeyError, TypeError, AttributeError, RuntimeError, StopIteration, OverflowError, MemoryError) as error:
        raise ValueError(f"message is malformed: {error}") from None


def _decode(message: Any, blobs: Iterator[bytes], carry: Callable) -> Any:
    if message is None or isinstance(message, bool):
        return message
    ((kind, body),) = message.items()
    if kind == "tensor":
        dtype, data = _DTYPES[body[0]], next(blobs)
        made = torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)
        made = made.reshape([int(size) for size in body[1]])
        return carry(made) if body[2] and made.is_floating_point() else made
    if kind in ("array", "scalar"):
        dtype = np.dtype(body[0])
        if dtype.kind not in "biufc":
            raise ValueError("message holds an array of objects")
        made = np.frombuffer(bytearray(next(blobs)), dtype).reshape(body[1])
        return made if kind == "array" else made[()]
    if kind in ("list", "tuple", "set"):
        return getattr(builtins, kind)(_decode(part, blobs, carry) for part in body)
    if kind == "dict":
        return {_decode(key, blobs, carry): _decode(part, blobs, carry) for key, part in body}
    if kind == "complex":
        return complex(*map(float.fromhex, body))
    read = {"int": int, "float": float.fromhex, "text": str, "bytes": bytes.fromhex}
    if kind in read:
        return read[kind](body)
    if kind == "other":
        return type(str(body)[:60], (), {})()
    raise KeyError(kind)


__all__ = [
    "LARGEST",
    "cloudpickle",
    "decode",
    "encode",
    "leaves_with_gradient",
    "read_plain",
    "read_reply",
    "write_plain",
    "write_reply",
]
