"""Exercises of lesson 10: the gate of the sandbox, pass@k, nearest requests. References, cases, known mistakes."""

from __future__ import annotations

import ast
import math
from fractions import Fraction

import torch
import torch.nn.functional as F

from .engine import Case, Exercise, Mistake

RULES = {
    "nodes": set(
        "Module FunctionDef arguments arg Return Assign For If Compare BinOp UnaryOp USub Call keyword Name Load Store "
        "Constant List ListComp comprehension Subscript Slice Attribute Import alias Expr Add Mult Mod Gt Eq".split()
    ),
    "attributes": {"append", "sqrt"},
    "modules": {"math"},
}


def _identifiers(node):
    return [getattr(node, field, None) or "" for field in ("id", "name", "arg", "asname")]


def _gate(source, rules, *, nodes=True, attributes=True, modules=True, names=True, unreadable=False):
    """The gate with some of its checks switched off."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return unreadable
    for node in ast.walk(tree):
        if nodes and type(node).__name__ not in rules["nodes"]:
            return False
        if attributes and isinstance(node, ast.Attribute) and node.attr not in rules["attributes"]:
            return False
        if modules and isinstance(node, ast.alias) and node.name not in rules["modules"]:
            return False
        if names and any("__" in text for text in _identifiers(node)):
            return False
    return True


def is_allowed(source, rules):
    return _gate(source, rules)


def _function(line, header="def f(xs):"):
    return f"{header}\n    {line}"


def allowed_cases():
    small = {"nodes": RULES["nodes"] - {"ListComp", "comprehension"}, "attributes": set(), "modules": set()}
    sources = {
        "a comprehension": _function("return [x * 2 for x in xs if x > 0]"),
        "a listed method": _function("ys = []\n    ys.append(1)\n    return ys"),
        "a listed module": "import math\n" + _function("return math.sqrt(4)"),
        "no Python": _function("return [x for x in"),
        "a zero byte": "xs = 1\0",
        "a module that is not listed": "import os\n" + _function("return xs"),
        "a listed module under a hidden name": "import math as __m\n" + _function("return xs"),
        "an attribute that is not listed": _function("return xs.pop()"),
        "a walk to the root of all classes": _function("return xs.__class__.__base__"),
        "a hidden name": _function("return __import__(2)"),
        "a hidden name as a parameter": _function("return xs", "def f(xs, __y=1):"),
        "a hidden name as a function": _function("return xs", "def __f__(xs):"),
        "a hidden name as a keyword": _function("return sorted(xs, __key=1)"),
        "underscores in a text do no harm": _function("return '__'"),
        "one underscore does no harm": _function("return [_x for _x in xs]"),
        "a loop without an end is not the gate's business, its kind is": _function("while True:\n        xs = 1"),
        "a class": "class A:\n    f = 1",
        "a text with holes": _function("return f'{xs}'"),
        "the second statement counts too": "x = 1\ny = x.real",
        "nothing": "",
    }
    cases = [Case(label, (source, RULES)) for label, source in sources.items()]
    return [
        *cases,
        Case("stricter rules", (sources["a comprehension"], small)),
        Case("stricter, plain", ("x = 1", small)),
    ]


def _by_text(source, rules):
    return not any(word in source for word in ("__", "import", "open", "eval", "exec")) and _gate(
        source, rules, nodes=False, attributes=False, names=False
    )


def _top_only(source, rules):
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return False
    return all(
        type(node).__name__ in rules["nodes"]
        and all(alias.name in rules["modules"] for alias in getattr(node, "names", ()))
        for node in body
    )


def _raises(source, rules):
    ast.parse(source)
    return _gate(source, rules)


def pass_at_k(n, c, k):
    return float(1 - Fraction(math.comb(n - c, k), math.comb(n, k)))


def pass_cases():
    return [
        Case("the worked example", (4, 1, 2)),
        Case("one of three right, one draw", (3, 1, 1)),
        Case("none right", (20, 0, 10)),
        Case("all right", (20, 20, 1)),
        Case("fewer wrong ones than draws", (10, 8, 3)),
        Case("exactly as many wrong ones as draws", (10, 7, 3)),
        Case("all are drawn", (5, 1, 5)),
        Case("200 written, 13 right, 10 draws", (200, 13, 10)),
        Case("so many that factorials overflow", (5000, 3, 1000)),
        Case("one written, and it is right", (1, 1, 1)),
    ]


def _with_replacement(n, c, k):
    return 1 - (1 - c / n) ** k


def _share(n, c, k):
    return c / n


def _times_k(n, c, k):
    return min(1.0, k * c / n)


def _all_right(n, c, k):
    return math.comb(c, k) / math.comb(n, k)


def _miss(n, c, k):
    return math.comb(n - c, k) / math.comb(n, k)


def _any_right(n, c, k):
    return float(c > 0)


def nearest(queries, requests, k):
    sizes = queries.norm(dim=1)[:, None] * requests.norm(dim=1)[None, :]  # (queries, requests)
    cosines = torch.where(sizes > 0, queries @ requests.T / sizes, 0.0)
    # rounded, so that two requests that are equally near cannot change places by the last bit
    return torch.sort(-cosines.round(decimals=6), dim=1, stable=True).indices[:, :k]


def nearest_cases():
    generator = torch.Generator().manual_seed(10)

    def draw(rows, columns):
        return torch.randint(0, 4, (rows, columns), generator=generator).float()

    worked = torch.tensor([[1.0, 1, 0]]), torch.tensor([[0.0, 0, 1], [2, 2, 0], [1, 0, 0]])
    twins = torch.tensor([[1.0, 2, 0, 1]]), torch.tensor([[0.0, 1, 1, 0], [1, 2, 0, 1], [2, 0, 0, 0], [2, 4, 0, 2]])
    return [
        Case("the worked example", (*worked, 2)),
        Case("equally near: the earlier first", (*twins, 3)),
        Case("long requests must not win by length", (draw(3, 9), draw(12, 9) * torch.tensor([[1.0], [7.0]] * 6), 4)),
        Case("a query without a known word", (torch.zeros(1, 5), draw(6, 5), 3)),
        Case("a request without a known word", (draw(2, 4), torch.cat([torch.zeros(1, 4), draw(4, 4)]), 5)),
        Case("one query, one request", (draw(1, 3) + 1, draw(1, 3), 1)),
        Case("more queries than requests", (draw(7, 11), draw(3, 11), 2)),
    ]


def _top(scores, k):
    return scores.argsort(dim=1, descending=True, stable=True)[:, :k]


def _dot(queries, requests, k):
    return _top(queries @ requests.T, k)


def _farthest(queries, requests, k):
    return _top(-F.normalize(queries) @ F.normalize(requests).T, k)


def _turned(queries, requests, k):
    return _top((F.normalize(requests) @ F.normalize(queries).T), k)


def _euclid(queries, requests, k):
    return _top(-((queries[:, None] - requests[None]) ** 2).sum(-1), k)


def _values(queries, requests, k):
    return (F.normalize(queries) @ F.normalize(requests).T).topk(min(k, len(requests))).values


def _over_words(queries, requests, k):
    return _top(F.normalize(queries, dim=0) @ F.normalize(requests, dim=0).T, k)


EXERCISES = (
    Exercise(
        name="is_allowed",
        reference=is_allowed,
        cases=allowed_cases,
        returns="True or False",
        points=2,
        mistakes=(
            Mistake(
                "a list of forbidden words",
                _by_text,
                "this looks for forbidden words in the text. A list of what is forbidden is never complete: allow by "
                "the kinds of nodes, and refuse the rest.",
            ),
            Mistake(
                "the surface only",
                _top_only,
                "only the outermost statements are looked at. Trouble sits inside a function: walk the whole tree.",
            ),
            Mistake(
                "attributes not checked",
                lambda source, rules: _gate(source, rules, attributes=False),
                "attributes outside the list pass. From any object a chain of them leads to every class there is.",
            ),
            Mistake(
                "modules not checked",
                lambda source, rules: _gate(source, rules, modules=False),
                "any module may be imported. The name of what is imported stands in `ast.alias`, not in `ast.Import`.",
            ),
            Mistake(
                "hidden names not checked",
                lambda source, rules: _gate(source, rules, names=False),
                "names with two underscores pass. They stand in more than one field: a variable has an `id`, a "
                "parameter an `arg`, a function a `name`.",
            ),
            Mistake(
                "kinds not checked",
                lambda source, rules: _gate(source, rules, nodes=False),
                'the kind of a node is never compared with `rules["nodes"]`, so a class or a `while` passes.',
            ),
            Mistake(
                "unreadable text allowed",
                lambda source, rules: _gate(source, rules, unreadable=True),
                "text that cannot be parsed is allowed. What you cannot read you cannot check.",
            ),
            Mistake(
                "unreadable text raises",
                _raises,
                "a candidate that is no Python stops the whole run. `ast.parse` raises; answer False instead.",
            ),
        ),
    ),
    Exercise(
        name="pass_at_k",
        reference=pass_at_k,
        cases=pass_cases,
        returns="number between 0 and 1",
        tolerance=1e-9,
        points=2,
        mistakes=(
            Mistake(
                "drawn with replacement",
                _with_replacement,
                "this draws the same program several times. Without putting back, each wrong one drawn leaves fewer "
                "wrong ones behind; your estimate is too low.",
            ),
            Mistake("k ignored", _share, "this is the share of right programs, pass@1. More draws must help."),
            Mistake(
                "shares added up",
                _times_k,
                "k times the share counts a draw with two right programs twice. Ask for the opposite event.",
            ),
            Mistake("all right", _all_right, "this is the chance that all k are right. One right one is enough."),
            Mistake("the opposite", _miss, "this is the chance that every draw is wrong. You are one step away."),
            Mistake("any right", _any_right, "this asks whether any of all n is right, but only k of them are drawn."),
        ),
    ),
    Exercise(
        name="nearest",
        reference=nearest,
        cases=nearest_cases,
        returns="integer tensor (queries, k)",
        # on a CPU the library's sort is stable whether asked to be or not
        equivalent_mutants=(
            "scores.argsort(descending=True, stable=True) -> scores.argsort(descending=True) in "
            "return scores.argsort(descending=True, stable=True)[:, :k]",
            "True -> False in return scores.argsort(descending=True, stable=True)[:, :k]",
        ),
        points=1,
        mistakes=(
            Mistake(
                "not normalised",
                _dot,
                "long requests win because they have more words to share. Divide by the lengths of both vectors.",
            ),
            Mistake("the farthest", _farthest, "these are the least similar requests. Sort the other way."),
            Mistake(
                "requests and queries swapped",
                _turned,
                "each row should belong to a query and hold numbers of requests; yours is the other way round.",
            ),
            Mistake(
                "Euclidean distance",
                _euclid,
                "this is the distance between counts, which grows with the length of a request. Wanted: the angle.",
            ),
            Mistake(
                "similarities returned", _values, "these are the similarities. Return which requests they belong to."
            ),
            Mistake(
                "normalised over requests",
                _over_words,
                "each word's column was scaled to length 1. Scale each request's row instead.",
            ),
        ),
    ),
)
