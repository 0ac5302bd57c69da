"""When a difference between campaigns is clear, and when a count of false alarms breaks a promise."""

import numpy as np
from scipy.stats import binomtest, wilcoxon

LEVEL = 0.05  # of both tests, one-sided


def clearly(better, worse):
    """Whether regrets (n,) of one search lie below those of another, seed by seed: lower median, and Wilcoxon's test.

    Regrets below 0.001 count as that, and logarithms are compared.

    Raises:
        ValueError: if there is not one number a seed in both.
    """
    better, worse = (np.log(np.maximum(np.asarray(values, float), 1e-3)) for values in (better, worse))
    if better.shape != worse.shape or better.ndim != 1:
        raise ValueError(f"worse must have one number a seed as better has, got {worse.shape} for {better.shape}")
    lower = np.median(better) < np.median(worse)
    return bool(lower and wilcoxon(better, worse, alternative="less").pvalue < LEVEL)


def above(worse, better):
    """Whether one policy loses more than another, in paired runs (n,), by two standard errors of the mean difference.

    Raises:
        ValueError: if there is not one number a run in both, two runs or more.
    """
    gap = np.subtract(worse, better) if np.shape(worse) == np.shape(better) else np.zeros(0)
    if gap.ndim != 1 or len(gap) < 2:
        raise ValueError(f"better must have one number a run as worse has, got {np.shape(better)}, {np.shape(worse)}")
    return bool(gap.mean() > 2 * gap.std(ddof=1) / np.sqrt(len(gap)))


def within(count, tries, share):
    """Whether so many of `tries` are not clearly more than a share, by the binomial test.

    Raises:
        ValueError: if `count` is not from 0 to `tries`.
    """
    if not 0 <= count <= tries:
        raise ValueError(f"count must be from 0 to {tries}, got {count}")
    return bool(binomtest(int(count), int(tries), share, alternative="greater").pvalue > LEVEL)


def upper(count, tries):
    """The upper end of the 95 % interval (Clopper and Pearson's) of a share that was hit so often in `tries`.

    Raises:
        ValueError: if `count` is not from 0 to `tries`.
    """
    if not 0 <= count <= tries:
        raise ValueError(f"count must be from 0 to {tries}, got {count}")
    return float(binomtest(int(count), int(tries)).proportion_ci().high)


def standing(regret, name, rivals):
    """How a search stands against the best of some rivals, by landscape and number of experiments.

    Args:
        regret: `regret[place][count][search]` is one number a seed.
        name: of the search.
        rivals: names of the others; the one with the lowest median is taken.

    Returns:
        Medians of both, `{"Branin, median regret at 30": {name: [median], rival: [median]}}`, and the landscapes on
        which the search leads clearly, `{"30": ["Branin"]}`.

    Raises:
        ValueError: if there is no rival.
    """
    if not rivals:
        raise ValueError("rivals must name at least one search, got none")
    medians, clear = {}, {}
    for place, counts in regret.items():
        for count, row in counts.items():
            other = min(rivals, key=lambda rival, row=row: np.median(row[rival]))
            label = f"{place}, median regret at {count}"
            medians[label] = {one: [float(np.median(row[one]))] for one in (name, other)}
            clear.setdefault(count, []).extend([place] if clearly(row[name], row[other]) else [])
    return medians, clear


def tally(said, never=31):
    """Share of campaigns in which a rule stops, of its stops that are right, and the median wait over all campaigns.

    Args:
        said: by law, one entry a campaign: `[experiments, right]` where the rule stopped, None where it did not.
        never: the wait of a campaign in which it did not stop.

    Raises:
        ValueError: if there is no campaign.
    """
    every = [each for runs in said.values() for each in runs]
    if not every:
        raise ValueError("said must hold at least one campaign, got none")
    stopped = [each for each in every if each]
    right = sum(each[1] for each in stopped) / max(1, len(stopped))
    return len(stopped) / len(every), right, float(np.median([each[0] if each else never for each in every]))
