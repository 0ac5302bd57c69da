"""What lesson 32 records: more splits, seeds and questions than fit a notebook."""

import numpy as np
from scipy.stats import norm
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tinyfrontier.beside.lesson_32.library import calibrated
from tinyfrontier.beside.lesson_32.questions import Library, Names, for_tuning, meaning, questions, some
from tinyfrontier.beside.lesson_32.rivals import (
    MODELS,
    bolder,
    by_folds,
    dropout,
    naive_sets,
    odds,
    separation,
    unusual,
)

from tinyfrontier.data import documentation
from tinyfrontier.pretrained import load_gpt

SETTINGS = {
    "seeds": [0, 1, 2, 3, 4],
    "exams": {"digits 100": 100, "digits 200": 200, "digits 400": 400, "cancer 100": 100, "wine 60": 60},
    "steps": 300,
    "splits": 40,
    "asked": 900,
    "samples": 20,
    "heats": [0.5, 0.7, 1.0],
    "characters": None,
}
QUICK = {
    "seeds": [0],
    "exams": SETTINGS["exams"],
    "steps": 3,
    "splits": 2,
    "asked": 18,
    "samples": 20,
    "heats": [1.0],
    "characters": 300_000,
}


def table(name):
    """Inputs of mean 0 and deviation 1, and classes."""
    load = {"digits": load_digits, "cancer": load_breast_cancer, "wine": load_wine}[name.split()[0]]
    x, y = load(return_X_y=True)
    return (x - x.mean(0)) / np.maximum(x.std(0), 1e-9), y


def calibration(lesson, seeds, exams, steps):
    """By exam, method and measure, one number a seed."""
    found = {}
    for exam, size in exams.items():
        x, y = table(exam)
        spare = 50 if len(x) < 300 else 150
        found[exam] = {}
        for seed in seeds:
            order = np.random.default_rng(seed).permutation(len(x))
            train, held, test = np.split(order, [size, size + spare])
            both, rows = order[: size + spare], range(len(test))
            one = lesson.Networks(x[train], y[train], seed, steps=steps)
            five = lesson.Networks(x[train], y[train], seed, members=5, steps=steps)
            wide = lesson.Networks(x[train], y[train], seed, width=320, steps=steps)
            long = lesson.Networks(x[train], y[train], seed, steps=5 * steps)
            calm = [lesson.Networks(x[train], y[train], seed, steps=steps, decay=d) for d in (3.0, 10.0)]
            best = min([one, *calm], key=lambda n: lesson.surprise(lesson.chances(n(x[held])), y[held]))
            full = lesson.Networks(x[both], y[both], seed, members=5, steps=steps)
            single = lesson.Networks(x[both], y[both], seed, steps=steps)
            folds = by_folds(lesson, x[both], y[both], seed, steps)
            drops = [dropout(x[train], y[train], seed, 5 * steps, rate) for rate in (0.2, 0.5)]
            drop = min(drops, key=lambda n: lesson.surprise(lesson.chances(n(x[held])), y[held]))
            dropped = dropout(x[both], y[both], seed, 5 * steps, 0.5)
            line = bolder(x[train], y[train])
            every = bolder(x[both], y[both])

            def cooled(net, held=held, test=test, x=x, y=y):
                heat = lesson.best_heat(lesson.scores_of(net(x[held])), y[held])
                return lesson.chances(lesson.scores_of(net(x[test]))[None], heat)

            raw, other = one(x[held])[0], one(x[test])[0]
            told = {
                "one network": lesson.chances(one(x[test])),
                "one + temperature": cooled(one),
                "one + Platt": calibrated("sigmoid", raw, y[held], other),
                "one + isotonic": calibrated("isotonic", raw, y[held], other),
                "one, decay tuned": lesson.chances(best(x[test])),
                "wide + temperature": cooled(wide),
                "long + temperature": cooled(long),
                "five networks": lesson.chances(five(x[test])),
                "five + temperature": cooled(five),
                "dropout + temperature": cooled(drop),
                "one, all labels": lesson.chances(single(x[test])),
                "dropout, all labels": lesson.chances(dropped(x[test])),
                "five, all labels": lesson.chances(full(x[test])),
                "five by folds + temp.": folds(x[test]),
                "logistic regression": line.predict_proba(x[test]),
                "logistic, all labels": every.predict_proba(x[test]),
            }
            for name, p in told.items():
                row = found[exam].setdefault(name, {"surprise": [], "gap": [], "right": []})
                row["surprise"].append(round(float(-np.log(np.maximum(p[rows, y[test]], 1e-6)).mean()), 4))
                row["gap"].append(round(float(lesson.calibration_gap(p, y[test])), 4))
                row["right"].append(round(float((p.argmax(1) == y[test]).mean()), 4))
        print(exam, {n: round(float(np.mean(r["surprise"])), 3) for n, r in found[exam].items()}, flush=True)
    return found


def digit_seed(lesson, seed, steps):
    """Chances of all digits, which are not learnt from, and what describes an image."""
    x, y = load_digits(return_X_y=True)
    x = x / 16
    order = np.random.default_rng([32, seed]).permutation(len(x))
    train, rest = order[:200], order[200:]
    net = lesson.Networks(x[train], y[train], seed, steps=steps)
    return x, y, train, rest, net


def promises(lesson, seeds, steps, splits):
    """By promised level and method: mean coverage and set size of digits, one number a seed."""
    found = {}
    for seed in seeds:
        x, y, _, rest, net = digit_seed(lesson, seed, steps)
        p = lesson.chances(net(x))
        draw, rows = np.random.default_rng([1, seed]), {}
        for _ in range(splits):
            cal, test = np.split(draw.permutation(rest), [500])
            heat = lesson.best_heat(net(x[cal])[0], y[cal])
            cool = lesson.chances(net(x[test]), heat)
            loss = 1 - p[cal, y[cal]]
            for level in (0.8, 0.9, 0.95, 0.99):
                sets = {
                    "conformal": 1 - p[test] <= lesson.threshold(loss, level),
                    "add up": naive_sets(p[test], level),
                    "add up, temperature": naive_sets(cool, level),
                }
                for name, inside in sets.items():
                    both = inside[range(len(test)), y[test]].mean(), inside.sum(1).mean()
                    rows.setdefault((str(level), name), []).append(both)
        for (level, name), values in rows.items():
            cover, size = np.mean(values, 0)
            cell = found.setdefault(level, {}).setdefault(name, {"cover": [], "size": []})
            cell["cover"].append(round(float(cover), 4))
            cell["size"].append(round(float(size), 4))
    return found


def patients(lesson, splits):
    """Diabetes: by model, level and method, mean coverage and width over splits."""
    x, y = load_diabetes(return_X_y=True)
    found = {}
    for name, kind in MODELS.items():
        rows = {}
        for seed in range(splits):
            order = np.random.default_rng([2, seed]).permutation(len(x))
            train, cal, test = np.split(order, [150, 300])
            model = clone(kind).fit(x[train], y[train])
            whole = clone(kind).fit(x[order[:300]], y[order[:300]])
            loss, off = np.abs(y[cal] - model.predict(x[cal])), np.abs(y[test] - model.predict(x[test]))
            left = y[order[:300]] - whole.predict(x[order[:300]])
            spread = np.sqrt((left**2).sum() / (300 - 11))
            for level in (0.8, 0.9, 0.95):
                wide = spread * norm.ppf((1 + level) / 2)
                far = np.abs(y[test] - whole.predict(x[test]))
                reach = lesson.threshold(loss, level)
                rows.setdefault((str(level), "conformal"), []).append(((off <= reach).mean(), 2 * reach))
                rows.setdefault((str(level), "bell curve"), []).append(((far <= wide).mean(), 2 * wide))
        for (level, how), values in rows.items():
            cover, width = np.mean(values, 0)
            cell = {"cover": round(float(cover), 4), "width": round(float(width), 1)}
            found.setdefault(name, {}).setdefault(level, {})[how] = cell
    return found


def shifted(lesson, seeds, steps, splits):
    """By strength and method: mean coverage and set size, one number a seed; what cannot be mended; who is covered."""
    found, beyond, parts_of = {}, {}, {}
    for seed in seeds:
        x, y, train, rest, net = digit_seed(lesson, seed, steps)
        p, far = lesson.chances(net(x)), unusual(x, x[train])
        loss, parts = 1 - p[range(len(y)), y], PCA(20).fit(x[train]).transform(x)
        draw = np.random.default_rng([3, seed])
        moved = np.roll(x.reshape(-1, 8, 8), 1, 2).reshape(-1, 64)
        p_moved = lesson.chances(net(moved))
        swapped = np.where(y == 1, 7, np.where(y == 7, 1, y))
        for strength in (0, 0.5, 1, 2):
            tilt, rows = np.exp(strength * far), {}
            for k in range(splits):
                cal, pool = np.split(draw.permutation(rest), [500])
                chance = tilt[pool] / tilt[pool].sum()
                test, look, few = (draw.choice(pool, n, p=chance) for n in (500, 500, 50))
                bars = {
                    "plain": lesson.threshold(loss[cal], 0.9),
                    "plain, 99 % promised": lesson.threshold(loss[cal], 0.99),
                    "known weights": lesson.weighted_threshold(loss[cal], tilt[cal], tilt[test], 0.9),
                    "ten strata": lesson.by_strata(loss[cal], far[cal], far[test], 0.9),
                    "50 new labels": lesson.threshold(loss[few], 0.9),
                }
                if k < 10:
                    for name, view in (("weights learnt", far[:, None]), ("learnt from pixels", parts)):
                        w = odds(view, cal, look)
                        bars[name] = lesson.weighted_threshold(loss[cal], w[cal], w[test], 0.9)
                for name, bar in bars.items():
                    size = (1 - p[test] <= np.broadcast_to(bar, 500)[:, None]).sum(1).mean()
                    rows.setdefault(name, []).append(((loss[test] <= bar).mean(), size, np.isinf(bar).mean()))
                rows.setdefault("worth", []).append((tilt[cal].sum() ** 2 / (tilt[cal] ** 2).sum(), 0, 0))
                if strength == 0:
                    inside = loss[pool] <= bars["plain"]
                    level = loss[pool] <= lesson.by_strata(loss[cal], far[cal], far[pool], 0.9)
                    rim = far[pool] >= np.quantile(far[pool], 0.8)
                    row = {f"digit {c}": inside[y[pool] == c].mean() for c in range(10)}
                    row |= {"most unusual fifth": inside[rim].mean(), "the same by strata": level[rim].mean()}
                    for name, value in row.items():
                        parts_of.setdefault(name, []).append(value)
                if strength == 0 and k < 10:
                    bar = lesson.threshold(loss[cal], 0.9)
                    beyond.setdefault("plain, moved", []).append((1 - p_moved[pool, y[pool]] <= bar).mean())
                    both = np.concatenate([parts, PCA(20).fit(x[train]).transform(moved)])
                    w = odds(both, cal, len(x) + pool)
                    bar = lesson.weighted_threshold(loss[cal], w[cal], w[len(x) + pool], 0.9)
                    beyond.setdefault("weighted, moved", []).append((1 - p_moved[pool, y[pool]] <= bar).mean())
                    beyond.setdefault("moved: all ten", []).append(np.isinf(bar).mean())
                    bar = lesson.threshold(loss[cal], 0.9)
                    beyond.setdefault("1 and 7 swapped", []).append((1 - p[pool, swapped[pool]] <= bar).mean())
            for name, values in rows.items():
                means = np.mean(values, 0)
                cell = found.setdefault(str(strength), {}).setdefault(name, {"cover": [], "size": [], "all": []})
                for key, value in zip(("cover", "size", "all"), means, strict=True):
                    cell[key].append(round(float(value), 4))
    mean = [{name: round(float(np.mean(values)), 4) for name, values in d.items()} for d in (beyond, parts_of)]
    return found, *mean


def told(lesson, model, words, asked, names, shelf, samples, heat, read):
    """What is known of each question: right before and after looking up, and all scores."""
    closed = lesson.ask_many(model, words, [lesson.prompt(q) for q in asked], samples, heat)
    found = shelf.find(asked)
    opened = lesson.ask_many(model, words, [lesson.prompt(q, page) for q, page in zip(asked, found, strict=True)], 0)
    rows = []
    for q, page, before, after in zip(asked, found, closed, opened, strict=True):
        said = meaning(before.texts[0])
        kinds = [meaning(text) for text in before.texts[1:]]
        rows.append(
            {
                "module": q.module,
                "right": int(said == q.kind),
                "opened": int(meaning(after.texts[0]) == q.kind),
                "page": int(page.kind == q.kind),
                "table": int(names.best(q, read) == q.kind),
                "entropy": [round(float(lesson.disagreement(kinds[:k])), 4) for k in (5, 10, 20)],
                "others": [round(1 - kinds[:k].count(said) / max(1, len(kinds[:k])), 4) for k in (5, 10, 20)],
                "whole": round(-sum(before.logs), 4),
                "first": round(-before.logs[0], 4),
                "mean": round(-float(np.mean(before.logs)), 4),
                "rare name": round(-float(np.log1p(names.count(q, read))), 4),
                "rare answer": round(-float(np.log1p(names.all[said])), 4),
                "vote": round(-names.vote(q, said, read), 4),
                "doubt": round(-names.vote(q, names.best(q, read), read), 4),
                "length": len(q.name),
            }
        )
    return rows


FORMS = {
    "disagreement": [("entropy", k) for k in range(3)] + [("others", k) for k in range(3)],
    "likelihood": [("whole", None), ("first", None), ("mean", None)],
}


def column(rows, form):
    """One score of all questions."""
    name, place = form
    return np.array([row[name] if place is None else row[name][place] for row in rows], float)


def interview(lesson, asked, samples, heats, characters):
    """By group (held out, read): rows of the exam with picked scores, and what was picked on other modules."""
    model, words = load_gpt()
    docs = documentation(lesson.PACKAGES, max_characters=characters)
    read, new = questions(docs.train), questions(docs.test)
    names, shelf = Names(read), Library(read + new)
    found = {}
    for group, items in (("held out", new), ("read", read)):
        tune = some([q for q in items if for_tuning(q.module)], asked // 3)
        exam = some([q for q in items if not for_tuning(q.module)], asked)
        less = int(group == "read")
        tries = {heat: told(lesson, model, words, tune, names, shelf, samples, heat, less) for heat in heats}
        picked = {}
        for name, forms in FORMS.items():
            every = [
                (separation(column(rows, f), column(rows, ("right", None)) == 0), heat, f)
                for heat, rows in tries.items()
                for f in forms
            ]
            picked[name] = max(every, key=lambda e: e[0])[1:]
        heat = picked["disagreement"][0]
        rows = told(lesson, model, words, exam, names, shelf, samples, heat, less)
        learn = {
            "question and answer": ("rare name", "rare answer", "length"),
            "all together": ("rare name", "rare answer", "length", "whole", "first", "others"),
        }
        scores = {name: column(rows, form) for name, (_, form) in picked.items()}
        scores |= {name: column(rows, (name, None)) for name in ("rare name", "rare answer")}
        scores |= {"table's vote": column(rows, ("vote", None)), "table's doubt": column(rows, ("doubt", None))}
        for name, parts in learn.items():
            views = [
                np.stack([column(r, (part, 2 if part == "others" else None)) for part in parts], 1)
                for r in (tries[heat], rows)
            ]
            judge = make_pipeline(StandardScaler(), LogisticRegression())
            judge.fit(views[0], column(tries[heat], ("right", None)) == 0)
            scores[name] = judge.decision_function(views[1])
        for k, count in enumerate((5, 10, 20)):
            scores[f"disagreement of {count}"] = column(rows, (picked["disagreement"][1][0], k))
        found[group] = {
            "picked": {n: [h, f[0], f[1]] for n, (h, f) in picked.items()},
            "modules": [row["module"] for row in rows],
            **{key: [row[key] for row in rows] for key in ("right", "opened", "page", "table")},
            "scores": {name: [round(float(v), 4) for v in values] for name, values in scores.items()},
        }
        wrong = column(rows, ("right", None)) == 0
        print(group, len(rows), found[group]["picked"], 1 - wrong.mean(), np.mean(found[group]["opened"]), flush=True)
        print({n: round(separation(np.array(s), wrong), 3) for n, s in found[group]["scores"].items()}, flush=True)
    return found


def measure(lesson, *, seeds, exams, steps, splits, asked, samples, heats, characters):
    """All that the lesson shows as recorded: see the functions above."""
    moved, beyond, parts = shifted(lesson, seeds, steps, splits)
    found = {"shift": moved, "beyond": beyond, "parts": parts}
    print(parts, flush=True)
    print({s: {n: np.mean(c["cover"]) for n, c in row.items()} for s, row in moved.items()}, beyond, flush=True)
    found["promise"] = promises(lesson, seeds, steps, splits)
    print({s: {n: np.mean(c["cover"]) for n, c in row.items()} for s, row in found["promise"].items()}, flush=True)
    found["patients"] = patients(lesson, splits)
    print(found["patients"], flush=True)
    found["calibration"] = calibration(lesson, seeds, exams, steps)
    found["interview"] = interview(lesson, asked, samples, heats, characters)
    return found
