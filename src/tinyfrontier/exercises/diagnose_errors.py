"""What lies behind an error, from its message, and arguments that a function never reads."""

from __future__ import annotations

import dis
from collections.abc import Callable

from .diagnosis import Diagnosis

# a sign of it in the message -> name, hint
_ERRORS: tuple[tuple[str, str, str], ...] = (
    ("cannot be multiplied", "shapes do not fit", "the axes that a matrix product sums over have different lengths."),
    (
        "must match the size",
        "shapes do not fit",
        "two shapes cannot be broadcast: an axis is missing (`[:, None]`) or swapped.",
    ),
    ("sizes of tensors must match", "shapes do not fit", "what is joined must agree in all other axes."),
    ("expected size for first two dim", "shapes do not fit", "batches of matrices must agree in their batch axis."),
    ("broadcast", "shapes do not fit", "two shapes cannot be broadcast: an axis is missing (`[:, None]`) or swapped."),
    (
        "is invalid for input of size",
        "shapes do not fit",
        "`view` or `reshape` asks for more or fewer numbers than there are.",
    ),
    ("view size is not compatible", "`view` after a permutation", "the numbers lie in another order: use `reshape`."),
    ("dimension out of range", "an axis that does not exist", "an axis is named that this input does not have."),
    ("dimension specified as", "an axis that does not exist", "a tensor of shape () has no axes."),
    ("number of dimensions", "the number of axes", "the input has more or fewer axes here than the function assumes."),
    ("too many indices", "the number of axes", "the input has fewer axes here than the function assumes."),
    ("same dtype", "mixed dtypes", "two tensors of different dtypes meet; make new ones with `dtype=` of the input."),
    ("scalar type", "mixed dtypes", "two tensors of different dtypes meet; make new ones with `dtype=` of the input."),
    ("not implemented for", "mixed dtypes", "this operation does not exist for the dtype of the input."),
    (
        "out of range",
        "an index past the end",
        "an index lies past the end: does it start at 0 and end at the length minus 1?",
    ),
    (
        "out of bounds",
        "an index past the end",
        "an index lies past the end: does it start at 0 and end at the length minus 1?",
    ),
    (
        "nonetype",
        "None in between",
        "something gave None: a function without `return`, or a method that works in place.",
    ),
    ("division by zero", "a division by zero", "something is divided by 0: what if there is nothing to count?"),
    ("empty", "nothing to work on", "on an empty input there is no maximum, mean or first item."),
    (
        "is not defined",
        "an unknown name",
        "a name is used that does not exist: a typing error, or an import is missing.",
    ),
    (
        "has no attribute",
        "an unknown attribute",
        "this kind of object has no such method: is it a list, a number, a tensor?",
    ),
    ("cannot access local variable", "a name without a value", "on this path a name is used before it gets a value."),
    ("takes exactly", "the wrong arguments", "a function is called with too few or too many arguments."),
    ("positional argument", "the wrong arguments", "a function is called with too few or too many arguments."),
    ("unexpected keyword", "the wrong arguments", "a function does not know the keyword that it is given."),
    ("unpack", "the number of parts", "a value is unpacked into more or fewer names than it has parts."),
    ("not subscriptable", "a number in place of a list", "something is indexed that has no items."),
    ("not iterable", "a number in place of a list", "a loop runs over something that has no items."),
)


def explain_error(error: BaseException) -> Diagnosis | None:
    """What lies behind an error, from its message."""
    if isinstance(error, RecursionError):
        return Diagnosis("endless recursion", "the function calls itself and nothing stops it.")
    if isinstance(error, KeyError):
        return Diagnosis(
            "a missing key", "a dict is asked for a key that it does not have: use `.get`, or fill it first."
        )
    said = str(error).lower()
    return next((Diagnosis(name, hint) for sign, name, hint in _ERRORS if sign in said), None)


def unused_arguments(function: Callable) -> tuple[str, ...]:
    """Names of a function's arguments that its code never reads."""
    code = getattr(function, "__code__", None)
    if code is None:
        return ()
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    read = set(code.co_cellvars)
    for step in dis.get_instructions(code):
        if step.opname.startswith(("LOAD_FAST", "STORE_FAST_LOAD_FAST", "LOAD_DEREF", "LOAD_CLOSURE")):
            read.update(step.argval if isinstance(step.argval, tuple) else (step.argval,))
    return tuple(name for name in names if name not in read)
