"""Exercises of lesson 10: the gate of the sandbox, pass@k, nearest requests."""

import ast
import math
from fractions import Fraction

import torch
import torch.nn.functional as F

from .form import exercise

RULES = {
    "nodes": set(
        "Module FunctionDef arguments arg Return Assign For If Compare BinOp UnaryOp USub Call keyword Name Load Store "
        "Constant List ListComp comprehension Subscript Slice Attribute Import alias Expr Add Mult Mod Gt Eq".split()
    ),
    "attributes": {"append", "sqrt"},
    "modules": {"math"},
}


@exercise(returns="True or False", points=2)
def is_allowed(source, rules):
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    kinds = {type(node).__name__ for node in nodes}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    modules = {node.name for node in nodes if isinstance(node, ast.alias)}
    names = [getattr(node, field, None) or "" for node in nodes for field in ("id", "name", "arg", "asname")]
    listed = kinds <= rules["nodes"] and attributes <= rules["attributes"] and modules <= rules["modules"]
    return listed and not any("__" in name for name in names)


@is_allowed.cases
def _():
    def function(line, header="def f(xs):"):
        return f"{header}\n    {line}"

    comprehension = function("return [x * 2 for x in xs if x > 0]")
    yield "a comprehension", comprehension, RULES
    yield "a listed method", function("ys = []\n    ys.append(1)\n    return ys"), RULES
    yield "a listed module", "import math\n" + function("return math.sqrt(4)"), RULES
    yield "no Python", function("return [x for x in"), RULES
    yield "a zero byte", "xs = 1\0", RULES
    yield "half a character, which no file can hold", "xs = '\ud800'", RULES
    yield "nested too deeply to be read", "not " * 20_000 + "xs", RULES
    yield "a module that is not listed", "import os\n" + function("return xs"), RULES
    yield "the second module of a line", "import math, os\n" + function("return xs"), RULES
    yield "a part of a listed module", "import math.inner\n" + function("return xs"), RULES
    yield "a module that begins like a listed one", "import mathematics\n" + function("return xs"), RULES
    yield "a module whose name is part of a listed one", "import mat\n" + function("return xs"), RULES
    yield "a listed module under a hidden name", "import math as __m\n" + function("return xs"), RULES
    yield "an attribute that is not listed", function("return xs.pop()"), RULES
    yield "the second attribute", function("xs.append(1)\n    return xs.pop()"), RULES
    yield "an attribute inside a listed one", function("return xs.pop().append"), RULES
    yield "an attribute of what a listed one returns", function("return xs.append(1).real"), RULES
    yield "an attribute that is written", function("xs.real = 1"), RULES
    yield "an attribute that begins like a listed one", function("return xs.append_all(1)"), RULES
    yield "an attribute that is part of a listed one", function("return xs.app(1)"), RULES
    yield "a walk to the root of all classes", function("return xs.__class__.__base__"), RULES
    yield "a hidden name", function("return __import__(2)"), RULES
    yield "two underscores within a name", function("return a__b"), RULES
    yield "a hidden name as a parameter", function("return xs", "def f(xs, __y=1):"), RULES
    yield "a hidden name as a function", function("return xs", "def __f__(xs):"), RULES
    yield "a hidden name as a keyword", function("return sorted(xs, __key=1)"), RULES
    yield "a keyword without a name", function("return sorted(**xs)"), RULES
    yield "underscores in a text do no harm", function("return '__'"), RULES
    yield "underscores apart do no harm", function("return [_x_y for _x_y in xs]"), RULES
    yield (
        "a loop without an end is not the gate's business, its kind is",
        function("while True:\n        xs = 1"),
        RULES,
    )
    yield "an operator that is not listed", function("return xs - 1"), RULES
    yield "an operator before one value", function("return not xs"), RULES
    yield "a kind that begins like a listed one", function("return 1 if xs else 2"), RULES
    yield "a kind that ends like a listed one", function("xs += 1"), RULES
    yield "trouble far down", function("\n    ".join(["xs = 1"] * 50 + ["return xs.pop"])), RULES
    yield "a class", "class A:\n    f = 1", RULES
    yield "a text with holes", function("return f'{xs}'"), RULES
    yield "the second statement counts too", "x = 1\ny = x.real", RULES
    yield "nothing", "", RULES
    small = {"nodes": RULES["nodes"] - {"ListComp", "comprehension"}, "attributes": set(), "modules": set()}
    yield "stricter rules", comprehension, small
    yield "stricter, plain", "x = 1", small
    yield "other rules: nothing may be stored", "x = 1", {**RULES, "nodes": RULES["nodes"] - {"Store"}}
    yield "other rules: not even a module", "", {**RULES, "nodes": RULES["nodes"] - {"Module"}}
    hidden = {**RULES, "attributes": {"__len__"}}
    yield "other rules: an attribute is no name", function("return xs.__len__()"), hidden
    yield "other rules: a dotted module", "import os.path", {**RULES, "modules": {"os.path"}}
    yield "other rules: its root alone", "import os", {**RULES, "modules": {"os.path"}}


@is_allowed.usual
def is_allowed(source, rules):
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    for node in ast.walk(tree):
        names = [getattr(node, field, None) or "" for field in ("id", "name", "arg", "asname")]
        if type(node).__name__ not in rules["nodes"] or any("__" in name for name in names):
            return False
        if isinstance(node, ast.Attribute) and node.attr not in rules["attributes"]:
            return False
        if isinstance(node, ast.alias) and node.name not in rules["modules"]:
            return False
    return True


@is_allowed.mistake(
    "a list of forbidden words",
    "this looks for forbidden words in the text. A list of what is forbidden is never complete: allow by "
    "the kinds of nodes, and refuse the rest.",
)
def _(source, rules):
    if any(word in source for word in ("__", "import", "open", "eval", "exec")):
        return False
    try:
        return bool(ast.parse(source))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False


@is_allowed.mistake(
    "the surface only",
    "only the outermost statements are looked at. Trouble sits inside a function: walk the whole tree.",
)
def _(source, rules):
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return False
    modules = {alias.name for node in body for alias in getattr(node, "names", ())}
    return {type(node).__name__ for node in body} <= rules["nodes"] and modules <= rules["modules"]


is_allowed.slip("isinstance(node, ast.Attribute)", "False", "attributes not checked").says(
    "attributes outside the list pass. From any object a chain of them leads to every class there is."
)
is_allowed.slip("isinstance(node, ast.alias)", "False", "modules not checked").says(
    "any module may be imported. The name of what is imported stands in `ast.alias`, not in `ast.Import`."
)
is_allowed.slip(' or any("__" in name for name in names)', "", "hidden names not checked").says(
    "names with two underscores pass. They stand in more than one field: a variable has an `id`, a "
    "parameter an `arg`, a function a `name`."
)
is_allowed.slip('type(node).__name__ not in rules["nodes"] or ', "", "kinds not checked").says(
    'the kind of a node is never compared with `rules["nodes"]`, so a class or a `while` passes.'
)
is_allowed.slip("return False\n    for", "return True\n    for", "unreadable text allowed").says(
    "text that cannot be parsed is allowed. What you cannot read you cannot check."
)
is_allowed.slip("return False\n    for", "raise\n    for", "unreadable text raises").says(
    "a candidate that is no Python stops the whole run. `ast.parse` raises; answer False instead."
)
is_allowed.slip(", ValueError, MemoryError, RecursionError", "", "one kind of error only").says(
    "some texts make `ast.parse` raise something else than `SyntaxError`: characters that cannot be encoded "
    "(`ValueError`), or nesting too deep (`MemoryError`, `RecursionError`). Never raise, whatever comes in."
)
is_allowed.slip(", MemoryError, RecursionError", "", "nesting raises").says(
    "text that is nested too deeply makes `ast.parse` raise `MemoryError` or `RecursionError`. Catch these too."
)
is_allowed.slip("(SyntaxError, ValueError, MemoryError, RecursionError)", "ValueError", "syntax errors raise").says(
    "`SyntaxError` is not caught, the commonest of all: most texts that are no Python raise it."
)
is_allowed.slip("node.name not in", 'node.name.split(".")[0] not in', "root of a dotted module").says(
    "only the part before the first dot is compared, so that `import math.anything` passes. The whole name must be "
    "in the list."
)
is_allowed.slip(
    'node.name not in rules["modules"]',
    'not node.name.startswith(tuple(rules["modules"]))',
    "begins like a listed module",
    "a module passes if its name *begins* like a listed one. It must be one of the list.",
)
is_allowed.slip(
    'node.attr not in rules["attributes"]',
    'not any(name in node.attr for name in rules["attributes"])',
    "contains a listed attribute",
    "an attribute passes if it *contains* a listed one, as `append_all` does. It must be one of the list.",
)
is_allowed.slip('"__" in name', 'name.startswith("__")', "underscores at the start only").says(
    "only names that begin with two underscores are refused. They may stand anywhere in a name."
)
is_allowed.slip('("id", "name", "arg", "asname")', '("id",)', "variables only").says(
    "only the field `id` is looked at. Functions have a `name`, parameters and keywords an `arg`, imports an `asname`."
)
is_allowed.slip(
    "return False\n    for",
    'return False\n    if "__" in source:\n        return False\n    for',
    "underscores in the text",
).says("two underscores anywhere in the source are refused, also inside a text constant. Only names count.")


@exercise(returns="number between 0 and 1", tolerance=1e-9, points=2)
def pass_at_k(n, c, k):
    return float(1 - Fraction(math.comb(n - c, k), math.comb(n, k)))


@pass_at_k.cases
def _():
    yield "the worked example", 4, 1, 2
    yield "one of three right, one draw", 3, 1, 1
    yield "none right", 20, 0, 10
    yield "all right", 20, 20, 1
    yield "fewer wrong ones than draws", 10, 8, 3
    yield "exactly as many wrong ones as draws", 10, 7, 3
    yield "one wrong one more than draws", 10, 6, 3
    yield "all are drawn", 5, 1, 5
    yield "all are drawn, none is right", 5, 0, 5
    yield "200 written, 13 right, 10 draws", 200, 13, 10
    yield "so many that factorials overflow", 5000, 3, 1000
    yield "one written, and it is right", 1, 1, 1
    yield "one written, and it is wrong", 1, 0, 1


@pass_at_k.usual
def pass_at_k(n, c, k):
    all_wrong = 1.0
    for drawn in range(k):
        all_wrong *= (n - c - drawn) / (n - drawn)  # 0 once no wrong one is left, and 0 it stays
    return 1.0 - all_wrong


pass_at_k.slip("(n - c - drawn) / (n - drawn)", "(n - c) / n", "drawn with replacement").says(
    "this draws the same program several times. Without putting back, each wrong one drawn leaves fewer "
    "wrong ones behind; your estimate is too low."
)
pass_at_k.slip("range(k)", "range(1)", "k ignored").says(
    "this is the share of right programs, pass@1. More draws must help."
)
pass_at_k.slip("1.0 - all_wrong", "min(1.0, k * c / n)", "shares added up").says(
    "k times the share counts a draw with two right programs twice. Ask for the opposite event."
)
pass_at_k.slip("1.0 - all_wrong", "math.comb(c, k) / math.comb(n, k)", "all right").says(
    "this is the chance that all k are right. One right one is enough."
)
pass_at_k.slip("1.0 - all_wrong", "all_wrong", "the opposite").says(
    "this is the chance that every draw is wrong. You are one step away."
)
pass_at_k.slip("1.0 - all_wrong", "float(c > 0)", "any right").says(
    "this asks whether any of all n is right, but only k of them are drawn."
)
pass_at_k.slip("range(k)", "range(k - 1)", "one draw too few").says(
    "one draw is missing: the k draws take 0, 1, …, k - 1 programs away before them."
)
pass_at_k.slip("range(k)", "range(k + 1)", "one draw too many").says(
    "one draw too many: the k draws take 0, 1, …, k - 1 programs away before them."
)
pass_at_k.slip("range(k)", "range(1, k + 1)", "drawn before the first").says(
    "a program is gone before the first draw. At the first, all n are there, n - c of them wrong."
)
pass_at_k.slip("(n - drawn)", "n", "the pool does not shrink").says(
    "the wrong programs get fewer with each draw, but so do all of them: the denominator shrinks too."
)
pass_at_k.slip("n - c - drawn", "n - c", "the wrong ones do not shrink").says(
    "all programs get fewer with each draw, but the wrong ones do not. A wrong one that is drawn is gone."
)
pass_at_k.slip("1.0 - all_wrong", "c * math.comb(n - c, k - 1) / math.comb(n, k)", "exactly one right").says(
    "this is the chance of exactly one right program among the k. Two or more will do as well."
)


@exercise(
    returns="integer tensor (queries, k)",
    points=1,
    # on a CPU the library's sort is stable whether asked to be or not
    equivalent_mutants=(
        "scores.argsort(descending=True, stable=True) -> scores.argsort(descending=True) in "
        "return scores.argsort(descending=True, stable=True)[:, :k]",
        "True -> False in return scores.argsort(descending=True, stable=True)[:, :k]",
    ),
)
def nearest(queries, requests, k):
    sizes = queries.norm(dim=1)[:, None] * requests.norm(dim=1)[None, :]  # (queries, requests)
    cosines = torch.where(sizes > 0, queries @ requests.T / sizes, 0.0)
    # rounded, so that two requests that are equally near cannot change places by the last bit
    return torch.sort(-cosines.round(decimals=6), dim=1, stable=True).indices[:, :k]


@nearest.cases
def _():
    generator = torch.Generator().manual_seed(10)

    def draw(rows, columns):
        return torch.randint(0, 4, (rows, columns), generator=generator).float()

    def few_words(rows, columns=24):
        """Counts of 1 at 1, 4 or 16 places: lengths 1, 2, 4, so that all cosines are exact and many are equal."""
        places = torch.rand(rows, columns, generator=generator).argsort(dim=1).argsort(dim=1)
        return (places < 4 ** torch.randint(0, 3, (rows, 1), generator=generator)).float()

    yield "the worked example", torch.tensor([[1.0, 1, 0]]), torch.tensor([[0.0, 0, 1], [2, 2, 0], [1, 0, 0]]), 2
    twins = torch.tensor([[0.0, 1, 1, 0], [1, 2, 0, 1], [2, 0, 0, 0], [2, 4, 0, 2]])
    yield "equally near: the earlier first", torch.tensor([[1.0, 2, 0, 1]]), twins, 3
    yield "long requests must not win by length", draw(3, 9), draw(12, 9) * torch.tensor([[1.0], [7.0]] * 6), 4
    yield "a query without a known word", torch.zeros(1, 5), draw(6, 5), 3
    yield "a request without a known word", draw(2, 4), torch.cat([torch.zeros(1, 4), draw(4, 4)]), 5
    yield "one query, one request", draw(1, 3) + 1, draw(1, 3), 1
    yield "more queries than requests", draw(7, 11), draw(3, 11), 2
    zeros = torch.tensor([[0.0, 0, 0], [0, 3, 0], [1, 0, 0]])
    yield "no known word is as far as no common word", torch.tensor([[1.0, 0, 2]]), zeros, 3
    yield "counts in double precision", draw(2, 6).double() + 1, draw(5, 6).double(), 3
    yield "700 requests, many equally near", few_words(5), few_words(700), 60
    yield "700 requests, a query without a known word", torch.zeros(1, 24), few_words(700), 700


@nearest.usual
def nearest(queries, requests, k):
    scores = queries @ F.normalize(requests).T  # (queries, requests); a query's own length changes no order
    return scores.argsort(descending=True, stable=True)[:, :k]


nearest.slip("F.normalize(requests)", "requests", "not normalised").says(
    "long requests win because they have more words to share. Divide by the lengths of both vectors."
)
nearest.slip("scores = ", "scores = -", "the farthest", "these are the least similar requests. Sort the other way.")
nearest.slip(
    "queries @ F.normalize(requests).T",
    "F.normalize(requests) @ F.normalize(queries).T",
    "requests and queries swapped",
    "each row should belong to a query and hold numbers of requests; yours is the other way round.",
)
nearest.slip(
    "queries @ F.normalize(requests).T", "-((queries[:, None] - requests) ** 2).sum(-1)", "Euclidean distance"
).says("this is the distance between counts, which grows with the length of a request. Wanted: the angle.")


@nearest.mistake("similarities returned", "these are the similarities. Return which requests they belong to.")
def _(queries, requests, k):
    cosines = F.normalize(queries) @ F.normalize(requests).T
    return cosines.sort(dim=1, descending=True).values[:, :k]


nearest.slip(
    "queries @ F.normalize(requests).T",
    "F.normalize(queries, dim=0) @ F.normalize(requests, dim=0).T",
    "normalised over requests",
    "each word's column was scaled to length 1. Scale each request's row instead.",
)
nearest.slip(".argsort(descending=True, stable=True)[:, :k]", ".topk(k).indices", "an unstable sort").says(
    "right where no two requests are equally near. `topk`, and a sort that is not stable, put equals in any order; "
    "the earlier row should come first."
)
nearest.slip(".argsort(descending=True, stable=True)", ".argsort(stable=True).flip(1)", "the later first").says(
    "of two that are equally near the later comes first. Turning a sorted row round turns equals round as well."
)
nearest.slip("F.normalize(requests)", "(requests / requests.norm(dim=1, keepdim=True))", "zero by zero").says(
    "a request without a known word has length 0, and 0 / 0 is nan, which sorts first. Its cosine counts as 0."
)
nearest.slip(
    "[:, :k]", "[:k]", "the first k queries", "cut after k columns, not after k rows: every query gets an answer."
)
nearest.slip("[:, :k]", "", "never cut", "all requests come back, sorted. Only the first k of each row are asked for.")
