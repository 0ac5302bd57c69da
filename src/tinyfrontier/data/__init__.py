"""Data sets that need no download: each function says its source, licence and shapes.

Nothing here depends on any other room of the package.
"""

from .._lazy import lazy_names

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
__getattr__ = lazy_names(__name__, _HOMES)
