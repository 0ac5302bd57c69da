"""Data sets that need no download: each function says its source, licence and shapes.

Nothing here depends on any other room of the package.
"""

from .._lazy import lazy_names

_HOMES = {
    "CaptionedScenes": "scenes",
    "Digits": "digit_images",
    "Document": "documents",
    "Documentation": "documents",
    "Scene": "scenes",
    "Thing": "scenes",
    "all_scenes": "scenes",
    "captioned_scenes": "scenes",
    "digits": "digit_images",
    "digits_split": "digit_images",
    "documentation": "documents",
    "drawn_right": "scene_reader",
    "parse_caption": "scenes",
    "python_source": "documents",
    "read_scene": "scene_reader",
    "render": "scenes",
    "TextCorpus": "text",
    "text_corpus": "text",
}
__all__ = sorted(_HOMES)
__getattr__ = lazy_names(__name__, _HOMES)
