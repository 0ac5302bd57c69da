"""Reference implementations that more than one lesson uses, one file a family; they import nothing of the package."""

from .._lazy import lazy_names

_HOMES = {
    "BERT": "bert",
    "BERTConfig": "bert",
    "DenoiserConfig": "denoiser",
    "Folder": "folding",
    "Forecaster": "forecaster",
    "GPT": "gpt",
    "GPTConfig": "gpt",
    "MoleculeDenoiser": "denoiser",
    "ProteinModel": "protein",
    "Restorer": "restorer",
    "RestorerConfig": "restorer",
    "bert_state_dict": "bert",
    "gpt2_state_dict": "gpt",
}
__all__ = sorted(_HOMES)
__getattr__ = lazy_names(__name__, _HOMES)
