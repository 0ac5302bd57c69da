"""Intervals of what is measured on a few hundred patients, by drawing patients again; and how they are shown."""

import numpy as np

from tinyfrontier.training import progress


def drawn(decisions, label, group, draws=1000, seed=0):
    """Gap in selection and accuracy of several decisions, with 95 % intervals, and what each loses of the first.

    Args:
        decisions: one array (n,) of 0 and 1 a setting; the first is the plain one.
        label: (n,), 0 and 1.
        group: (n,), 0 and 1.
        draws: how often patients are drawn, with replacement.
        seed: which draws.

    Returns arrays (settings, 3) of value, low and high: gap, accuracy, and accuracy lost against the first setting.
    """
    yes, n = np.array(decisions, float), len(label)
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), draws)
    weight = np.vstack([np.ones(n), times])  # (1 + draws, n); the first row is everybody once
    shares = [weight[:, group == k] @ yes[:, group == k].T / weight[:, group == k].sum(1)[:, None] for k in (0, 1)]
    right = weight @ (yes == label).T / n
    measures = shares[0] - shares[1], right, right[:, :1] - right
    return [np.column_stack([m[0], *np.quantile(m[1:], [0.025, 0.975], axis=0)]) for m in measures]


def drawn_gaps(gaps, label, decision, group, draws=1000):
    """Value, low and high of each gap, from `gaps(label, decision, group)` on patients drawn again."""
    chance, n = np.random.default_rng(0), len(label)
    drawn_again = (chance.integers(n, size=n) for _ in progress(draws, "draws", least=50))
    told = [list(gaps(label[d], decision[d], group[d]).values()) for d in drawn_again]
    ends = np.quantile(told, [0.025, 0.975], axis=0).T
    return {
        name: (value, *pair) for (name, value), pair in zip(gaps(label, decision, group).items(), ends, strict=True)
    }


def draw_intervals(ax, found, xlabel):
    """One line a name from (middle, low, top), and a dotted line at 0."""
    for place, (middle, low, top) in enumerate(found.values()):
        ax.plot([low, top], [place] * 2, lw=3)
        ax.plot(middle, place, "o", color="black")
    ax.axvline(0, color="grey", ls=":")
    ax.set_yticks(range(len(found)), list(found))
    ax.set(xlabel=xlabel, ylim=(-0.5, len(found) - 0.5))


def draw_crosses(ax, ways):
    """A line a way from (gap, accuracy, …), each (settings, 3), with both intervals as a cross at its ends."""
    for k, (name, (gap, right, *_)) in enumerate(ways.items()):
        colour = f"C{k}"
        ax.plot(gap[:, 0], right[:, 0], "o-", color=colour, ms=4, label=name)
        for end in (0, -1):
            ax.plot(gap[end, 1:], right[[end, end], 0], color=colour, alpha=0.4)
            ax.plot(gap[[end, end], 0], right[end, 1:], color=colour, alpha=0.4)
    ax.axvline(0, color="grey", ls=":")
    ax.legend()
    ax.set(xlabel="gap in selection", ylabel="accuracy by label")
