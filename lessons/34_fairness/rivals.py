"""Ways that cost little thought, tried beside the mitigations; and how intervals are drawn."""

import numpy as np

from tinyfrontier.training import progress


def plain_rivals(learn, guess, world, people, score, seed):
    """Decisions (m,) of five ways, for the people that `guess` is asked about.

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
    taught = {"more data of river": (np.r_[x, more[0]], np.r_[label, more[3]])}
    taught |= {"200 judged anew": (x[few], truth[few])}
    taught |= {"river's labels mended": (x, np.where(group == 1, truth, label))}
    found = {name: guess(learn(*each)) > 0.5 for name, each in taught.items()}
    return found | {"bar at 0.3": score > 0.3, "bar at 0.7": score > 0.7}


def draw_intervals(ax, found, xlabel):
    """One line a name from (middle, low, top), and a dotted line at 0."""
    for place, (middle, low, top) in enumerate(found.values()):
        ax.plot([low, top], [place] * 2, lw=3)
        ax.plot(middle, place, "o", color="black")
    ax.axvline(0, color="grey", ls=":")
    ax.set_yticks(range(len(found)), list(found))
    ax.set(xlabel=xlabel, ylim=(-0.5, len(found) - 0.5))


def gain_of_equal_rates(learn, guess, admit, world, seeds=5, **knobs):
    """Mean gain in true accuracy (below 0: a loss) from one bar to equal selection rates by thresholds."""
    gains = []
    for seed in progress(seeds, "worlds", least=1):
        x, _, _, label = world(3000, 700 + seed, **knobs)
        new, group, truth, _ = world(10000, 800 + seed, **knobs)
        score = guess(learn(x, label), new)
        gains.append(np.subtract(*[(admit(score, group, part) == truth).mean() for part in (1, 0)]))
    return float(np.mean(gains))
