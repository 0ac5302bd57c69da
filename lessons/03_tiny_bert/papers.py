"""Texts to learn from and to be examined on, drawn by class, and the control's shuffled weights."""

import numpy as np
import torch


def by_package(documents):
    """Paragraphs of at least 80 characters, by package, in the order in which packages first come."""
    found = {}
    for document in documents:
        found.setdefault(document.package, []).extend(text for text in document.paragraphs if len(text) >= 80)
    return found


def draw_texts(texts, each, seed):
    """`each` texts of every class in a shuffled order, and their labels (texts,)."""
    rng = np.random.default_rng(seed)
    drawn = [[group[i] for i in rng.permutation(len(group))[:each]] for group in texts.values()]
    labels = torch.arange(len(texts)).repeat_interleave(each)
    return [text for group in drawn for text in group], labels


def shuffle_weights(weights, seed):
    """The same numbers in every tensor, in random order."""
    generator = torch.Generator().manual_seed(seed)
    orders = {name: torch.randperm(tensor.numel(), generator=generator) for name, tensor in weights.items()}
    return {name: tensor.flatten()[orders[name]].view_as(tensor) for name, tensor in weights.items()}
