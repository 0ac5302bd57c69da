"""What lesson 34 records: audits of a hundred seeds, costs of closing gaps, and filters at several shares misread."""

import numpy as np
from sklearn.metrics import roc_auc_score
from tinyfrontier.beside.lesson_34.judging import counts, judge
from tinyfrontier.beside.lesson_34.rivals import closing

SETTINGS = {"seeds": 100, "worlds": 12, "filters": 10, "misread": [0, 0.2, 0.4, 0.8]}
SETTINGS |= {"honest": [0.3, 0.5, 0.7, 1.0], "twin": [0.3, 0.5, 0.7, 1.0], "dice": [0.2, 0.4, 0.6]}
QUICK = {"seeds": 10, "worlds": 4, "filters": 1, "misread": [0, 0.8], "honest": [0.7], "twin": [0.5], "dice": [0.4]}


def knobs(name, strength):
    """The world's knobs."""
    return {
        "honest": {"behind": strength},
        "twin": {"bar": strength, "test": strength},
        "dice": {"dice": strength},
    }[name]


def rounded(rows):
    """The audits' shares with three digits."""

    def each(value):
        return [None if v is None else round(v, 3) for v in value]

    return {name: {key: each(value) for key, value in row.items()} for name, row in rows.items()}


def measure(lesson, *, seeds, worlds, filters, misread, **strengths):
    """All that the lesson shows as recorded.

    `audits`: `all`, what `judge` says of all seeds, `halves`, of each half, `counts`: wronging and fine models a kind;
    `costs`: by world, strength and way, what `closing` says; `kept`: by policy and share misread, `moderated` a seed;
    `apart`: by share misread, how often an islander's attack scores above an islander's greeting, a seed.
    """
    how = lesson.logistic, lesson.chances
    runs = [lesson.audited(*each) for seed in range(seeds) for each in lesson.models_of(seed)]
    halves = [[r for r in runs if (r[1] < seeds // 2) == first] for first in (True, False)]
    audits = {"all": rounded(judge(runs, *how)), "halves": [rounded(judge(half, *how)) for half in halves]}
    audits |= {"counts": counts(runs), "counts_of_halves": [counts(half) for half in halves]}
    print(audits["all"], audits["counts"], flush=True)
    costs = {}
    for name, tried in strengths.items():
        costs[name] = {}
        for strength in tried:
            each = [lesson.traded(knobs(name, strength), seed) for seed in range(worlds)]
            line = {way: np.array([found[way] for found in each]) for way in (*lesson.LINES, "coin")}
            costs[name][str(strength)] = closing(line)
            print(
                name,
                strength,
                {
                    w: (r["setting"], round(100 * np.mean(r["lost"] or np.nan), 2))
                    for w, r in costs[name][str(strength)].items()
                },
                flush=True,
            )
    kept, apart = {}, {}
    for share in misread:
        for seed in range(filters):
            scored = lesson.filtered(seed, share)
            posts, score = scored[1]
            for name, removed in lesson.policies(scored).items():
                row = [round(float(v), 4) for v in lesson.moderated(posts, removed)]
                kept.setdefault(name, {}).setdefault(str(share), []).append(row)
            island = (posts.islander == 1) & (posts.abuse + posts.friendly > 0)
            above = roc_auc_score(posts.abuse[island], score[island])
            apart.setdefault(str(share), []).append(round(float(above), 4))
        print(share, {n: np.mean(r[str(share)], 0).round(3).tolist() for n, r in kept.items()}, flush=True)
    return {"audits": audits, "costs": costs, "kept": kept, "apart": apart}
