"""What lesson 31 records: tuned rivals and further seeds of the search, the records, the answers, and the labels."""

import time

import numpy as np
from tinyfrontier.beside.lesson_31.docs import for_tuning, labelled, pairs_of
from tinyfrontier.beside.lesson_31.papers import SHARE, SLOTS, ask, materials, write_papers
from tinyfrontier.beside.lesson_31.rivals import (
    Memory,
    fed_back,
    interval,
    interview,
    ndcg,
    neighbours,
    shared_rows,
    spent,
    spoil,
    train_window,
)

from tinyfrontier.data.documents import documentation

SETTINGS = {
    "seeds": [0, 1, 2, 3, 4],
    "tuning_seeds": [100, 101, 102],
    "draws": 10,
    "tuning_draws": [100, 101, 102, 103, 104, 105, 106, 107, 108, 109],
    "penalties": [1, 2, 4, 10],
    "rates": [0.05, 0.1, 0.2, 0.3],
    "looks": [50, 100, 200],
    "steps": 1.0,
    "papers": [25, 100, 400],
    "shares": [0.2, 0.4, 0.65],
    "packages": ["python", "numpy", "scipy", "sklearn", "matplotlib", "networkx"],
}
QUICK = {
    "seeds": [0],
    "tuning_seeds": [100],
    "draws": 1,
    "tuning_draws": [100],
    "penalties": [10],
    "rates": [0.2],
    "looks": [50],
    "steps": 0.02,
    "papers": [25],
    "shares": [0.65],
    "packages": ["python", "networkx"],
}


def rounded(values):
    """Floats as they are stored."""
    return [round(float(value), 4) for value in values]


def say(*words):
    """A line of progress."""
    print(*words, flush=True)


def search(lesson, docs, seeds, tuning_seed, steps, found):
    """Recall@10 of all methods on the exam's half, settings picked on the tuning half."""
    pairs, held = pairs_of(docs.train), pairs_of(docs.test)
    tune = np.array([for_tuning(module) for module in held.modules])
    strange = np.array([not set(q) & set(p) for q, p in zip(held.queries, held.passages)])
    words = lesson.counter(held.passages)
    queries, passages = words.transform(held.queries), words.transform(held.passages)
    rows, asked, told, held_asked, held_told = shared_rows(pairs, held, lesson.counter, lesson.rarity)
    tried = found["tried_search"] = {}

    def pick(name, options, scores_of):
        best = None
        for option in options:
            scores = scores_of(option)
            level = float(lesson.recall(scores)[tune].mean())
            tried.setdefault(name, {})[str(option)] = round(level, 4)
            if best is None or level > best[0]:
                best = level, option, scores
        say(name, tried[name])
        return best[1], best[2]

    def words_first(option):
        return (queries @ lesson.bm25_table(passages, *option).T).toarray()

    k1_b, bm25 = pick("BM25", [(k1, b) for k1 in (0.8, 1.2, 1.5, 2.0) for b in (0.3, 0.5, 0.75)], words_first)
    own = lesson.normalize(passages.multiply(lesson.rarity(passages)).tocsr())
    tfidf = (lesson.normalize(queries.multiply(lesson.rarity(passages)).tocsr()) @ own.T).toarray()
    _, fed = pick(
        "feedback",
        [(k, much) for k in (3, 5, 10) for much in (0.1, 0.3)],
        lambda o: fed_back(queries, own, lesson.bm25_table(passages, *k1_b), bm25, *o),
    )
    sizes = (100, 300, 500, 1000) if len(pairs.queries) > 3000 else (20,)

    def lsa_of(size):
        ways = lesson.main_directions(rows, size)[1]
        return lesson.by_directions(held_asked, held_told, (ways, ways))

    def paired_of(size):
        return lesson.by_directions(held_asked, held_told, lesson.main_directions(asked.T @ told, size))

    def dense_of(seed, shuffled=False, **how):
        pair = lesson.train_towers(asked, told, seed, max(1, int(150 * steps)), shuffled=shuffled, **how)
        with lesson.torch.no_grad():
            return (pair[0](held_asked) @ pair[1](held_told).T).numpy()

    set_to, meanings = found["settings"], {}
    pairs_say = held_asked, asked, told, held_told
    set_to["LSA"], meanings["LSA"] = pick("LSA", sizes, lsa_of)
    set_to["paired"], meanings["paired"] = pick("paired", sizes, paired_of)
    set_to["neighbours"], meanings["neighbours"] = pick(
        "neighbours", (1, 2, 3, 4, 6), lambda power: neighbours(*pairs_say, power)
    )
    grid = [(lr, dropped) for lr in (2e-3, 5e-3, 1e-2) for dropped in (0.1, 0.2)] + [(5e-3, 0.4)]
    (lr, dropped), at_tuning = pick("dense", grid, lambda o: dense_of(tuning_seed, lr=o[0], dropped=o[1]))
    dense = [dense_of(seed, lr=lr, dropped=dropped) for seed in seeds]
    shuffled = [dense_of(seed, True, lr=lr, dropped=dropped) for seed in seeds]
    parts = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
    mix = {
        name: pick(f"BM25 + {name}", parts, lambda much, s=s: lesson.together(bm25, s, much))[0]
        for name, s in (meanings | {"dense": at_tuning}).items()
    }
    ranked = {"TF-IDF": [tfidf], "BM25": [bm25], "feedback": [fed]}
    ranked |= {name: [scores] for name, scores in meanings.items()}
    ranked |= {"dense": dense, "dense, shuffled pairs": shuffled}
    ranked |= {f"BM25 + {n}": [lesson.together(bm25, s, mix[n])] for n, s in meanings.items()}
    ranked["BM25 + dense"] = [lesson.together(bm25, each, mix["dense"]) for each in dense]
    groups = {"all": ~tune, "strangers": ~tune & strange}
    found["search"] = {
        name: {
            group: rounded(lesson.recall(s)[these].mean() if these.any() else 0 for s in many)
            for group, these in groups.items()
        }
        | {"ndcg": rounded(ndcg(s)[~tune].mean() for s in many)}
        for name, many in ranked.items()
    }
    say(found["search"])
    modules, hard = np.array(held.modules)[~tune], strange[~tune]
    mean = {name: np.mean([lesson.recall(each)[~tune] for each in many], axis=0) for name, many in ranked.items()}
    found["gains"] = {
        name: rounded(interval(mean[f"BM25 + {name}"] - mean["BM25"], modules)) for name in (*meanings, "dense")
    }
    found["stranger_gains"] = {
        name: rounded(interval((mean["dense"] - mean[name])[hard], modules[hard]) if hard.any() else [0, 0, 0])
        for name in ("TF-IDF", "BM25", "feedback", *meanings, "dense, shuffled pairs")
    }
    found["settings"] |= {"BM25": list(k1_b), "dense": [lr, dropped], "mix": mix}
    say(found["gains"], found["stranger_gains"], found["settings"])


def records(lesson, seeds, tuning_seeds, steps, papers, shares, found):
    """Facts right by method, and over labelled papers and known patterns; settings picked on other seeds."""
    many = max(2, int(200 * steps))
    tests = {}
    for seed in [*seeds, *tuning_seeds]:
        known = write_papers(100 + 150, seed)[100:]
        tests[seed] = {"known": known, "fresh": write_papers(150, seed, fresh=True)}
    tried = found["tried_records"] = {}

    def level(seed, chances_of):
        fresh = tests[seed]["fresh"]
        return lesson.right_facts(fresh, [lesson.chosen(p, c) for p, c in zip(fresh, chances_of(fresh))])

    def best(name):
        return max(tried[name], key=lambda option: np.mean(tried[name][option]))

    tried["hand rule"] = {
        str(after): rounded(
            lesson.right_facts(some := tests[s]["fresh"], [lesson.by_hand(p, after=after) for p in some])
            for s in tuning_seeds
        )
        for after in (False, True)
    }
    windows = {
        str(option): option
        for option in ((2, 8, 0.3), (3, 10, 1.0), (3, 3, 1.0), (3, 10, 10.0), (5, 15, 1.0), (8, 25, 1.0))
    }
    tried["window"] = {
        name: rounded(level(s, train_window(write_papers(100, s), *option)) for s in tuning_seeds)
        for name, option in windows.items()
    }
    width = windows[best("window")]
    options = {str(option): option for option in ((5e-3, 0.3), (1e-2, 0.15), (1e-2, 0.3), (1e-2, 0.45), (2e-2, 0.15))}
    tried["tagger"], taggers = {}, {}
    for name, option in options.items():
        taggers[name] = [lesson.train_tagger(write_papers(100, s), s, many, *option) for s in tuning_seeds]
        tried["tagger"][name] = rounded(level(s, net) for s, net in zip(tuning_seeds, taggers[name]))
    how = options[best("tagger")]
    found["settings"] |= {"hand rule": best("hand rule"), "window": list(width), "tagger": list(how)}
    say(tried)
    found["records"], found["raw"], kept = {}, {"known": [], "fresh": []}, {}
    for seed in seeds:
        train = write_papers(100, seed)
        kept[seed] = lesson.train_tagger(train, seed, many, *how)
        window, cues = train_window(train, *width), lesson.cues_in(train)
        for group, some in tests[seed].items():
            raw = lesson.span_f1([p.tags for p in some], lesson.tags_of(kept[seed](some)))
            found["raw"][group] += rounded([raw])
            for name, picks in lesson.pickings(some, kept[seed], window, cues).items():
                right = found["records"].setdefault(name, {"known": [], "fresh": []})
                right[group] += rounded([lesson.right_facts(some, picks)])
    say(found["records"], found["raw"])
    same = {name: rows["fresh"] for name, rows in found["records"].items()}
    for key, options in (("by_papers", papers), ("by_patterns", shares)):
        rows = found[key] = {}
        for option in options:
            if option in (100, SHARE):
                rows[str(option)] = same
                continue
            row = rows[str(option)] = {}
            for seed in seeds:
                train = write_papers(option, seed) if key == "by_papers" else write_papers(100, seed, share=option)
                net = lesson.train_tagger(train, seed, many, *how)
                fresh = tests[seed]["fresh"]
                reading = lesson.pickings(fresh, net, train_window(train, *width), lesson.cues_in(train))
                for name, picks in reading.items():
                    row.setdefault(name, []).extend(rounded([lesson.right_facts(fresh, picks)]))
            say(key, option, row)
    return kept, dict(zip(tuning_seeds, taggers[best("tagger")]))


def answers(lesson, seeds, tuning_seeds, steps, taggers, found):
    """Right answers by method and group; what is answered above the limits, and about no paper as well."""
    many = max(2, int(400 * steps))
    tried = found["tried_answers"] = {"memory": {}, "search": {}}
    piles = {s: (write_papers(250, s)[100:], write_papers(150, s, fresh=True)) for s in [*tuning_seeds, *seeds]}

    def pick(kind, options, level):
        for option in options:
            tried[kind][str(option)] = rounded(level(seed, option) for seed in tuning_seeds)
        return max(options, key=lambda option: np.mean(tried[kind][str(option)]))

    def remembered(seed, option):
        told, _ = piles[seed]
        truth = {p.facts["sample"]: p.facts for p in told}
        asked, about, slots = zip(*ask(list(truth), seed))
        book = Memory(asked, [truth[name][slot] for name, slot in zip(about, slots)], seed, many, *option)
        anew, about, slots = zip(*ask(list(truth), seed, fresh=True))
        return np.mean([said == truth[name][slot] for said, name, slot in zip(book(anew)[0], about, slots)])

    def found_right(seed, option):
        told, new = piles[seed]
        names = [p.facts["sample"] for p in told + new]
        asked, about, _ = zip(*ask(names[: len(told)], seed))
        library = lesson.Library(told + new, [], asked, [names.index(name) for name in about], *option)
        anew, about, _ = zip(*ask(names, seed, fresh=True))
        return np.mean(library.find(anew)[0].argmax(1) == [names.index(name) for name in about])

    lr, width = pick("memory", [(lr, width) for lr in (1e-3, 3e-3, 1e-2) for width in (256, 512)], remembered)
    k1, b = pick("search", [(k1, b) for k1 in (0.2, 0.5, 1.2) for b in (0.0, 0.3, 0.75)], found_right)
    found["settings"] |= {"memory": [lr, width], "search": [k1, b]}
    say(tried)
    limits = {"closed book": [], "with sources": []}
    found["answers"], found["answered"], found["kept_right"] = {}, {}, {}
    found["sources"] = {"right paper found": [], "right answer, right paper": []}
    for seed, (told, new) in piles.items():
        memory = {"steps": many, "lr": lr, "width": width}
        office = lesson.desk(seed, taggers[seed], told, new, {"k1": k1, "b": b}, memory)
        cues = lesson.cues_in(write_papers(100, seed))
        others = {"sources, rule reads": [lesson.by_hand(p, cues) for p in told + new]}
        right, sure, single = interview(seed, told, new, *office, others)
        asked = [q for q, *_ in ask(materials(seed)[1000:1150], seed, fresh=True)]
        nowhere = {"closed book": office[0](asked)[1], "with sources": office[1].find(asked)[1]}
        for name, limit in limits.items():
            if seed in tuning_seeds:
                limit.append(float(np.quantile(sure["told, asked anew"][name], 0.1)))
                continue
            for group in ("told, asked anew", "new papers", "no paper"):
                above = (nowhere if group == "no paper" else sure[group])[name] >= np.mean(limit)
                found["answered"].setdefault(name, {}).setdefault(group, []).extend(rounded([above.mean()]))
                if group != "no paper":
                    good = single[group][name][above].mean() if above.any() else 0
                    found["kept_right"].setdefault(name, {}).setdefault(group, []).extend(rounded([good]))
        if seed in seeds:
            for group, row in right.items():
                for name, value in row.items():
                    if name in found["sources"]:
                        found["sources"][name] += rounded([value]) if group == "new papers" else []
                    else:
                        found["answers"].setdefault(name, {}).setdefault(group, []).extend(rounded([value]))
    found["limits"] = {name: round(float(np.mean(limit)), 4) for name, limit in limits.items()}
    say(found["answers"], found["answered"], found["kept_right"], found["sources"])


def labels(lesson, docs, draws, tuning_draws, penalties, rates, looks, found):
    """Precision among as many suspects as there are errors, and accuracy by the way in which looks were spent.

    On other draws than those reported, each way picks its own penalty for each share of errors.
    """
    texts, kinds, exam_texts, exam_kinds = labelled(docs)
    ready = lesson.TfidfVectorizer(sublinear_tf=True, min_df=2, token_pattern=r"[a-z]{2,}").fit(texts)
    x, x_exam, kinds, exam_kinds = (
        ready.transform(texts),
        ready.transform(exam_texts),
        np.array(kinds),
        np.array(exam_kinds),
    )
    size, middle = min(1000, len(kinds) - max(looks)), looks[len(looks) // 2]
    found["finding"], found["spent"], found["by_looks"], found["shared"] = {}, {}, {}, {}
    tried = found["tried_labels"] = {"suspicion": {}}

    def spoilt(number, rate, alike=False):
        draw = np.random.default_rng(number)
        order = draw.permutation(len(kinds))
        mine, others = order[:size], order[size:]
        return mine, others, draw, *spoil(kinds[mine], rate, draw, alike)

    def caught(low, bad):
        return float(bad[np.argsort(low)[: bad.sum()]].mean())

    def score(C, rows, said):
        return float((lesson.model(C).fit(rows, said).predict(x_exam) == exam_kinds).mean())

    for C in penalties:
        for number in tuning_draws[:5]:
            mine, _, _, said, bad = spoilt(number, 0.2)
            for way, low in lesson.suspicion(x[mine], said, C).items():
                if way != "seen":
                    tried["suspicion"].setdefault(way, {}).setdefault(str(C), []).extend(rounded([caught(low, bad)]))
    options = [(way, C) for way in ("confidence", "confidence by class") for C in penalties]
    suspect, strength = max(options, key=lambda pair: np.mean(tried["suspicion"][pair[0]][str(pair[1])]))
    found["settings"]["suspicion"] = [suspect, strength]
    say(tried)
    for rate in rates:
        name, levels, own = str(rate), {}, {}
        for number in [*tuning_draws, *range(draws)]:
            mine, others, draw, said, bad = spoilt(number, rate)
            doubts = lesson.suspicion(x[mine], said, strength) | {"at random": draw.random(size)}
            for count in looks if rate == 0.2 and number in range(draws) else [middle]:
                more = x[others], kinds[others]
                sets = spent(
                    x[mine], said, kinds[mine], doubts[suspect], more, count, np.random.default_rng([number, count])
                )
                for way, rows in sets.items():
                    if number in tuning_draws:
                        for C in penalties:
                            levels.setdefault(way, {}).setdefault(C, []).append(score(C, *rows))
                        continue
                    own[way] = own.get(way) or max(levels[way], key=lambda C, w=way: np.mean(levels[w][C]))
                    value = score(own[way], *rows)
                    if count == middle:
                        found["spent"].setdefault(name, {}).setdefault(way, []).extend(rounded([value]))
                        if way in ("suspects checked", "new ones labelled"):
                            for C in penalties:
                                same = found["shared"].setdefault(name, {}).setdefault(str(C), {})
                                same.setdefault(way, []).extend(rounded([score(C, *rows)]))
                    if rate == 0.2:
                        found["by_looks"].setdefault(str(count), {}).setdefault(way, []).extend(rounded([value]))
            if number in range(draws):
                for way, low in doubts.items():
                    found["finding"].setdefault(name, {}).setdefault(way, []).extend(rounded([caught(low, bad)]))
        found["settings"].setdefault("penalties", {})[name] = own
        tried[name] = {w: {str(C): round(float(np.mean(v)), 4) for C, v in each.items()} for w, each in levels.items()}
        say(name, own, {way: round(float(np.mean(v)), 4) for way, v in found["spent"][name].items()})
        say(name, {way: round(float(np.mean(v)), 3) for way, v in found["finding"][name].items()})
    for number in range(draws):
        mine, _, draw, said, bad = spoilt(number, 0.2, True)
        doubts = lesson.suspicion(x[mine], said, strength) | {"at random": draw.random(size)}
        for way, low in doubts.items():
            found["finding"].setdefault("0.2 alike", {}).setdefault(way, []).extend(rounded([caught(low, bad)]))


def measure(
    lesson, *, seeds, tuning_seeds, draws, tuning_draws, penalties, rates, looks, steps, papers, shares, packages
):
    """See the functions above; `cpu_seconds`: of reading one paper by the tagger, in a batch."""
    found = {"settings": {}}
    kept, tuned = records(lesson, seeds, tuning_seeds, steps, papers, shares, found)
    answers(lesson, seeds, tuning_seeds, steps, kept | tuned, found)
    pile = write_papers(400, 7)
    began = time.process_time()
    for paper, chances in zip(pile, kept[seeds[0]](pile)):
        lesson.chosen(paper, chances)
    seconds = (time.process_time() - began) / len(pile)
    found["cpu_seconds"] = {"a paper": round(seconds, 6)}
    found["words"] = round(float(np.mean([len(paper.words) for paper in pile])), 1)
    found["slots"] = len(SLOTS)
    docs = documentation(tuple(packages), test_share=0.3)
    labels(lesson, docs, draws, tuning_draws, penalties, rates, looks, found)
    search(lesson, docs, seeds, tuning_seeds[0], steps, found)
    return found
