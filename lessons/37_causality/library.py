"""The same questions asked of networkx and SciPy."""

import networkx as nx
from scipy.stats import linregress


def digraph(graph):
    """A networkx graph of a dict of name to parents."""
    drawn = nx.DiGraph([(p, v) for v in graph for p in graph[v]])
    drawn.add_nodes_from(graph)
    return drawn


def is_separated(graph, x, y, given):
    """What networkx answers."""
    return nx.is_d_separator(digraph(graph), {x}, {y}, set(given))


def has_back_door_set(graph, t, y, seen):
    """Whether networkx finds columns among `seen`, none of them behind t, that close all back doors."""
    drawn = digraph(graph)
    allowed = set(seen) - nx.descendants(drawn, t) - {t, y}
    drawn.remove_edges_from(list(drawn.out_edges(t)))
    return nx.find_minimal_d_separator(drawn, {t}, {y}, restricted=allowed) is not None


def scipy_slope(x, y):
    """SciPy's slope and its standard error."""
    found = linregress(x, y)
    return found.slope, found.stderr
