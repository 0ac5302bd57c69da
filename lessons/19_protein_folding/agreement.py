"""How well guesses of a score agree with it: by chain, by residue, and by residue inside chains. Knows no networks."""

import math

import torch


def mean(values):
    """Mean over all entries of a list of tensors."""
    return float(torch.cat([value.flatten() for value in values]).mean())


def by_chain(values):
    """Means of chains (n,), of a list of tensors (chains, length)."""
    return torch.cat([value.mean(1) for value in values])


def correlation(one, other):
    """Correlation of two lists of tensors, entry by entry; 0 if one does not vary."""
    pair = torch.stack([torch.cat([x.flatten() for x in side]) for side in (one, other)])
    return float(torch.corrcoef(pair)[0, 1]) if pair.std(1).min() > 0 else 0.0


def agreement(tests, guesses=("trust", "expected")):
    """Correlations with the true lDDT.

    Args:
        tests: by depth of the alignment, lists of tensors (chains, length) by name, the truth as "lddt".
        guesses: names of the guesses.

    Returns:
        By name of a guess the correlation over chains; under "NAME, residues" that over residues, under "NAME, inside"
        that over residues after each chain's mean was taken away; under "depth" that of the depth's logarithm.

    Raises:
        ValueError: if a name is missing in a test.
    """
    names = "lddt", *guesses
    missing = [f"{name} at {depth}" for depth, test in tests.items() for name in names if name not in test]
    if missing or not tests:
        raise ValueError(f"tests must hold lddt and all guesses at a depth or more, missing: {', '.join(missing)}")
    every = {name: [x for test in tests.values() for x in test[name]] for name in names}
    chains = {name: [x.mean(1, keepdim=True) for x in each] for name, each in every.items()}
    inside = {name: [x - y for x, y in zip(every[name], chains[name], strict=True)] for name in names}
    depths = [torch.full((len(x), 1), math.log(depth)) for depth, test in tests.items() for x in test["lddt"]]
    told = {"depth": correlation(chains["lddt"], depths)}
    for name in guesses:
        told[name] = correlation(chains["lddt"], chains[name])
        told[f"{name}, residues"] = correlation(every["lddt"], every[name])
        told[f"{name}, inside"] = correlation(inside["lddt"], inside[name])
    return told
