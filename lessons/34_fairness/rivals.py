"""Ways that cost little thought, tried beside the mitigations; and what it costs to close a gap."""

import numpy as np


def plain_rivals(learn, guess, world, people, score, seed):
    """Decisions (m,) of the plain model and six ways, for the people that `guess` is asked about.

    Args:
        learn: takes columns and labels, returns a model.
        guess: takes a model, returns each new person's chance of a yes.
        world: takes n, a seed and `small`, returns more people of this world.
        people: columns, group, truth and label of those at hand.
        score: what the plain model says of the new people.
        seed: which draw.
    """
    x, group, truth, label = people
    more = world(3000, 600 + seed, small=1)
    few = np.random.default_rng(seed).permutation(len(label))[:200]
    taught = {"no column": (np.column_stack([x[:, :-1], 0 * group]), label)}  # a column of zeros gets no weight
    taught |= {"more data of river": (np.r_[x, more[0]], np.r_[label, more[3]])}
    taught |= {"200 judged anew": (x[few], truth[few])}
    taught |= {"river's labels mended": (x, np.where(group == 1, truth, label))}
    found = {name: guess(learn(*each)) > 0.5 for name, each in taught.items()}
    points = {"plain": score > 0.5} | found
    return points | {"bar at 0.3": score > 0.3, "bar at 0.7": score > 0.7}


def two_bars(score, label, group, eps):
    """The pair of bars (2,), one a group, that is most often right by label with the selection gap within eps."""
    bars = np.linspace(0.02, 0.98, 97)
    yes = [score[group == k, None] > bars for k in (0, 1)]
    right = [(each == label[group == k, None]).sum(0) for k, each in enumerate(yes)]
    gap = np.subtract.outer(yes[0].mean(0), yes[1].mean(0))
    total = np.where(np.abs(gap) <= eps, np.add.outer(*right), -1)
    if total.max() < 0:  # no pair comes as close: the one that comes closest
        total = -np.abs(gap)
    return bars[list(np.unravel_index(total.argmax(), total.shape))]


def closing(line, first=3, within=0.05):
    """What it costs to bring the gap within a bound, for each way that gets there.

    Args:
        line: way to an array (seeds, settings, 4): gap in selection, true TPR gap, accuracy by label, by truth. The
            first setting is the plain model, the last the strongest.
        first: seeds by which the setting is picked: the mildest one whose mean gap is within the bound.
        within: the bound.

    Returns way to a mapping: `setting`, its index; `picked`, mean accuracy lost by label on the first seeds; `gap` and
    `lost`, of the other seeds, the gap in selection and the accuracy lost by truth. None and empty for a way that never
    gets there.
    """
    found = {}
    for way, values in line.items():
        near = np.flatnonzero(np.abs(values[:first, :, 0].mean(0)) <= within)
        found[way] = {"setting": None, "picked": None, "gap": [], "lost": []}
        if len(near):
            lost, k = values[:, 0] - values[:, near[0]], int(near[0])
            picked, true = float(lost[:first, 2].mean()), lost[first:, 3].round(4).tolist()
            found[way] = {"setting": k, "picked": picked, "gap": values[first:, k, 0].round(4).tolist(), "lost": true}
    return found


def cheapest(found, ways):
    """Mean points of true accuracy lost by the way that lost least by label on the seeds that picked the settings."""
    best = min((way for way in ways if found[way]["lost"]), key=lambda way: found[way]["picked"])
    return 100 * float(np.mean(found[best]["lost"]))


def by_strength(rows, ways):
    """Each way's strengths, and the points lost there (seeds, strengths); rows: by strength what `closing` says."""
    at = {way: [float(s) for s, row in rows.items() if row[way]["lost"]] for way in ways}
    lost = {way: [row[way]["lost"] for row in rows.values() if row[way]["lost"]] for way in ways}
    return at, {way: 100 * np.array(values).T for way, values in lost.items()}
