"""Small pretrained weights: a folder a model, with its weights, its card, its figures and the recipe that remakes it.

`load_gpt()`, `load_bert()`, `load_programs()`, `load_mae()`, `load_molecules()`, `load_weather()`, `load_folding()`,
`load_proteins()` and `load_inscriptions()` read them quickly; `card("gpt")` tells what they are, how they were made and
what they are not for; `python -m tinyfrontier.pretrained gpt` makes them again.
"""

from .._lazy import lazy_names

_HOMES = dict.fromkeys(
    (
        "Tokenizer",
        "card",
        "figures_of",
        "folding_exam",
        "load_bert",
        "load_folding",
        "load_gpt",
        "load_inscriptions",
        "load_mae",
        "load_molecules",
        "load_programs",
        "load_proteins",
        "load_weather",
        "molecule_set",
        "stable_diffusion_folder",
    ),
    "loading",
)
__all__ = sorted(_HOMES)
__getattr__ = lazy_names(__name__, _HOMES)
