"""Exercises of lesson 28: checking a cap, building one by priority, one step of a proof, Levin costs."""

import itertools
import math

import numpy as np

from .form import exercise


def _grid(n):
    return np.array(list(itertools.product(range(3), repeat=n)))


def _thirds(n):
    points = _grid(n)
    return ((-(points[:, None] + points)) % 3) @ (3 ** np.arange(n - 1, -1, -1))


def _draws(count, seed):
    return np.random.default_rng(seed).random(count)


@exercise(
    returns="bool",
    points=1,
    # a tuple of NumPy's integers equals one of Python's
    equivalent_mutants=["points.tolist() -> points in rows = {tuple(row) for row in points.tolist()}"],
)
def is_cap(points):
    rows = [tuple(int(digit) for digit in row) for row in points]
    if any(digit not in (0, 1, 2) for row in rows for digit in row):
        return False
    if any(one == other for one, other in itertools.combinations(rows, 2)):
        return False
    return not any(all(sum(digits) % 3 == 0 for digits in zip(*three)) for three in itertools.combinations(rows, 3))


@is_cap.cases
def _():
    yield "the worked example", np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    yield "a row of the square", np.array([[1, 0], [1, 1], [1, 2]])
    yield "a diagonal", np.array([[0, 0], [1, 1], [2, 2]])
    yield "a line of zeros in one column", np.array([[0, 0], [0, 1], [0, 2]])
    yield "a line of twos in one column", np.array([[2, 0, 1], [2, 1, 0], [2, 2, 2]])
    yield "lines of sums 0 and 6", np.array([[0, 1, 2], [0, 2, 2], [0, 0, 2]])
    yield "a line that wraps around", np.array([[0, 1], [1, 0], [2, 2]])
    yield "a line in an odd order", np.array([[2, 2], [0, 1], [2, 0], [1, 0]])
    yield "the line is not at the start", np.array([[0, 0, 1], [1, 1, 1], [0, 1, 2], [2, 1, 0]])
    yield "a point twice", np.array([[0, 0], [1, 1], [0, 0]])
    yield "one point three times", np.array([[1, 2], [1, 2], [1, 2]])
    yield "two equal points alone", np.array([[1, 2], [1, 2]])
    yield "three points, no line", np.array([[0, 0], [0, 1], [1, 0]])
    yield "sums of one column only", np.array([[0, 0], [1, 0], [2, 1]])
    yield "sums of whole points", np.array([[0, 1], [2, 0], [1, 2], [0, 0]])
    yield "digits that add up, columns that do not", np.array([[0, 1], [1, 0], [1, 0 + 1], [0, 2]])
    yield "one point", np.array([[2, 1, 0]])
    yield "no point", np.zeros((0, 4), dtype=int)
    yield "a digit too large", np.array([[0, 3], [1, 1]])
    yield "a digit below zero", np.array([[0, -1], [1, 1]])
    yield "two digits of one dimension", np.array([[0], [2]])
    yield "all digits of one dimension", np.array([[0], [1], [2]])
    yield "nine points of three dimensions", _grid(3)[[0, 1, 3, 4, 11, 14, 15, 16, 26]]
    yield "the corner cube of four", np.array(list(itertools.product(range(2), repeat=4)))
    yield "the corner cube and the middle", np.array([*itertools.product(range(2), repeat=3), (2, 2, 2)])


@is_cap.usual
def is_cap(points):
    rows = {tuple(row) for row in points.tolist()}
    if not np.isin(points, (0, 1, 2)).all():
        return False
    thirds = [tuple((-a - b) % 3) for a, b in itertools.combinations(points, 2)]
    return not any(third in rows for third in thirds)


is_cap.slip(
    "    if not np.isin(points, (0, 1, 2)).all():\n        return False\n",
    "",
    "digits",
).says("digits other than 0, 1 and 2 were let pass. A verifier trusts nothing about its input.")
is_cap.slip("(-a - b) % 3", "-a - b", "no modulo").says(
    "the third point was not taken modulo 3, so hardly any line is seen. Digits count 0, 1, 2, 0, 1, 2."
)
is_cap.slip("(-a - b) % 3", "(a + b) % 3", "sign").says(
    "the point a + b was looked up. The three points of a line sum to 0, so the third is minus a minus b."
)
is_cap.slip("return not any", "return any", "upside down").says(
    "True and False are exchanged: a cap is what holds no line."
)
is_cap.slip("(-a - b) % 3", "2 * b - a", "straight").says(
    "only lines that run straight were seen. Lines wrap around: take the point modulo 3."
)


@is_cap.mistake("twice", "a point that stands there twice was let pass: a set forgets that. A cap's points differ.")
def _(points):
    rows = {tuple(row) for row in points.tolist()}
    if not np.isin(points, (0, 1, 2)).all():
        return False
    pairs = itertools.combinations(rows, 2)
    return not any(tuple((-x - y) % 3 for x, y in zip(a, b)) in rows for a, b in pairs)


@is_cap.mistake("only threes", "all threes were tried, but two equal points alone make no three. Points must differ.")
def _(points):
    if not np.isin(points, (0, 1, 2)).all():
        return False
    return not any(((a + b + c) % 3 == 0).all() for a, b, c in itertools.combinations(points, 3))


@is_cap.mistake("no remainder", "columns that sum to 0 or 6 were let pass. 0, 3 and 6 are all 0 modulo 3.")
def _(points):
    rows = {tuple(row) for row in points.tolist()}
    if len(rows) < len(points) or not np.isin(points, (0, 1, 2)).all():
        return False
    return all(any(sum(c) != 3 for c in zip(*three)) for three in itertools.combinations(rows, 3))


@is_cap.mistake("no points", "no points at all are a cap, too. Only this case is wrong.")
def _(points):
    rows = {tuple(row) for row in points.tolist()}
    if not rows or not np.isin(points, (0, 1, 2)).all():
        return False
    return not any(tuple((-a - b) % 3) in rows for a, b in itertools.combinations(points, 2))


@is_cap.mistake("neighbours", "only three points that stand next to each other in the list were tried. Try all pairs.")
def _(points):
    rows = {tuple(row) for row in points.tolist()}
    if len(rows) < len(points) or not np.isin(points, (0, 1, 2)).all():
        return False
    three = zip(points, points[1:], points[2:])
    return not any(((a + b + c) % 3 == 0).all() for a, b, c in three)


@is_cap.mistake("whole sums", "all digits of three points were added up together. Each column has to sum to 0.")
def _(points):
    rows = {tuple(row) for row in points.tolist()}
    if len(rows) < len(points) or not np.isin(points, (0, 1, 2)).all():
        return False
    return not any(sum(map(sum, three)) % 3 == 0 for three in itertools.combinations(rows, 3))


@is_cap.mistake("any column", "one column that sums to 0 was taken for a line. All columns have to.")
def _(points):
    rows = {tuple(row) for row in points.tolist()}
    if len(rows) < len(points) or not np.isin(points, (0, 1, 2)).all():
        return False
    return not any(any(sum(c) % 3 == 0 for c in zip(*three)) for three in itertools.combinations(rows, 3))


@exercise(
    returns="list of int",
    points=2,
    # zeros and ones are as good as False and True; NumPy's integers are integers
    equivalent_mutants=[
        "np.zeros(len(third), dtype=bool) -> np.zeros(len(third)) in blocked = np.zeros(len(third), dtype=bool)",
        "np.argsort(-priority, kind='stable').tolist() -> np.argsort(-priority, kind='stable') "
        "in for point in np.argsort(-priority, kind='stable').tolist():",
    ],
)
def greedy_cap(priority, third):
    left, cap = set(range(len(third))), []
    while left:
        point = min(left, key=lambda place: (-priority[place], place))
        cap.append(point)
        left -= {point} | {int(third[point, other]) for other in cap}
    return cap


@greedy_cap.cases
def _():
    yield "the worked example", np.array([0.0, 0.0, 1.0]), _thirds(1)
    yield "all alike, two dimensions", np.zeros(9), _thirds(2)
    yield "all alike, four dimensions", np.zeros(81), _thirds(4)
    yield "falling with the number", -np.arange(27.0), _thirds(3)
    yield "rising with the number", np.arange(27.0), _thirds(3)
    yield "ties of two kinds", np.array([0.0, 1, 0, 1, 1, 0, 0, 1, 0]), _thirds(2)
    yield "random, one dimension", _draws(3, 0), _thirds(1)
    yield "random, two dimensions", _draws(9, 1), _thirds(2)
    yield "random, three dimensions", _draws(27, 2), _thirds(3)
    yield "random, four dimensions", _draws(81, 3), _thirds(4)
    yield "whole numbers with ties", np.floor(5 * _draws(81, 4)), _thirds(4)
    yield "below zero", -5 - _draws(27, 5), _thirds(3)
    yield "far apart", 10.0 ** (20 * _draws(27, 6)), _thirds(3)
    yield "random, five dimensions", _draws(243, 7), _thirds(5)
    yield "far below zero", -(10.0 ** (20 * _draws(27, 8))), _thirds(3)
    yield "no dimension: one point", np.zeros(1), np.zeros((1, 1), dtype=int)


@greedy_cap.usual
def greedy_cap(priority, third):
    blocked = np.zeros(len(third), dtype=bool)
    cap = []
    for point in np.argsort(-priority, kind="stable").tolist():
        if not blocked[point]:
            blocked[third[point, cap]] = True
            cap.append(point)
    return cap


greedy_cap.slip("-priority", "priority", "lowest first").says(
    "the lowest priority comes first. Begin with the point of the highest."
)
greedy_cap.slip("blocked[third[point, cap]] = True", "blocked[third[point, cap[-1:]]] = True", "last only").says(
    "only the line with the point before was blocked. Each point of the cap makes a line with the new one."
)
greedy_cap.slip("blocked[third[point, cap]] = True", "blocked[cap] = True", "itself").says(
    "the cap's own points were blocked, and no line. Block the third point of each line."
)
greedy_cap.slip("    return cap", "    return sorted(cap)", "sorted").says(
    "the right points, sorted. Return them in the order in which they were chosen."
)
greedy_cap.slip("    return cap", "    return len(cap)", "size").says("this is the size. Return the list of points.")
greedy_cap.slip('np.argsort(-priority, kind="stable").tolist()', "range(len(third))", "no priority").says(
    "the points were tried in counting order, whatever their priority."
)


@greedy_cap.mistake("ties", "among equal priorities the larger number came first. The smaller number does.")
def _(priority, third):
    blocked, cap = np.zeros(len(third), dtype=bool), []
    for point in np.argsort(priority, kind="stable")[::-1].tolist():
        if not blocked[point]:
            blocked[third[point, cap]] = True
            cap.append(point)
    return cap


@greedy_cap.mistake("gives up", "the search ended at the first point that was blocked. Skip it and go on.")
def _(priority, third):
    blocked, cap = np.zeros(len(third), dtype=bool), []
    for point in np.argsort(-priority, kind="stable").tolist():
        if blocked[point]:
            break
        blocked[third[point, cap]] = True
        cap.append(point)
    return cap


@greedy_cap.mistake("sentinel", "taken points were marked by a number that a priority may be below. Use a mask.")
def _(priority, third):
    left, cap = priority.copy(), []
    while left.max() > -1e9:
        point = int(left.argmax())
        left[[point, *third[point, cap].tolist()]] = -1e9
        cap.append(point)
    return cap


AXIOMS = [
    (("~", ("~", "a")), "a"),
    (("|", "a", ("~", "a")), "T"),
    (("|", "a", "T"), "T"),
    (("|", "a", "b"), ("|", "b", "a")),
    (("|", ("|", "a", "b"), "c"), ("|", "a", ("|", "b", "c"))),
    (("&", "a", ("|", "b", "c")), ("|", ("&", "a", "b"), ("&", "a", "c"))),
    ((">", "a", "b"), ("|", ("~", "a"), "b")),
]


def match(pattern, term, known):
    """What a, b, c of the pattern must be to make it the term, beside what is known; or None."""
    if isinstance(pattern, str):
        if pattern in "abc" and pattern not in known:
            return {**known, pattern: term}
        return known if known.get(pattern, pattern) == term else None
    if isinstance(term, str) or term[0] != pattern[0]:
        return None
    for part, other in zip(pattern[1:], term[1:]):
        known = match(part, other, known)
        if known is None:
            return None
    return known


def _inside(term):
    """Every place of a term, with a function that puts something there."""
    yield term, lambda new: new
    if not isinstance(term, str):
        for place in range(1, len(term)):
            for part, put in _inside(term[place]):
                yield (
                    part,
                    lambda new, put=put, place=place: (*term[:place], put(new), *term[place + 1 :]),
                )


@exercise(
    returns="bool",
    points=3,
    # of one pair the first is the last
    equivalent_mutants=["0 -> -1 in return len(changed) == 1 and follows(*changed[0], axioms)"],
)
def follows(before, after, axioms):
    if before == after:
        return False
    for part, put in _inside(before):
        for other, _ in _inside(after):
            if put(other) != after:
                continue
            for left, right in axioms:
                for start, end in ((left, right), (right, left)):
                    known = match(start, part, {})
                    if known is not None and match(end, other, known) is not None:
                        return True
    return False


@follows.cases
def _():
    p, q, r = "pqr"
    true = ("|", p, ("~", p))
    yield "the worked example", ("&", q, true), ("&", q, "T"), AXIOMS
    yield "the other way round", ("&", q, "T"), ("&", q, true), AXIOMS
    yield "at the root", true, "T", AXIOMS
    yield "two different parts for a", ("|", q, ("~", p)), "T", AXIOMS
    yield "a is a whole term", ("|", ("&", p, q), ("~", ("&", p, q))), "T", AXIOMS
    yield "a is not the same whole term", ("|", ("&", p, q), ("~", ("&", q, p))), "T", AXIOMS
    yield "right result, wrong axiom", ("|", ("~", p), p), "T", AXIOMS
    yield "nothing changes", ("|", p, q), ("|", p, q), AXIOMS
    yield "nothing changes, though it could be swapped", ("|", p, p), ("|", p, p), AXIOMS
    yield "swapped", ("|", p, ("~", q)), ("|", ("~", q), p), AXIOMS
    yield "swapped, and one changed", ("|", p, q), ("|", q, r), AXIOMS
    yield "swapped below", ("~", (">", ("|", p, q), r)), ("~", (">", ("|", q, p), r)), AXIOMS
    yield "no axiom swaps this", ("&", p, q), ("&", q, p), AXIOMS
    yield "two steps at once", ("&", true, true), ("&", "T", "T"), AXIOMS
    yield "two steps, one below the other", ("~", ("~", ("|", p, q))), ("|", q, p), AXIOMS
    yield "two swaps side by side", (">", ("|", p, q), ("|", q, r)), (">", ("|", q, p), ("|", r, q)), AXIOMS
    yield "one swap of two possible", (">", ("|", p, q), ("|", q, r)), (">", ("|", p, q), ("|", r, q)), AXIOMS
    yield "a swap, and another part that is no step", (">", ("|", p, q), r), (">", ("|", q, p), p), AXIOMS
    yield "in the left part", (">", ("~", ("~", p)), q), (">", p, q), AXIOMS
    yield "in the right part", (">", q, ("~", ("~", p))), (">", q, p), AXIOMS
    yield "backwards, out of nothing", p, ("~", ("~", p)), AXIOMS
    yield "backwards, two variables", "T", ("|", r, ("~", r)), AXIOMS
    yield "backwards, not alike", "T", ("|", r, ("~", q)), AXIOMS
    yield "one axiom takes what it likes", ("|", (">", p, q), "T"), "T", AXIOMS
    yield "and back", "T", ("|", (">", p, q), "T"), AXIOMS
    yield "brackets moved", ("|", ("|", p, q), r), ("|", p, ("|", q, r)), AXIOMS
    yield "brackets moved back", ("|", p, ("|", q, r)), ("|", ("|", p, q), r), AXIOMS
    yield "spread out", ("&", p, ("|", q, r)), ("|", ("&", p, q), ("&", p, r)), AXIOMS
    yield "spread out wrongly", ("&", p, ("|", q, r)), ("|", ("&", p, q), ("&", q, r)), AXIOMS
    yield "the operator changes", ("&", p, q), ("|", p, q), AXIOMS
    yield "operator and part change", ("&", ("~", ("~", p)), q), ("|", p, q), AXIOMS
    yield "a part falls away", ("|", ("~", ("~", p)), q), ("~", p), AXIOMS
    yield "arrow into or", (">", p, q), ("|", ("~", p), q), AXIOMS
    yield "arrow, the wrong side", (">", p, q), ("|", p, ("~", q)), AXIOMS
    yield "true, yet no axiom", ("|", p, p), p, AXIOMS
    yield "a leaf becomes another", p, q, AXIOMS
    yield "a constant is no variable", ("|", p, q), "T", AXIOMS
    yield "deep", ("~", ("~", ("~", ("~", p)))), ("~", ("~", p)), AXIOMS
    yield "no axioms", true, "T", []
    yield "one axiom, not the one", true, "T", AXIOMS[:1]


@follows.usual
def follows(before, after, axioms):
    if before == after:
        return False
    for axiom in axioms:
        for start, end in (axiom, axiom[::-1]):
            known = match(start, before, {})
            if known is not None and match(end, after, known) is not None:
                return True
    if isinstance(before, str) or isinstance(after, str) or before[0] != after[0]:
        return False
    changed = [pair for pair in zip(before[1:], after[1:]) if pair[0] != pair[1]]
    return len(changed) == 1 and follows(*changed[0], axioms)


follows.slip("(axiom, axiom[::-1])", "(axiom,)", "one way").says(
    "axioms were used from left to right only. They are equations: both directions count."
)
follows.slip("match(end, after, known)", "match(end, after, {})", "forgets").says(
    "what a, b and c stand for was forgotten between the two sides. Match the second with what the first found."
)
follows.slip("len(changed) == 1 and follows(*changed[0], axioms)", "False", "root only").says(
    "only the whole term was looked at. An axiom may be used at any place inside."
)
follows.slip(
    "len(changed) == 1 and follows(*changed[0], axioms)",
    "all(follows(*pair, axioms) for pair in changed)",
    "several at once",
).says("several places changed at once and passed. One step uses one axiom at one place.")
follows.slip(" or before[0] != after[0]", "", "operators").says(
    "the operator may change on the way down. Around the place of the step everything stays as it was."
)
follows.slip("    if before == after:\n        return False\n", "", "nothing").says(
    "a step that changes nothing was let pass. It is none."
)
follows.slip("(axiom, axiom[::-1])", "(axiom[::-1],)", "other way").says(
    "axioms were used from right to left only. They are equations: both directions count."
)


@follows.mistake(
    "empty is false", "a match without any letter is an empty dictionary, which counts as false. Ask `is not None`."
)
def _(before, after, axioms):
    def step(one, other):
        for axiom in axioms:
            for start, end in (axiom, axiom[::-1]):
                known = match(start, one, {})
                if known and match(end, other, known):
                    return True
        if isinstance(one, str) or isinstance(other, str) or one[0] != other[0]:
            return False
        changed = [pair for pair in zip(one[1:], other[1:]) if pair[0] != pair[1]]
        return len(changed) == 1 and step(*changed[0])

    return before != after and step(before, after)


@follows.mistake("any part", "one changed part that is a step was enough, whatever happened to the others.")
def _(before, after, axioms):
    def step(one, other):
        if one == other:
            return False
        for axiom in axioms:
            for start, end in (axiom, axiom[::-1]):
                known = match(start, one, {})
                if known is not None and match(end, other, known) is not None:
                    return True
        if isinstance(one, str) or isinstance(other, str) or one[0] != other[0]:
            return False
        return any(step(*pair) for pair in zip(one[1:], other[1:]))

    return step(before, after)


@follows.mistake("equal in truth", "what means the same was let pass. A step has to be one of the axioms' own.")
def _(before, after, axioms):
    def value(term, world):
        if isinstance(term, str):
            return world[term]
        parts = [value(part, world) for part in term[1:]]
        if term[0] == "~":
            return not parts[0]
        return {"&": parts[0] and parts[1], "|": parts[0] or parts[1], ">": not parts[0] or parts[1]}[term[0]]

    worlds = itertools.product([False, True], repeat=3)
    worlds = [dict(zip("pqrTF", (*world, True, False))) for world in worlds]
    return before != after and all(value(before, world) == value(after, world) for world in worlds)


@follows.mistake("left part", "only the first part was followed down. The place may be in the second as well.")
def _(before, after, axioms):
    def at_root(one, other):
        for axiom in axioms:
            for start, end in (axiom, axiom[::-1]):
                known = match(start, one, {})
                if known is not None and match(end, other, known) is not None:
                    return True
        return False

    if before == after:
        return False
    while not at_root(before, after):
        if isinstance(before, str) or isinstance(after, str) or before[0] != after[0] or before[2:] != after[2:]:
            return False
        before, after = before[1], after[1]
    return True


@exercise(returns="float64 array (moves,)", points=2, extreme={"scores": 1e4}, constants=("scores",))
def levin_costs(depth, log_probability, scores):
    costs = []
    for score in scores:
        share = -math.log(sum(math.exp(min(700.0, other - score)) for other in scores))
        if max(scores) - score > 600:  # the exponential would overflow; then only the largest scores count
            highest = max(scores)
            share = score - highest - math.log(sum(math.exp(other - highest) for other in scores))
        costs.append(math.log(depth + 1) - (log_probability + share))
    return np.array(costs, dtype=np.float64)


@levin_costs.cases
def _():
    yield "the worked example", 1, math.log(0.5), np.log(np.array([3.0, 1.0]))
    yield "at the root", 0, 0.0, np.array([0.0, 1.0, 2.0])
    yield "one move", 3, -2.0, np.array([5.0])
    yield "one move at the root", 0, 0.0, np.array([-4.0])
    yield "equal scores", 4, -6.5, np.zeros(8)
    yield "ten moves", 7, -11.0, 4 * _draws(10, 0) - 2
    yield "deep, unlikely", 40, -300.0, 3 * _draws(5, 1)
    yield "scores below zero", 2, -1.0, -3 * _draws(4, 2)
    yield "scores far from zero", 2, -1.0, 500 + _draws(4, 3)


@levin_costs.usual
def levin_costs(depth, log_probability, scores):
    highest = scores.max()
    shares = scores - highest - np.log(np.exp(scores - highest).sum())
    return math.log(depth + 1) - log_probability - shares


levin_costs.slip("math.log(depth + 1)", "math.log(max(depth, 1))", "own depth").says(
    "the node's own depth was taken. Its children are one step deeper."
)
levin_costs.slip("- log_probability", "", "no path").says(
    "only the last move's probability counts here. The way to the node has one, too: add its logarithm."
)
levin_costs.slip("- log_probability", "+ log_probability", "sign of the path").says(
    "an unlikely path became cheap. The cost is depth *over* probability: subtract both logarithms."
)
levin_costs.slip("- shares", "+ shares", "sign of the move").says(
    "an unlikely move became cheap. The cost is depth *over* probability: subtract both logarithms."
)
levin_costs.slip("- shares", "- scores", "no softmax").says(
    "scores are not logarithms of probabilities yet. Take the logarithm of their softmax."
)
levin_costs.slip("math.log(depth + 1)", "(depth + 1)", "plain depth").says(
    "the depth was added as it is. This is a logarithm: add the depth's logarithm."
)
levin_costs.slip(
    "return math.log(depth + 1) - log_probability - shares",
    "return np.exp(math.log(depth + 1) - log_probability - shares)",
    "the cost itself",
).says("this is the cost. Return its logarithm, which does not overflow.")
levin_costs.slip(
    "return math.log(depth + 1) - log_probability - shares", "return -log_probability - shares", "no depth"
).says("the depth is missing. Without it the search follows one likely path for ever.")


@levin_costs.mistake("overflow", "exp(10,000) is infinity. Take the highest score away first.")
def _(depth, log_probability, scores):
    with np.errstate(all="ignore"):
        return math.log(depth + 1) - log_probability - np.log(np.exp(scores) / np.exp(scores).sum())


@levin_costs.mistake(
    "underflow",
    "probabilities were multiplied before the logarithm: the small ones became zero. Add logarithms instead.",
)
def _(depth, log_probability, scores):
    with np.errstate(all="ignore"):
        parts = np.exp(scores - scores.max())
        return np.log((depth + 1) / (math.exp(log_probability) * parts / parts.sum()))


@levin_costs.mistake(
    "a little more", "a small number was added before the logarithm, which caps the cost of unlikely moves."
)
def _(depth, log_probability, scores):
    parts = np.exp(scores - scores.max())
    return math.log(depth + 1) - log_probability - np.log(parts / parts.sum() + 1e-9)
