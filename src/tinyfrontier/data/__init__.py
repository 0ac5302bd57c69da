"""Data sets that need no download: each function says its source, licence and shapes.

Nothing here depends on any other room of the package.
"""

import importlib

_HOMES = {
    "Digits": "digit_images",
    "Document": "documents",
    "Documentation": "documents",
    "digits": "digit_images",
    "digits_split": "digit_images",
    "documentation": "documents",
    "python_source": "documents",
    "TextCorpus": "text",
    "text_corpus": "text",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
