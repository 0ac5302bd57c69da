"""Real handwritten digits that ship with scikit-learn. Needs scikit-learn and torch, no network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch


@dataclass(frozen=True)
class Digits:
    """1,797 grey-level images of handwritten digits.

    Attributes:
        images: float32 tensor (1797, 1, 8, 8) in [0, 1] (the data's 17 grey levels divided by 16).
        labels: int64 tensor (1797,), the digit 0 to 9.
        source: where the images come from.
        licence: the terms they are shared under.
    """

    images: torch.Tensor
    labels: torch.Tensor
    source: str
    licence: str


@lru_cache(maxsize=1)
def _load() -> tuple[torch.Tensor, torch.Tensor]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.tensor(bunch.images / 16.0, dtype=torch.float32).unsqueeze(1)  # (1797, 1, 8, 8)
    return images, torch.tensor(bunch.target, dtype=torch.int64)


def digits() -> Digits:
    """All 1,797 digits; fresh tensors at every call, so that a caller may change them."""
    images, labels = _load()
    return Digits(
        images=images.clone(),
        labels=labels.clone(),
        source="Alpaydin & Kaynak (1998), Optical Recognition of Handwritten Digits, UCI repository; "
        "the test part, as bundled with scikit-learn",
        licence="CC BY 4.0",
    )


def digits_split(seed: int = 0, test_size: int = 450) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Split the digits at random, each class in proportion.

    Args:
        seed: which split.
        test_size: number of test images, 10 to 1,787 (so that both parts can hold every class).

    Returns:
        train_images (1797 - test_size, 1, 8, 8), train_labels, test_images (test_size, 1, 8, 8), test_labels.

    Raises:
        TypeError: if `seed` or `test_size` is not an int.
        ValueError: if one of them is out of its range.
    """
    for name, value in (("seed", seed), ("test_size", test_size)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be in [0, 2**32), got {seed}")
    if not 10 <= test_size <= 1787:
        raise ValueError(f"test_size must be between 10 and 1787, got {test_size}")
    from sklearn.model_selection import train_test_split

    images, labels = _load()
    train, test = train_test_split(
        torch.arange(len(labels)).numpy(), test_size=test_size, random_state=seed, stratify=labels.numpy()
    )
    return images[train], labels[train], images[test], labels[test]
