"""Small pretrained weights, each beside its card and the recipe that remakes it.

`load_gpt()`, `load_bert()` and `load_programs()` read them in milliseconds; `card("gpt")` tells what they are, how they
were made and what they are not for; `python -m tinyfrontier.pretrained.recipes gpt` makes them again.
"""

from .._lazy import lazy_names

_HOMES = {
    "Tokenizer": "loading",
    "card": "loading",
    "load_bert": "loading",
    "load_gpt": "loading",
    "load_mae": "masked_autoencoder",
    "load_programs": "loading",
    "stable_diffusion_folder": "loading",
}
__all__ = sorted(_HOMES)
__getattr__ = lazy_names(__name__, _HOMES)
