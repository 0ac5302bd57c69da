"""What lesson 11 records: splits, draws, lengths, alterations, rivals, and what the settings were picked by."""

import numpy as np
import torch

from tinyfrontier.data import digits_split

SETTINGS = {
    "splits": [1, 2, 3, 4, 5],
    "lengths": [220, 660, 2000],
    "supervised_steps": 150,
    "self_steps": 660,
    "self_draws": 3,
    "picking": [100],
    "picking_draws": 2,
    "supervised_lengths": [50, 150, 450],
    "self_lengths": [220, 660, 2000],
    "neighbours": [5, 10, 20],
    "keeps": [0.2, 0.8, 0.99],
}
QUICK = {
    "splits": [1],
    "lengths": [2, 3],
    "supervised_steps": 2,
    "self_steps": 2,
    "self_draws": 1,
    "picking": [100],
    "picking_draws": 1,
    "supervised_lengths": [2],
    "self_lengths": [2],
    "neighbours": [5],
    "keeps": [0.99],
}
BOTH = ("unaltered", "affine + noise")  # these two for all lengths


def measure(
    lesson,
    *,
    splits,
    lengths,
    supervised_steps,
    self_steps,
    self_draws,
    picking,
    picking_draws,
    supervised_lengths,
    self_lengths,
    neighbours,
    keeps,
):
    """Accuracies (splits, draws, counts) by reader, name and steps; forces, head; what settings were picked by."""
    rivals = {"supervised": (lesson.DRAWS, supervised_steps, False), "self-training": (self_draws, self_steps, True)}
    return {
        **_joined([_split(lesson, seed, lengths, rivals) for seed in splits]),
        "picked": {
            "supervised": _rival(lesson, picking, picking_draws, supervised_lengths, False),
            "self-training": _rival(lesson, picking, picking_draws, self_lengths, True),
            "label spreading": _spreading(lesson, picking, neighbours, keeps),
        },
    }


def _split(lesson, seed, lengths, rivals):
    """Everything on one split."""
    split = digits_split(seed)
    torch.manual_seed(seed)
    runs = {"untrained": {0: (lesson.make_encoder().eval(), lesson.make_head().eval())}}
    for name, augment in lesson.AUGMENTATIONS.items():
        several = lengths if name in BOTH else lengths[:1]
        runs[name] = {steps: lesson.pretrain(augment, split[0], seed, steps)[:2] for steps in several}

    def read(encoder, reader):
        return _rounded(lesson.few_label_accuracy(encoder, split, seed, lesson.READERS[reader]))

    found = {"accuracy": {}, "forces": {}, "head": {}}
    for reader in lesson.READERS:
        table = found["accuracy"][reader] = {"pixels": {0: read(torch.nn.Flatten(), reader)}}
        for name, by_steps in runs.items():
            table[name] = {steps: read(encoder, reader) for steps, (encoder, _) in by_steps.items()}
    for name, by_steps in runs.items():
        found["forces"][name] = {n: _rounded(lesson.two_forces(*pair, split[2])) for n, pair in by_steps.items()}
    for name in BOTH:
        whole = {n: torch.nn.Sequential(*pair) for n, pair in runs[name].items()}
        found["head"][name] = {n: read(network, "linear probe") for n, network in whole.items()}
    found["accuracy"]["trained on labels"] = {
        name: {0: _rounded(lesson.trained_accuracy(split, seed, draws, steps, self_training))}
        for name, (draws, steps, self_training) in rivals.items()
    }
    return found


def _rounded(scores):
    return np.round(scores, 4).tolist()


def _joined(parts):
    """Equal trees of several splits as one tree with a list at each leaf."""
    if isinstance(parts[0], dict):
        return {str(key): _joined([part[key] for part in parts]) for key in parts[0]}
    return parts


def _rival(lesson, seeds, draws, lengths, self_training):
    """{steps: mean accuracy by labels a class}."""

    def mean(steps):
        scores = [lesson.trained_accuracy(digits_split(s), s, draws, steps, self_training) for s in seeds]
        return _rounded(np.mean(scores, axis=(0, 1)))

    return {str(steps): mean(steps) for steps in lengths}


def _spreading(lesson, seeds, neighbours, keeps):
    """{neighbours: {keep: mean accuracy by labels a class}} on raw pixels."""

    def mean(count, keep):
        def reader(train, test):
            return lesson.label_spreading(train, test, count, keep)

        pixels = torch.nn.Flatten()
        scores = [lesson.few_label_accuracy(pixels, digits_split(s), s, reader) for s in seeds]
        return _rounded(np.mean(scores, axis=(0, 1)))

    return {str(count): {str(keep): mean(count, keep) for keep in keeps} for count in neighbours}
