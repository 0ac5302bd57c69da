"""Blocks of program text from installed packages, to learn from and held out, and how a gain on them is judged."""

import numpy as np

from tinyfrontier.data import python_source


def code_blocks(text):
    """Pieces of code between empty lines, of at least 80 characters."""
    return [block for block in text.decode().split("\n\n") if len(block) >= 80]


def evenly(blocks, number=120):
    """Blocks from all over, in their order: one large module must not be half of an exam."""
    return [blocks[i * len(blocks) // number] for i in range(number)]


def code_of(packages):
    """Blocks by package: all of the training modules, and 120 of the held-out ones."""
    sources = {package: python_source(400_000, packages=(package,)) for package in packages}
    train = {package: code_blocks(source.train) for package, source in sources.items()}
    return train, {package: evenly(code_blocks(source.test)) for package, source in sources.items()}


def gain(better, worse, run=20):
    """Mean gain in accuracy and its 95 % interval over runs of neighbouring blocks; hits are (..., blocks)."""
    by_run = np.subtract(better, worse).reshape(-1, np.shape(better)[-1] // run, run)
    by_run = by_run.mean(axis=(0, 2))
    draws = np.random.default_rng(0).integers(len(by_run), size=(2000, len(by_run)))
    return [float(by_run.mean()), *np.quantile(by_run[draws].mean(axis=1), [0.025, 0.975])]
