"""What lesson 25 records: AUC, shares and precision over draws of families and seeds, rivals with labels, shifts."""

from tinyfrontier.beside.lesson_25.families import families
from tinyfrontier.beside.lesson_25.rivals import by_hand, learnt, of_columns, pairwise

from tinyfrontier.pretrained import load_proteins
from tinyfrontier.pretrained.proteins.recipe import school

SETTINGS = {
    "draws": [11, 12, 13, 14, 15],
    "seeds": [0, 1, 2],
    "sizes": [50, 80],
    "steps": 600,
    "strengths": [1.0, 1.5, 2.0, 3.0, 5.0, 8.0],
    "weights": [10.0, 30.0, 100.0, 1000.0, 10000.0],
    "stills": [0.0, 1.0, 2.0, 4.0, 8.0, 12.0],
    "full": [6000, 3000],
    "kinds": ["linear", "trees"],
    "labels": [0, 20],
    "penalties": [0.1, 0.3, 1.0],
    "deep": [20, 100],
    "shifts": [0.0, 0.33, 0.67, 1.0],
    "harms": [2.0, 3.0, 4.0, 6.0],
    "mixes": [0.5, 0.33, 0.2, 0.1, 0.05],
}
QUICK = {
    "draws": [11],
    "seeds": [0],
    "sizes": [2, 2],
    "steps": 2,
    "strengths": [1.0],
    "weights": [1.0],
    "stills": [1.0],
    "full": [50, 2],
    "kinds": ["linear", "trees"],
    "labels": [0],
    "penalties": [0.1],
    "deep": [8],
    "shifts": [0.0, 1.0],
    "harms": [4.0],
    "mixes": [0.5, 0.2],
}
TUNING = 9  # the families on which strengths, weights and penalties are picked


def row(values):
    """A list of floats, as they are stored."""
    return [round(float(value), 4) for value in values]


def measure(
    lesson,
    *,
    draws,
    seeds,
    sizes,
    steps,
    strengths,
    weights,
    stills,
    full,
    kinds,
    labels,
    penalties,
    deep,
    shifts,
    harms,
    mixes,
):
    """AUC and shares; lists go over draws of families, and over the models' seeds within each where there are any.

    `chosen`: by context and homologs the table, its strength, the prior's weight, that of conservation. `alone`: AUC
    without homologs. `full`: the same of table, window and both, with as much to read as the models. `auc`, `share`,
    `kept`: by context, rows of one number a depth; `kept` has the precision of the harmful and of the harmless class.
    `labels`: by homologs, classifier and features, AUC and share. `pairwise`: by depth and context the picked penalty
    and prior, AUC of columns, and of pairs. `shift` and `harms`: by size and homologs, share and both precisions with
    cuts made at home. `other`: as `alone`, a number for each of `harms`. `rates`: by homologs, what `called` returns.
    `rare`: by share that harms and homologs, the share classified by cuts made for it.
    """
    torch = lesson.torch
    few, many = sizes
    tables = lesson.TABLES
    library = lesson.LIBRARY.flatten(0, 1)
    found = {
        name: {}
        for name in (
            *("chosen", "alone", "full", "auc", "share", "kept", "labels"),
            *("pairwise", "shift", "harms", "other", "rates", "rare"),
        )
    }

    windows = {seed: lesson.learn(lesson.Window(), library, steps, seed, lr=1e-2) for seed in seeds}

    def contexts(world, seed):
        wild = world.letters[:, 0]
        return {
            "columns": lesson.OFTEN.expand(*wild.shape, 20),
            "window": lesson.masked_logits(windows[seed], wild),
            "both": lesson.masked_logits(load_proteins(seed), wild),
        }

    def mean(scores, world):
        return float(lesson.by_family(scores, world).mean())

    trial = families(few, 101, TUNING)
    for name, context in contexts(trial, seeds[0]).items():
        found["chosen"][name] = {}
        for homologs in lesson.HOMOLOGS:
            tried, held = [], lesson.conservation(trial, homologs)
            for label, table in tables.items():
                for strength in strengths:
                    for weight in weights:
                        scores = lesson.suspicion(trial, homologs, context, table, strength, weight, 0.0)
                        for still in stills if homologs else [0.0]:  # a column of one varies nowhere
                            tried.append((mean(scores + still * held, trial), label, strength, weight, still))
            found["chosen"][name][str(homologs)] = list(max(tried)[1:])
        print(name, found["chosen"][name], flush=True)

    much = school(1, full[0])
    full_table = lesson.table_of(much)
    full_window = lesson.learn(lesson.Window(), much.flatten(0, 1), full[1], seeds[0], lr=1e-2)

    def judge(name, world, homologs, context):
        label, *rest = found["chosen"][name][str(homologs)]
        return lesson.suspicion(world, homologs, context, tables[label], *rest)

    def keep(part, name, value):
        found[part].setdefault(name, []).append(value)

    for draw in draws:
        labelled, calibration, report = (families(n, 101, 1000 * k + draw) for k, n in ((1, few), (2, few), (3, many)))
        wild = report.letters[:, 0]
        print("draw", draw, flush=True)
        for name, table in (("BLOSUM62", lesson.BLOSUM), ("own table", lesson.OWN)):
            forms = {"entry": -table[trial.letters[:, 0]], "ratio": judge_table(lesson, table, trial)}
            best = max(forms, key=lambda form: mean(forms[form], trial))
            mine = -table[wild] if best == "entry" else judge_table(lesson, table, report)
            keep("alone", name, mean(mine, report))
            keep("other", name, row(lesson.by_family(mine, report, harm).mean() for harm in harms))
        keep("alone", "background", mean(lesson.log_ratio(lesson.OFTEN.expand(*wild.shape, 20), wild), report))
        votes = lesson.masked_logits(full_window, wild)
        for name, scores in (
            ("own table", -full_table[wild]),
            ("linear window", lesson.log_ratio(votes, wild)),
            ("window + table", lesson.suspicion(report, 0, votes, full_table, *found["chosen"]["window"]["0"][1:])),
        ):
            keep("full", name, round(mean(scores, report), 4))
        for seed in seeds:
            context = contexts(report, seed)
            cutting = contexts(calibration, seed)
            with torch.no_grad():
                shown = load_proteins(seed)(wild)
            shuffled = lesson.masked_logits(load_proteins(seed, shuffled=True), wild)
            asked = {"language model": context["both"], "wild-type marginal": shown, "shuffled": shuffled}
            asked["linear window"] = context["window"]
            for name, logits in asked.items():
                scores = lesson.log_ratio(logits, wild)
                keep("alone", name, mean(scores, report))
                keep("other", name, row(lesson.by_family(scores, report, harm).mean() for harm in harms))
            for name in found["chosen"]:
                if name == "columns" and seed != seeds[0]:
                    continue
                scored, shares, kept = [], [], []
                for homologs in lesson.HOMOLOGS:
                    scores = judge(name, report, homologs, context[name])
                    cuts = lesson.cut(judge(name, calibration, homologs, cutting[name]), calibration)
                    share, *precise = lesson.outcome(scores, report, *cuts)
                    scored.append(mean(scores, report))
                    shares.append(share)
                    kept.append(row(precise))
                keep("auc", name, row(scored))
                keep("share", name, row(shares))
                keep("kept", name, kept)
            share = lesson.outcome(
                lesson.log_ratio(context["both"], wild),
                report,
                *lesson.cut(lesson.log_ratio(cutting["both"], calibration.letters[:, 0]), calibration),
            )
            keep("share", "alone", row(share[:1]))
        for homologs in labels if draw in draws[:3] else ():
            for kind in kinds:
                for name, reader in (("by hand", None), ("with window", "window"), ("with model", "both")):
                    parts = [
                        features(lesson, judge, world, homologs, reader, contexts(world, seeds[0])[reader or "columns"])
                        for world in (labelled, calibration, report)
                    ]
                    real, harm = lesson.judged(labelled)
                    model = learnt(kind, parts[0][real].numpy(), harm[real].numpy())
                    scores = [
                        torch.from_numpy(model.predict_proba(part.flatten(0, 2).numpy())[:, 1]).view(part.shape[:3])
                        for part in parts[1:]
                    ]
                    share = lesson.outcome(scores[1], report, *lesson.cut(scores[0], calibration))[0]
                    where = found["labels"].setdefault(str(homologs), {}).setdefault(kind, {}).setdefault(name, [])
                    where.append(row([mean(scores[1], report), share]))
        for homologs in (0, 20):
            context = {"both": lesson.masked_logits(load_proteins(seeds[0]), calibration.letters[:, 0])}
            scores = judge("both", calibration, homologs, context["both"])
            cuts = lesson.cut(scores, calibration)
            for shift in shifts:
                abroad = families(few, homologs + 1, 4000 + draw, membrane=shift)
                logits = lesson.masked_logits(load_proteins(seeds[0]), abroad.letters[:, 0])
                result = lesson.outcome(judge("both", abroad, homologs, logits), abroad, *cuts)
                found["shift"].setdefault(str(shift), {}).setdefault(str(homologs), []).append(row(result))
            logits = lesson.masked_logits(load_proteins(seeds[0]), wild)
            scores = judge("both", report, homologs, logits)
            found["rates"].setdefault(str(homologs), []).append(row(lesson.called(scores, report, *cuts)))
            home = judge("both", calibration, homologs, context["both"])
            for mix in mixes:
                anew = lesson.thresholds(*thinned(lesson, home, calibration, mix), 0.9)
                share = lesson.mixed(lesson.called(scores, report, *anew), mix)[0]
                found["rare"].setdefault(str(mix), {}).setdefault(str(homologs), []).append(round(share, 4))
            for harm in harms:
                result = lesson.outcome(scores, report, *cuts, harm)
                found["harms"].setdefault(str(harm), {}).setdefault(str(homologs), []).append(row(result))
    for depth in deep:
        picking, judged = (families(1 + size // 8, depth + 1, seed) for size, seed in ((few, TUNING), (many, 5000)))
        result = {}
        for name in ("columns", "both"):
            nearest = min(lesson.HOMOLOGS, key=lambda homologs, depth=depth: abs(homologs - depth))
            *picked, still = found["chosen"][name][str(nearest)]
            priors = [picked, ["own", 1.0, 10.0], ["own", 1.0, 30.0]]

            def sites(world, prior, depth=depth, name=name):
                label, strength, weight = prior
                context = lesson.OFTEN.expand(len(world), lesson.LENGTH, 20)
                if name == "both":
                    context = lesson.masked_logits(load_proteins(seeds[0]), world.letters[:, 0])
                opinion = (context + strength * lesson.shared(world, depth, tables[label])).softmax(-1)
                return lesson.column_profile(world.letters, opinion, weight).log()

            def pairs(world, prior, penalty, sites=sites):
                logits = pairwise(world.letters, penalty, prior=sites(world, prior))
                return lesson.log_ratio(logits, world.letters[:, 0])

            tried, held = [], lesson.conservation(picking, depth)
            for place, prior in enumerate(priors):
                for penalty in penalties:
                    scores = pairs(picking, prior, penalty)
                    tried += [(mean(scores + a * held, picking), place, penalty, a) for a in (0.0, still)]
            _, place, penalty, amount = max(tried)
            held = lesson.conservation(judged, depth)
            alone = lesson.log_ratio(sites(judged, priors[0]), judged.letters[:, 0]) + still * held
            coupled = pairs(judged, priors[place], penalty) + amount * held
            alone, coupled = mean(alone, judged), mean(coupled, judged)
            result[name] = [penalty, place, *row([alone, coupled])]
        found["pairwise"][str(depth)] = result
        print("pairs", depth, result, flush=True)
    found["alone"] = {name: row(values) for name, values in found["alone"].items()}
    return found


def thinned(lesson, scores, world, share, seed=0):
    """Scores and labels of variants, with harmful ones left out at random until `share` is left."""
    torch = lesson.torch
    real, harm = lesson.judged(world)
    score, bad = scores[real].float(), harm[real]
    lot = torch.rand(len(bad), generator=torch.Generator().manual_seed(seed))
    stays = ~bad | (lot < share / (1 - share) * (~bad).sum() / bad.sum())
    return score[stays], bad[stays]


def judge_table(lesson, table, world):
    """A table's log-ratio from the wild letter's own entry, (families, length, 20)."""
    return lesson.log_ratio(table[world.letters[:, 0]], world.letters[:, 0])


def features(lesson, judge, world, homologs, reader, context):
    """What a classifier sees of each replacement, (families, length, 20, features); `reader` None, "window", "both"."""
    wild = world.letters[:, 0]
    parts = [by_hand(wild, lesson.BLOSUM), lesson.OWN[wild][..., None]]
    background = lesson.OFTEN.expand(*wild.shape, 20)
    parts.append(judge("columns", world, homologs, background)[..., None])
    if homologs:
        prior = lesson.shared(world, homologs, lesson.OWN).softmax(-1)
        parts.append(of_columns(wild, lesson.column_profile(world.letters[:, : homologs + 1], prior, 3.0)))
    if reader:
        parts.append(of_columns(wild, context.softmax(-1)))
        parts.append(judge(reader, world, homologs, context)[..., None])
    return lesson.torch.cat([part.float() for part in parts], dim=-1)
