"""What lesson 31 records: tuned rivals and further seeds of the search, the records, the answers, and the labels."""

import time

import numpy as np
from tinyfrontier.beside.lesson_31.docs import for_tuning, labelled, pairs_of
from tinyfrontier.beside.lesson_31.papers import SHARE, SLOTS, ask, materials, write_papers
from tinyfrontier.beside.lesson_31.rivals import (
    fed_back,
    interval,
    interview,
    ndcg,
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
    sizes = (100, 300, 500) if len(pairs.queries) > 3000 else (20,)

    def lsa_of(size):
        ways = lesson.main_directions(rows, size)[1]
        return lesson.by_directions(held_asked, held_told, (ways, ways))

    def paired_of(size):
        return lesson.by_directions(held_asked, held_told, lesson.main_directions(asked.T @ told, size))

    def dense_of(seed, shuffled=False, **how):
        pair = lesson.train_towers(asked, told, seed, max(1, int(150 * steps)), shuffled=shuffled, **how)
        with lesson.torch.no_grad():
            return (pair[0](held_asked) @ pair[1](held_told).T).numpy()

    meanings = {"LSA": pick("LSA", sizes, lsa_of)[1], "paired": pick("paired", sizes, paired_of)[1]}
    grid = [(lr, dropped) for lr in (5e-3, 1e-2) for dropped in (0.2, 0.4)]
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
    modules = np.array(held.modules)[~tune]
    against = lesson.recall(bm25)[~tune]
    found["gains"] = {}
    for name in ("paired", "LSA", "dense"):
        many = ranked[f"BM25 + {name}"]
        more = np.mean([lesson.recall(s)[~tune] for s in many], axis=0) - against
        found["gains"][name] = rounded(interval(more, modules))
    found["settings"] = {"BM25": list(k1_b), "dense": [lr, dropped], "mix": mix}


def records(lesson, seeds, tuning_seeds, steps, papers, shares, found):
    """Facts right by method, and over labelled papers and known patterns; settings picked on other seeds."""
    many = max(2, int(200 * steps))
    tests = {}
    for seed in [*seeds, *tuning_seeds]:
        known = write_papers(100 + 150, seed)[100:]
        tests[seed] = {"known": known, "fresh": write_papers(150, seed, fresh=True)}
    tried = found["tried_records"] = {}

    def level(seed, chances_of, bonus=0.0):
        fresh = tests[seed]["fresh"]
        return lesson.right_facts(fresh, [lesson.chosen(p, c, bonus) for p, c in zip(fresh, chances_of(fresh))])

    tried["hand rule"] = {
        str((after, last)): rounded(
            lesson.right_facts(tests[s]["fresh"], [lesson.by_hand(p, after, last) for p in tests[s]["fresh"]])
            for s in tuning_seeds
        )
        for after in (False, True)
        for last in (False, True)
    }
    tried["window"] = {
        str(option): rounded(level(s, train_window(write_papers(100, s), *option)) for s in tuning_seeds)
        for option in ((2, 8, 0.3), (3, 10, 1.0), (3, 3, 1.0), (3, 10, 10.0), (5, 15, 1.0))
    }
    tried["tagger"], taggers = {}, {}
    for option in ((1e-2, 0.15), (1e-2, 0.3), (2e-2, 0.15)):
        nets = [lesson.train_tagger(write_papers(100, s), s, many, *option) for s in tuning_seeds]
        tried["tagger"][str(option)] = rounded(level(s, net) for s, net in zip(tuning_seeds, nets))
        taggers[option] = nets
    best = taggers[max(taggers, key=lambda option: np.mean(tried["tagger"][str(option)]))]
    tried["bonus"] = {
        str(bonus): rounded(level(s, net, bonus) for s, net in zip(tuning_seeds, best))
        for bonus in (0.1, 0.3, 0.6, 1.0)
    }
    say(tried)
    found["records"], found["raw"], kept = {}, {"known": [], "fresh": []}, {}
    for seed in seeds:
        train = write_papers(100, seed)
        kept[seed] = lesson.train_tagger(train, seed, many, **lesson.READER)
        window = train_window(train)
        for group, some in tests[seed].items():
            raw = lesson.span_f1([p.tags for p in some], lesson.tags_of(kept[seed](some)))
            found["raw"][group] += rounded([raw])
            for name, picks in lesson.pickings(some, kept[seed], window).items():
                right = found["records"].setdefault(name, {"known": [], "fresh": []})
                right[group] += rounded([lesson.right_facts(some, picks)])
    say(found["records"], found["raw"])
    same = {name: rows["fresh"] for name, rows in found["records"].items() if name != "tagger + rule"}
    for key, options in (("by_papers", papers), ("by_patterns", shares)):
        rows = found[key] = {}
        for option in options:
            row = rows[str(option)] = {"hand rule": [], "window": [], "tagger": []}
            if option in (100, SHARE):
                rows[str(option)] = same
                continue
            for seed in seeds:
                train = write_papers(option, seed) if key == "by_papers" else write_papers(100, seed, share=option)
                net = lesson.train_tagger(train, seed, many, **lesson.READER)
                window = train_window(train)
                fresh = tests[seed]["fresh"]
                for name, picks in lesson.pickings(fresh, net, window).items():
                    if name in row:
                        row[name] += rounded([lesson.right_facts(fresh, picks)])
            say(key, option, row)
    return kept, dict(zip(tuning_seeds, best))


def answers(lesson, seeds, tuning_seeds, steps, taggers, found):
    """Right answers by method and group, and questions about no paper that are answered all the same."""
    many, limits = max(2, int(400 * steps)), {"closed book": [], "with sources": []}
    found["answers"], found["answered"], found["nowhere"] = (
        {},
        {},
        {name: {"answered all the same": []} for name in limits},
    )
    found["sources"] = {"right paper found": [], "right answer, right paper": []}
    for seed in [*tuning_seeds, *seeds]:
        told, new = write_papers(250, seed)[100:], write_papers(150, seed, fresh=True)
        office = lesson.desk(seed, taggers[seed], told, new, many)
        right, sure = interview(seed, told, new, *office)
        asked = [q for q, *_ in ask(materials(seed)[1000:1150], seed, fresh=True)]
        nowhere = {"closed book": office[0](asked)[1], "with sources": office[1].find(asked)[1]}
        for name, limit in limits.items():
            known = sure["told, asked anew"][name]
            if seed in tuning_seeds:
                limit.append(float(np.quantile(known, 0.1)))
            else:
                bar = np.mean(limit)
                found["nowhere"][name]["answered all the same"] += rounded([(nowhere[name] >= bar).mean()])
                found["answered"].setdefault(name, []).extend(rounded([(known >= bar).mean()]))
        if seed in seeds:
            for group, row in right.items():
                for name, value in row.items():
                    if name in found["sources"]:
                        found["sources"][name] += rounded([value]) if group == "new papers" else []
                    else:
                        found["answers"].setdefault(name, {}).setdefault(group, []).extend(rounded([value]))
    found["limits"] = {name: round(float(np.mean(limit)), 4) for name, limit in limits.items()}
    say(found["answers"], found["nowhere"], found["answered"], found["sources"])


def labels(lesson, docs, draws, rates, looks, found):
    """Precision among as many suspects as there are errors, and accuracy by the way in which looks were spent."""
    texts, kinds, exam_texts, exam_kinds = labelled(docs)
    ready = lesson.TfidfVectorizer(sublinear_tf=True, min_df=2, token_pattern=r"[a-z]{2,}").fit(texts)
    x, x_exam, kinds, exam_kinds = (
        ready.transform(texts),
        ready.transform(exam_texts),
        np.array(kinds),
        np.array(exam_kinds),
    )
    size = min(1000, len(kinds) - max(looks))
    found["finding"], found["spent"], found["by_looks"] = {}, {}, {}
    cases = [(str(rate), rate, False) for rate in rates] + [("0.2 alike", 0.2, True)]
    for name, rate, alike in cases:
        for number in range(draws):
            draw = np.random.default_rng(number)
            order = draw.permutation(len(kinds))
            mine, others = order[:size], order[size:]
            said, bad = spoil(kinds[mine], rate, draw, alike)
            doubts = lesson.suspicion(x[mine], said) | {"at random": draw.random(size)}
            for way, low in doubts.items():
                rows = found["finding"].setdefault(name, {}).setdefault(way, [])
                rows += rounded([bad[np.argsort(low)[: bad.sum()]].mean()])
            for count in looks if rate == 0.2 and not alike else [looks[len(looks) // 2]]:
                more, exam = (x[others], kinds[others]), (x_exam, exam_kinds)
                scores = spent(
                    lesson.model,
                    x[mine],
                    said,
                    kinds[mine],
                    doubts[lesson.SUSPECT],
                    more,
                    exam,
                    count,
                    draw,
                )
                for way, value in scores.items():
                    if count == looks[len(looks) // 2]:
                        found["spent"].setdefault(name, {}).setdefault(way, []).extend(rounded([value]))
                    if rate == 0.2 and not alike:
                        rows = found["by_looks"].setdefault(str(count), {})
                        rows.setdefault(way, []).extend(rounded([value]))
        say(name, {way: round(float(np.mean(v)), 3) for way, v in found["finding"][name].items()})
        say(name, {way: round(float(np.mean(v)), 3) for way, v in found["spent"][name].items()})


def measure(lesson, *, seeds, tuning_seeds, draws, rates, looks, steps, papers, shares, packages):
    """See the functions above; `cpu_seconds`: of reading one paper by the tagger, in a batch."""
    found = {}
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
    labels(lesson, docs, draws, rates, looks, found)
    search(lesson, docs, seeds, tuning_seeds[0], steps, found)
    return found
