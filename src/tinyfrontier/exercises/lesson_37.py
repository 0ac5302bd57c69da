"""Exercises of lesson 37: d-separation, counterfactuals, instruments, the IRM penalty."""

import numpy as np
import torch

from .form import exercise


@exercise(returns="True or False", points=3)
def separated(graph, x, y, given):
    # every path, arrow by arrow
    given = set(given)

    def below(v):
        return {v}.union(*(below(c) for c in graph if v in graph[c]))

    around = {v: {*graph[v], *(c for c in graph if v in graph[c])} for v in graph}

    def paths(path):
        if path[-1] == y:
            yield path
            return
        for v in around[path[-1]]:
            if v not in path:
                yield from paths([*path, v])

    for path in paths([x]):
        for a, b, c in zip(path, path[1:], path[2:]):
            if a in graph[b] and c in graph[b]:
                if not below(b) & given:
                    break
            elif b in given:
                break
        else:
            return False
    return True


@separated.cases
def _():
    chain = {"A": (), "B": ("A",), "C": ("B",)}
    fork = {"B": (), "A": ("B",), "C": ("B",)}
    collider = {"A": (), "C": (), "B": ("A", "C"), "D": ("B",)}
    yield "the worked example", collider, "A", "C", set()
    yield "the worked example, B known", collider, "A", "C", {"B"}
    yield "an effect of the collider is known", collider, "A", "C", {"D"}
    yield "a chain", chain, "A", "C", set()
    yield "a chain, the middle known", chain, "A", "C", {"B"}
    yield "a chain, seen from its end", chain, "C", "A", {"B"}
    yield "a fork", fork, "A", "C", set()
    yield "a fork, the middle known", fork, "A", "C", {"B"}
    yield "neighbours, all else known", chain, "A", "B", {"C"}
    yield "neighbours, seen from the effect", chain, "B", "A", set()
    yield "two variables, no arrow", {"A": (), "B": ()}, "A", "B", set()
    yield "not in causal order", {"C": ("B",), "B": ("A",), "A": ()}, "A", "C", set()
    butterfly = {"U": (), "V": (), "M": ("U", "V"), "T": ("U",), "Y": ("V", "T")}
    yield "an M, and an arrow", butterfly, "T", "Y", {"M"}
    letter = {"U": (), "V": (), "M": ("U", "V"), "T": ("U",), "Y": ("V",)}
    yield "an M", letter, "T", "Y", set()
    yield "an M, its middle known", letter, "T", "Y", {"M"}
    yield "an M, middle and a leg known", letter, "T", "Y", {"M", "U"}
    yield "parents married outside", {"A": (), "C": (), "B": ("A", "C"), "D": ("B",)}, "A", "C", frozenset()
    yield (
        "two routes, one closed",
        {"A": (), "B": ("A",), "C": ("A",), "D": ("B", "C")},
        "A",
        "D",
        {"B"},
    )
    yield "two routes, both closed", {"A": (), "B": ("A",), "C": ("A",), "D": ("B", "C")}, "A", "D", {"B", "C"}
    yield "B to C, by a fork and a collider", {"A": (), "B": ("A",), "C": ("A",), "D": ("B", "C")}, "B", "C", {"A"}
    yield "a fork closed, a collider open", {"A": (), "B": ("A",), "C": ("A",), "D": ("B", "C")}, "B", "C", {"A", "D"}
    three = {"A": (), "B": (), "C": (), "D": ("A", "B", "C")}
    yield "three causes of one known effect", three, "A", "C", {"B", "D"}
    yield "three causes, first and second", three, "A", "B", {"C", "D"}
    yield "three causes, nothing known", three, "A", "C", {"B"}
    cousins = {"G": (), "P": ("G",), "Q": ("G",), "A": ("P",), "C": ("Q",)}
    yield "a common cause two levels up", cousins, "A", "C", set()
    yield "a common cause two levels up, known", cousins, "A", "C", {"G"}
    yield "its effects first", dict(reversed(cousins.items())), "A", "C", set()
    far = {v: set(p) for v, p in zip("GPQRSAC", ("", "G", "G", "P", "Q", "R", "S"), strict=True)}
    yield "a common cause three levels up, causes as sets", far, "A", "C", set()
    yield "effects first, causes as lists", {v: [*far[v]] for v in reversed(far)}, "A", "C", set()
    yield "any order", {v: far[v] for v in "PAGCRQS"}, "A", "C", set()
    below = {"A": (), "C": (), "B": ("A", "C"), "D": ("B",), "E": ("D",), "F": ("E",)}
    yield "an effect two below the collider is known", below, "A", "C", {"E"}
    yield "an effect three below the collider is known", below, "A", "C", {"F"}
    longer = {"A": (), "B": ("A",), "D": ("A",), "E": ("D",), "C": ("B", "E")}
    yield "the short route closed, the long one open", longer, "A", "C", {"B"}
    yield "both routes closed", longer, "A", "C", {"B", "E"}
    yield "0 is a fork", {0: (), 1: (0,), 2: (0,)}, 1, 2, set()
    yield "0 is a fork, known", {0: (), 1: (0,), 2: (0,)}, 1, 2, {0}
    yield "0 is a collider, known", {1: (), 2: (), 0: (1, 2)}, 1, 2, {0}
    yield "0 is asked about", {0: (), 1: (0,), 2: (1,)}, 2, 0, set()
    chance = np.random.default_rng(37)
    for size in (5, 6, 7, 8):
        graph = {v: [u for u in range(v) if chance.random() < 0.4] for v in range(size)}
        first, last, *rest = chance.permutation(size).tolist()
        yield f"a random graph of {size}", graph, first, last, set(rest[: size // 3])


@separated.usual
def separated(graph, x, y, given):
    kept, todo = set(), [x, y, *given]
    while todo:
        v = todo.pop()
        kept.add(v)
        todo += graph[v]
    joined = {v: set() for v in kept}
    for v in kept:
        family = {v, *graph[v]}
        for member in family:
            joined[member] |= family
    reached, todo = set(given), [x]
    while todo:
        v = todo.pop()
        reached.add(v)
        todo += joined[v] - reached
    return y not in reached


separated.slip(
    "family = {v, *graph[v]}\n        for member in family:\n            joined[member] |= family",
    "for p in graph[v]:\n            joined[v].add(p)\n            joined[p].add(v)",
    "unmarried",
).says("parents of a common child were not joined. A collider that is kept opens the way between them.")
separated.slip("[x, y, *given]", "[x, y]", "given forgotten").says(
    "only x, y and what lies above them were kept. Known variables, and what lies above them, open colliders, too."
)
separated.slip("reached, todo = set(given), [x]", "reached, todo = set(), [x]", "nothing closed").says(
    "the walk goes through known variables. In the joined graph a known variable closes the way."
)
separated.slip("return y not in reached", "return y in reached", "upside down").says(
    "True means separated: y cannot be reached."
)
separated.slip("kept, todo = set(), [x, y, *given]", "kept, todo = set(graph), []", "everything kept").says(
    "all variables were kept. An effect that nobody knows opens nothing: keep x, y, given, and what lies above."
)


separated.slip(
    "kept, todo = set(), [x, y, *given]\n"
    "    while todo:\n"
    "        v = todo.pop()\n"
    "        kept.add(v)\n"
    "        todo += graph[v]\n"
    "    joined = {v: set() for v in kept}\n"
    "    for v in kept:\n"
    "        family = {v, *graph[v]}\n",
    "kept = {x, y, *given}.union(*(graph[v] for v in (x, y, *given)))\n"
    "    joined = {v: set() for v in kept}\n"
    "    for v in kept:\n"
    "        family = {v, *graph[v]} & kept\n",
    "one level up",
).says("direct causes were kept, but not theirs. Keep everything above x, y and given, however far.")
separated.slip(
    "while todo:\n        v = todo.pop()\n        kept.add(v)\n        todo += graph[v]\n    joined",
    "kept |= {*todo}\n"
    "    for v in graph:\n"
    "        kept |= {*graph[v]} if v in kept else set()\n"
    "    for v in kept.copy():\n"
    "        kept |= {*graph[v]}\n"
    "    joined",
    "one pass",
).says("one pass over the graph does not find all that lies above. Go on until nothing new is kept.")
separated.slip(
    "while todo:\n        v = todo.pop()\n        kept.add(v)\n        todo += graph[v]\n    joined",
    "kept |= {*todo}\n    for v in reversed(graph):\n        kept |= {*graph[v]} if v in kept else set()\n    joined",
    "one pass from the end",
).says("one pass from the end finds all that lies above only if causes stand before effects. They stand in any order.")
separated.slip("todo += graph[v]\n    joined", "todo += filter(None, graph[v])\n    joined", "0 dropped").says(
    "a variable was lost whose name is 0. Ask whether a name is in a set, not whether it is true."
)
separated.slip(
    "for member in family:\n            joined[member] |= family",
    "for a, b in zip([v, *graph[v]], [*graph[v], v]):\n            joined[a].add(b)\n            joined[b].add(a)",
    "married in a row",
).says("of three causes of one child the outer two were not joined. Join each with every other.")


def routes(graph, x, y):
    """All paths from x to y, arrows either way."""
    around = {v: {*graph[v], *(c for c in graph if v in graph[c])} for v in graph}
    todo = [[x]]
    while todo:
        path = todo.pop()
        if path[-1] == y:
            yield path
        else:
            todo += [[*path, v] for v in around[path[-1]] if v not in path]


def path_is_closed(graph, path, given, levels):
    """Whether a path lets nothing through, if effects of a collider count down to so many levels."""
    for a, b, c in zip(path, path[1:], path[2:], strict=False):
        known = {b}
        for _ in range(levels):
            known |= {child for child in graph if known & {*graph[child]}}
        meets = a in graph[b] and c in graph[b]
        if (not known & given) if meets else b in given:
            return True
    return False


@separated.mistake(
    "collider alone", "a collider opens, too, when an effect of it is known, not only when it is itself."
)
def _(graph, x, y, given):
    return all(path_is_closed(graph, path, {*given}, 0) for path in routes(graph, x, y))


@separated.mistake(
    "its children only", "a collider opens when anything below it is known, however far, not only its direct effects."
)
def _(graph, x, y, given):
    return all(path_is_closed(graph, path, {*given}, 1) for path in routes(graph, x, y))


@separated.mistake("two levels below", "a collider opens when anything below it is known, also three arrows away.")
def _(graph, x, y, given):
    return all(path_is_closed(graph, path, {*given}, 2) for path in routes(graph, x, y))


@separated.mistake(
    "shortest path", "only shortest paths were looked at. A longer one may be open where the short one is closed."
)
def _(graph, x, y, given):
    found = [*routes(graph, x, y)]
    short = min(map(len, found), default=0)
    return all(path_is_closed(graph, path, {*given}, len(graph)) for path in found if len(path) == short)


@separated.mistake("directed", "only walks along the arrows were tried. Influence also flows back to a common cause.")
def _(graph, x, y, given):
    for start, end in ((x, y), (y, x)):
        reached, todo = set(given), [start]
        while todo:
            v = todo.pop()
            reached.add(v)
            todo += [c for c in graph if v in graph[c] and c not in reached]
        if end in reached:
            return False
    return True


@exercise(
    returns="float",
    points=2,
    equivalent_mutants=[
        "np.linalg.lstsq(table, t, rcond=None) -> np.linalg.lstsq(table, t)"
        " in fitted = table @ np.linalg.lstsq(table, t, rcond=None)[0]",
        "np.linalg.lstsq(second, y, rcond=None) -> np.linalg.lstsq(second, y)"
        " in return float(np.linalg.lstsq(second, y, rcond=None)[0][1])",
        "float(np.linalg.lstsq(second, y, rcond=None)[0][1]) -> np.linalg.lstsq(second, y, rcond=None)[0][1]"
        " in return float(np.linalg.lstsq(second, y, rcond=None)[0][1])",
    ],
)
def two_stages(z, t, y):
    ones = np.ones((len(t), 1), dtype=t.dtype)
    table = np.concatenate([ones, z.reshape(len(t), -1)], 1)
    fitted = table @ np.linalg.pinv(table) @ t
    off = fitted - fitted.mean()
    return float((off * (y - y.mean())).sum() / (off * off).sum())


@two_stages.cases
def _():
    yield (
        "the worked example",
        np.array([[0.0], [0.0], [1.0], [1.0]]),
        np.array([1.0, 3, 4, 6]),
        np.array([0.0, 2, 5, 9]),
    )
    chance = np.random.default_rng(7)
    for instruments in (1, 2, 3):
        z, u = chance.normal(size=(40, instruments)) + 2, chance.normal(size=40)
        t = z.sum(1) + u + 5
        yield f"forty rows, {instruments} of them" if instruments > 1 else "forty rows", z, t, 0.5 * t - 2 * u + 3
    yield "far from zero", z + 100, t + 1000, 0.5 * t - 2 * u - 500
    yield "as many rows as numbers to fit", z[:4], t[:4], (0.5 * t - 2 * u)[:4]
    yield "a negative effect", z, t, 3 * u - 1.5 * t + 2
    yield "no effect", z, t, chance.normal(size=40)


@two_stages.usual
def two_stages(z, t, y):
    table = np.column_stack([np.ones(len(t)), z])
    fitted = table @ np.linalg.lstsq(table, t, rcond=None)[0]
    second = np.column_stack([np.ones(len(t)), fitted])
    return float(np.linalg.lstsq(second, y, rcond=None)[0][1])


two_stages.slip(
    "second = np.column_stack([np.ones(len(t)), fitted])", "second = np.column_stack([np.ones(len(t)), t])", "one stage"
).says("this is plain regression on t. The second stage takes the fitted t.")
two_stages.slip("[np.ones(len(t)), fitted]", "[np.ones(len(t)), t - fitted]", "the rest").says(
    "the second stage got what the instruments do not explain. It takes what they explain."
)
two_stages.slip(
    "second = np.column_stack([np.ones(len(t)), fitted])\n"
    "    return float(np.linalg.lstsq(second, y, rcond=None)[0][1])",
    "return float(fitted @ y / (fitted @ fitted))",
    "no intercept, second",
).says("the second stage has no column of ones.")
two_stages.slip(
    "table = np.column_stack([np.ones(len(t)), z])\n"
    "    fitted = table @ np.linalg.lstsq(table, t, rcond=None)[0]\n"
    "    second = np.column_stack([np.ones(len(t)), fitted])\n"
    "    return float(np.linalg.lstsq(second, y, rcond=None)[0][1])",
    "fitted = z @ np.linalg.lstsq(z, t, rcond=None)[0]\n    return float(fitted @ y / (fitted @ fitted))",
    "no intercept anywhere",
).says("neither stage has a column of ones.")
two_stages.slip("table = np.column_stack([np.ones(len(t)), z])", "table = z", "no intercept, first").says(
    "the first stage has no column of ones."
)
two_stages.slip("[np.ones(len(t)), fitted]", "[np.ones(len(t)), z]", "reduced form").says(
    "this is how y moves with the instrument. Divide it by how t moves: regress on the fitted t."
)
two_stages.slip(
    "np.column_stack([np.ones(len(t)), z])", "np.column_stack([np.ones(len(t)), z[:, 0]])", "one of them"
).says("only the first instrument was used. Stage one takes all columns of z at once.")
two_stages.slip("[0][1])", "[0][0])", "the intercept").says("you returned the intercept. The slope comes second.")
two_stages.slip("[np.ones(len(t)), fitted]", "[np.ones(len(t)), fitted, z]", "z twice").says(
    "the instruments stand in the second stage again. They act through t alone."
)


@two_stages.mistake(
    "one by one", "right for one instrument, but several were fitted one by one. Stage one takes all at once."
)
def _(z, t, y):
    off = z - z.mean(0)
    fitted = off @ ((off * (t - t.mean())[:, None]).sum(0) / (off**2).sum(0))
    return two_stages.oracle(fitted[:, None], fitted, y)


@two_stages.mistake(
    "mean of slopes", "each instrument gave a slope, and their mean was returned. Use them all at once."
)
def _(z, t, y):
    return float(np.mean([two_stages.oracle(column[:, None], t, y) for column in z.T]))


@exercise(returns="float array (people, variables)", points=3)
def would_have(weights, seen, place, value):
    found = []
    for person in seen.tolist():
        noise = [v - sum(float(w) * u for w, u in zip(row, person)) for v, row in zip(person, weights)]
        other = []
        for i, row in enumerate(weights):
            other.append(value if i == place else noise[i] + sum(float(w) * u for w, u in zip(row, other)))
        found.append(other)
    return np.array(found, dtype=seen.dtype).reshape(seen.shape)


@would_have.cases
def _():
    chain = np.array([[0.0, 0, 0], [2.0, 0, 0], [1.0, 3.0, 0]])
    yield "the worked example", chain, np.array([[1.0, 2.5, 9.0]]), 1, 0.0
    chance = np.random.default_rng(73)
    weights = np.tril(chance.normal(size=(4, 4)), -1)
    people = chance.normal(size=(6, 4))
    for place in range(4):
        yield f"six people, variable {place} set", weights, people, place, 1.5
    yield "set to what it was", chain, np.array([[1.0, 2.5, 9.0]]), 1, 2.5
    yield "nobody", chain, np.zeros((0, 3)), 0, 1.0
    yield "one variable", np.zeros((1, 1)), np.array([[3.0], [4.0]]), 0, 7.0
    yield "no arrow", np.zeros((3, 3)), chance.normal(size=(2, 3)), 1, 0.5
    yield "large numbers", weights, 1e6 * people, 2, -1e6


@would_have.usual
def would_have(weights, seen, place, value):
    noise = seen - seen @ weights.T
    other = np.empty_like(seen)
    for i in range(seen.shape[1]):
        other[:, i] = noise[:, i] + other[:, :i] @ weights[i, :i]
        if i == place:
            other[:, i] = value
    return other


would_have.slip("noise = seen - seen @ weights.T", "noise = 0 * seen", "no abduction").says(
    "everybody's own part is missing. First find each one's noise: what is seen, less what the weights explain."
)
would_have.slip("seen @ weights.T", "seen @ weights", "transposed").says(
    "the weights were read sideways: weights[i, j] is the arrow from j to i."
)
would_have.slip(
    "noise = seen - seen @ weights.T\n"
    "    other = np.empty_like(seen)\n"
    "    for i in range(seen.shape[1]):\n"
    "        other[:, i] = noise[:, i] + other[:, :i] @ weights[i, :i]",
    "noise = seen - seen @ weights\n"
    "    other = np.empty_like(seen)\n"
    "    for i in range(seen.shape[1]):\n"
    "        other[:, i] = noise[:, i] + other[:, :i] @ weights[:i, i]",
    "transposed throughout",
).says("the weights were read sideways, twice: weights[i, j] is the arrow from j to i.")
would_have.slip("other[:, i] = noise[:, i] +", "other[:, i] = (i < place) * noise[:, i] +", "noise before alone").says(
    "variables after the one that was set lost their own part. The noise stays with each variable of each person."
)
would_have.slip(
    "if i == place:\n            other[:, i] = value",
    "if i == place:\n            other[:, i] = value + other[:, :i] @ weights[i, :i]",
    "not cut",
).says("the variable that was set still listens to its causes. To set it is to cut the arrows into it.")
would_have.slip("other[:, :i] @ weights[i, :i]", "seen[:, :i] @ weights[i, :i]", "old parents").says(
    "the variable was set, and nothing followed. Build effects from the new values of causes, and the old noise."
)
would_have.slip(
    "if i == place:\n            other[:, i] = value", "if i == place:\n            other[:, i] += value", "added"
).says("the value was added. The variable is set to it.")


@would_have.mistake("causes moved", "earlier variables changed as well. An action leaves its causes as they were.")
def _(weights, seen, place, value):
    change = (value - seen[:, [place]]) * np.sign(np.abs(weights[place]))
    return would_have.oracle(weights, seen, place, value) + change


@exercise(returns="float tensor (...)", points=2, extreme={"logits": 1e6}, constants=("labels",))
def penalty(logits, labels):
    if logits.ndim > 1:
        return torch.stack([penalty.oracle(z, y) for z, y in zip(logits, labels, strict=True)])
    slope = sum((1 / (1 + torch.exp(-z)) - y) * z for z, y in zip(logits, labels, strict=True)) / len(labels)
    return slope * slope


@penalty.cases
def _():
    draw = torch.Generator().manual_seed(37)
    yield "the worked example", torch.tensor([[0.0, 2.0], [1.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    yield "one picture", torch.tensor([1.5]), torch.tensor([1.0])
    yield "one environment without an axis", torch.tensor([1.5, -0.5, 0.3]), torch.tensor([0.0, 1.0, 1.0])
    for size in ((1, 4), (3, 5), (5, 3), (2, 3, 4), (30,)):
        logits = 2 * torch.randn(size, generator=draw)
        yield f"shape {size}", logits, (torch.rand(size, generator=draw) < 0.5).float()
    yield "all undecided", torch.zeros(2, 4), torch.tensor([[1.0, 0.0, 1.0, 1.0]]).repeat(2, 1)
    yield "too sure", 5 * torch.tensor([1.0, -1.0, 1.0]), torch.tensor([0.0, 1.0, 1.0])
    yield "sure and right", torch.tensor([5.0, -4.0, 3.0, -5.0]), torch.tensor([1.0, 0.0, 1.0, 0.0])


@penalty.usual
def penalty(logits, labels):
    slope = ((torch.sigmoid(logits) - labels) * logits).mean(-1)
    return slope**2


penalty.slip("return slope**2", "return slope", "not squared").says(
    "the slope itself was returned. The penalty is its square."
)
penalty.slip(".mean(-1)", ".mean()", "one mean").says(
    "one number for all environments. Each has its own slope: the mean goes over the last axis."
)
penalty.slip(" * logits).mean(-1)", ").mean(-1)", "of the offset").says(
    "this is the slope in an added number. The scale multiplies: by the chain rule each term carries its logit."
)
penalty.slip(".mean(-1)", ".sum(-1)", "a sum").says("the loss is a mean over pictures, and so is its slope.")
penalty.slip(".mean(-1)", ".mean(0)", "the first axis").says("pictures are the last axis, environments stand before.")
penalty.slip("torch.sigmoid(logits)", "logits", "no sigmoid").says(
    "the slope of the cross-entropy is sigmoid less label."
)
penalty.slip(
    "slope = ((torch.sigmoid(logits) - labels) * logits).mean(-1)\n    return slope**2",
    "return (((torch.sigmoid(logits) - labels) * logits) ** 2).mean(-1)",
    "mean of squares",
).says("each picture's slope was squared. Average first, then square.")
penalty.slip("torch.sigmoid(logits) - labels", "torch.sigmoid(logits) + labels", "plus").says(
    "the label was added. The slope of the cross-entropy is sigmoid less label."
)
penalty.slip("torch.sigmoid(logits)", "torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)", "clamped").says(
    "right for small logits, but the sigmoid was kept away from 0 and 1: at a logit of a million that is a slope."
)
