"""Direct coupling analysis in its mean-field form (Morcos et al., 2011, https://doi.org/10.1073/pnas.1111471108)."""

import torch
from torch.nn import functional as F

LETTERS = 8
PSEUDOCOUNT = 0.95  # share of evenly spread letters, picked on families that are not in the exam


def less_common(scores):
    """Scores (..., length, length) less the average product correction, diagonal 0."""
    others = 1 - torch.eye(scores.shape[-1])
    mean = (scores * others).sum(-1) / (scores.shape[-1] - 1)
    common = mean[..., :, None] * mean[..., None, :] / mean.mean(-1)[..., None, None]
    return (scores - common) * others


def covariances(letters, share):
    """Covariances (n, length * 7, length * 7) of letters at places, smoothed by a share of evenly spread letters."""
    length, q = letters.shape[2], LETTERS
    hot = F.one_hot(letters, q).double()[..., :-1].flatten(2)  # the last letter follows from the others
    single = (1 - share) * hot.mean(1) + share / q
    pairs = (1 - share) * hot.mT @ hot / letters.shape[1] + share / q**2
    own = torch.block_diag(*[torch.ones(q - 1, q - 1)] * length).bool()  # both letters at one place
    pairs = torch.where(own, torch.diag_embed(single), pairs)
    return pairs - single[:, :, None] * single[:, None]


def direct_coupling(letters, share=PSEUDOCOUNT):
    """Strength of direct couplings (n, length, length), less the average product correction.

    Couplings are the inverse covariances with the sign turned, freed of each letter's mean; their strength is the root
    of their summed squares, whatever letters they speak of.

    Args:
        letters: numbers 0 to 7, (n, depth, length), three columns or more.
        share: of evenly spread letters that are mixed in, above 0 and below 1.

    Raises:
        ValueError: if `letters` has another shape or other numbers, or `share` is out of range.
    """
    if letters.ndim != 3 or letters.shape[2] < 3 or not letters.shape[1]:
        raise ValueError(f"letters must be (n, depth, length) with three columns or more, got {tuple(letters.shape)}")
    if letters.numel() and not 0 <= letters.min() <= letters.max() < LETTERS:
        raise ValueError(f"letters must be 0 to {LETTERS - 1}, got {letters.min()} to {letters.max()}")
    if not 0 < share < 1:
        raise ValueError(f"share must be above 0 and below 1, got {share}")
    inverse = torch.linalg.inv(covariances(letters, share))
    inverse = inverse.unflatten(2, (-1, LETTERS - 1)).unflatten(1, (-1, LETTERS - 1))
    couplings = F.pad(inverse, (0, 1, 0, 0, 0, 1))  # (n, length, letters, length, letters)
    couplings = couplings - couplings.mean(4, keepdim=True)
    couplings = couplings - couplings.mean(2, keepdim=True)
    return less_common(couplings.square().sum((2, 4)).sqrt().float())
