"""What lesson 25's language model has to beat: features by hand with labels, a pairwise model of one family."""

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tinyfrontier.beside.lesson_25.families import BULKY, CHARGE, LETTERS, OILY

AROUND = 8  # neighbours to each side whose oiliness is read


def by_hand(letters, matrix):
    """What a textbook looks at, (families, length, 20, features), for each replacement in each wild type.

    The matrix' entry, oiliness, size and charge of both letters and their differences, proline and glycine, which
    letters, the neighbours' oiliness, and how it swings as it would in a helix and in a strand.

    Args:
        letters: wild types (families, length).
        matrix: (20, 20), what a replacement is worth, such as BLOSUM62.
    """
    count, length = letters.shape
    kinds = torch.stack([torch.tensor(x, dtype=torch.float32) for x in (OILY, BULKY, CHARGE)], dim=-1)  # (20, 3)
    old = kinds[letters][:, :, None].expand(-1, -1, 20, -1)
    new = kinds.expand(count, length, -1, -1)
    pair = [torch.as_tensor(matrix, dtype=torch.float32)[letters][..., None], old, new, new - old, (new - old).abs()]
    turning = torch.tensor([[LETTERS[a] == x for x in "PG"] for a in range(20)]).float()
    pair += [turning.expand(count, length, -1, -1), turning[letters][:, :, None].expand(-1, -1, 20, -1)]
    oily = torch.nn.functional.pad(kinds[letters][..., 0], (AROUND, AROUND))
    window = oily.unfold(1, 2 * AROUND + 1, 1)  # (families, length, 17)
    steps = torch.arange(-AROUND, AROUND + 1)
    swings = torch.stack([window @ torch.cos(np.deg2rad(angle) * steps) for angle in (0, 100, 180)], dim=-1)
    site = torch.cat([window, swings], dim=-1)[:, :, None].expand(-1, -1, 20, -1)
    which = torch.eye(20)
    pair += [which[letters][:, :, None].expand(-1, -1, 20, -1), which.expand(count, length, -1, -1), site]
    return torch.cat(pair, dim=-1)


def of_columns(letters, profile):
    """What columns say (families, length, 20, 4): log-ratio, the letter's frequency, entropy, the wild type's.

    Args:
        letters: wild types (families, length).
        profile: frequencies with pseudocounts (families, length, 20).
    """
    log = profile.log()
    entropy = -(profile * log).sum(-1, keepdim=True).expand_as(log)
    own = log.gather(-1, letters[..., None])
    return torch.stack([own - log, log, entropy, own.expand_as(log)], dim=-1)


def learnt(kind, features, harmful):
    """A classifier of variants from features (n, features) and labels (n,), both NumPy; `kind` "linear" or "trees"."""
    if kind == "linear":
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    else:
        model = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.1, random_state=0)
    return model.fit(features, harmful)


def pairwise(letters, penalty, steps=40, prior=None):
    """Logits of each residue given all others (families, length, 20), from alignments (families, depth, length).

    A Potts model of each family by pseudo-likelihood, as direct coupling analysis fits it; `penalty` holds couplings
    small. `prior` (families, length, 20) is where the sites' own terms start, and they are held near it.
    """
    count, depth, length = letters.shape
    seen = torch.nn.functional.one_hot(letters, 20).float()
    rows = seen.flatten(2)  # (families, depth, length x 20)
    start = torch.zeros(count, length * 20) if prior is None else prior.flatten(1)
    field = start.clone().requires_grad_()
    couple = torch.zeros(count, length * 20, length * 20, requires_grad=True)
    others = torch.ones(length, length).fill_diagonal_(0).repeat_interleave(20, 0).repeat_interleave(20, 1)
    optimiser = torch.optim.Adam([field, couple], lr=0.05)
    for _ in range(steps):
        both = (couple + couple.transpose(1, 2)) / 2 * others
        logits = (field[:, None] + rows @ both).unflatten(-1, (length, 20))
        fit = -(logits.log_softmax(-1) * seen).sum((1, 2, 3)) / depth
        loss = (fit + penalty * both.square().sum((1, 2)) + 0.5 / depth * (field - start).square().sum(1)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        both = (couple + couple.transpose(1, 2)) / 2 * others
        return (field[:, None] + rows[:, :1] @ both).unflatten(-1, (length, 20))[:, 0]
