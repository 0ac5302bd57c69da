"""Reference implementations that more than one lesson uses, one file a family; they import nothing of the package."""

import importlib

_HOMES = {
    "BERT": "transformer",
    "BERTConfig": "transformer",
    "GPT": "transformer",
    "GPTConfig": "transformer",
    "bert_state_dict": "transformer",
    "gpt2_state_dict": "transformer",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
