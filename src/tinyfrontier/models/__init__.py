"""Reference implementations that more than one lesson uses, one file a family; they import nothing of the package."""

from .._lazy import lazy_names

_HOMES = {
    "BERT": "transformer",
    "BERTConfig": "transformer",
    "GPT": "transformer",
    "GPTConfig": "transformer",
    "bert_state_dict": "transformer",
    "gpt2_state_dict": "transformer",
}
__all__ = sorted(_HOMES)
__getattr__ = lazy_names(__name__, _HOMES)
