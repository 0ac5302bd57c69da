"""Small pretrained weights, each beside its card and the recipe that remakes it.

`load_gpt()` and `load_bert()` read them in milliseconds; `card("gpt")` tells what they are, how they were made and
what they are not for; `python -m tinyfrontier.pretrained.recipes gpt` makes them again.
"""

import importlib

_HOMES = {
    "Tokenizer": "loading",
    "card": "loading",
    "load_bert": "loading",
    "load_gpt": "loading",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
