"""What a statistician does without a graph: choice of columns by fit, and estimators other than least squares.

Columns are in the order in which they happen. Every function takes a table (n, columns) and returns NumPy values.
"""

import numpy as np
from scipy.special import expit


def table_of(x, columns):
    """Ones and the chosen columns (n, 1 + chosen)."""
    return np.column_stack([np.ones(len(x)), x[:, sorted(columns)]])


def stepwise(x, t, y, allowed):
    """Columns that forward selection adds while the Bayesian information criterion falls; t is always in."""
    chosen, n = set(), len(x)

    def criterion(columns):
        a = table_of(x, {t, *columns})
        rest = x[:, y] - a @ np.linalg.lstsq(a, x[:, y], rcond=None)[0]
        return n * np.log(rest @ rest / n) + len(columns) * np.log(n)

    now = criterion(chosen)
    while len(chosen) < len(allowed):
        found, best = min((criterion(chosen | {c}), c) for c in allowed if c not in chosen)
        if found >= now:
            break
        now = found
        chosen.add(best)
    return chosen


def double_lasso(x, t, y, allowed, penalty):
    """Columns that a lasso keeps for y or for t (Belloni and colleagues' double selection)."""
    from sklearn.linear_model import Lasso

    allowed = sorted(allowed)
    if not allowed:
        return set()
    unit = (x - x.mean(0)) / np.maximum(x.std(0), 1e-12)
    kept = [Lasso(alpha=penalty).fit(unit[:, allowed], unit[:, target]).coef_ != 0 for target in (t, y)]
    return {c for c, *keep in zip(allowed, *kept, strict=True) if any(keep)}


def logistic(a, y, ridge=1e-6):
    """Coefficients of a logistic regression of y (n,) on the columns of a (n, k), by Newton's steps.

    Args:
        a: the table, with a column of ones if an intercept is wanted.
        y: labels, 0 or 1.
        ridge: weight of half the squared coefficients, which are added to the summed cross-entropy.
    """
    b = np.zeros(a.shape[1])
    for _ in range(12):
        p = expit(a @ b)
        curve = (a * (p * (1 - p))[:, None]).T @ a + ridge * np.eye(len(b))
        b = b + np.linalg.solve(curve, a.T @ (y - p) - ridge * b)
    return b


def propensity(x, t, columns):
    """Chance (n,) of t given the columns, by logistic regression; kept within 0.01 and 0.99."""
    a = table_of(x, columns)
    return np.clip(expit(a @ logistic(a, x[:, t])), 0.01, 0.99)


def weighted(x, t, y, columns):
    """Effect and its standard error by inverse propensity weights."""
    e, yes, out = propensity(x, t, columns), x[:, t], x[:, y]
    up, down = yes / e, (1 - yes) / (1 - e)
    high, low = (w @ out / w.sum() for w in (up, down))
    swing = up * (out - high) / up.mean() - down * (out - low) / down.mean()
    return high - low, swing.std() / np.sqrt(len(out))


def doubly_robust(x, t, y, columns):
    """Effect and its standard error by augmented weights: right if the propensity or the regression is."""
    a, e, yes, out = table_of(x, columns), propensity(x, t, columns), x[:, t], x[:, y]
    low, high = (a @ np.linalg.lstsq(a[yes == k], out[yes == k], rcond=None)[0] for k in (0, 1))
    each = high - low + yes * (out - high) / e - (1 - yes) * (out - low) / (1 - e)
    return each.mean(), each.std() / np.sqrt(len(out))


def without_graph(order, first, now):
    """Outcomes Y had T been 0, from the person's own outcome, by ways that know no graph.

    Args:
        order: the variables' names in the order in which they happen.
        first: the table to learn from, name to values, with T, W and Y.
        now: the table of those who are asked, with the same names.
    """
    from sklearn.neighbors import KNeighborsRegressor

    t, w, y = now["T"], now["W"], now["Y"]
    first = first | {"TW": first["T"] * first["W"]}

    def slopes(*columns):
        table = np.column_stack([*(first[c] for c in columns), np.ones(len(first["Y"]))])
        return np.linalg.lstsq(table, first["Y"], rcond=None)[0]

    before = ["W"] if "W" in order[: order.index("T")] else []
    held = {"all columns": ["W"], "T alone": [], "before T": before}
    found = {way: y - t * slopes("T", *columns)[0] for way, columns in held.items()}
    curve = slopes("T", "TW", "W")
    found["curve, all columns"] = y - t * (curve[0] + curve[1] * w)
    near = KNeighborsRegressor(20).fit(np.stack([first["W"], first["T"]], 1), first["Y"])
    zero, seen = (near.predict(np.stack([w, a], 1)) for a in (0 * t, t))
    return found | {"people alike": y + zero - seen}


def turned(graph, count, chance):
    """The graph with `count` different arrows turned around, chosen at random so that no cycle arises.

    A dict of name to tuple of parents; an arrow that cannot be turned without a cycle is passed over, and none is
    turned back.

    Raises:
        ValueError: if `count` is negative.
    """
    import networkx as nx

    if count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    drawn = nx.DiGraph([(p, v) for v in graph for p in graph[v]])
    drawn.add_nodes_from(graph)
    arrows = list(drawn.edges)
    for i in chance.permutation(len(arrows)):
        tail, head = arrows[i]
        if count == 0:
            break
        drawn.remove_edge(tail, head)
        drawn.add_edge(head, tail)
        if nx.is_directed_acyclic_graph(drawn):
            count -= 1
        else:
            drawn.remove_edge(head, tail)
            drawn.add_edge(tail, head)
    return {v: tuple(drawn.predecessors(v)) for v in graph}
