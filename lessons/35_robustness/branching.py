"""Branching on neurons with bounds by lines: what verifiers made for networks do in place of a general solver.

A node fixes some ReLUs as on or off. Its nine margins are bounded by lines from below; where all are above zero it is
done, else one more neuron is split. A node without unsure neurons is a linear program, which SciPy solves.
Follows Bunel et al. (2020, arXiv 1909.06588) in its outline and scores. Draws nothing.
"""

import math

import numpy as np
import torch
from scipy.optimize import linprog

SLACK = 1e-5  # bounds are computed in 32 bits


def _bounds(lesson, layers, box, rows, nodes):
    """Margins (b, 9), scores of neurons, tightened ends, and corners (b, in) where the least is taken, of nodes."""
    low, high = (end.expand(len(nodes), -1) for end in box)
    ends = [tuple(torch.stack(part) for part in zip(*layer)) for layer in zip(*nodes)]
    for n in range(1, len(ends)):
        eye = torch.eye(ends[n][0].shape[1]).expand(len(nodes), -1, -1)
        below = lesson.backward(layers[: n + 1], ends[:n], low, high, eye)
        above = -lesson.backward(layers[: n + 1], ends[:n], low, high, -eye)
        ends[n] = torch.maximum(ends[n][0], below), torch.minimum(ends[n][1], above)
    empty = torch.stack([(a > b + SLACK).any(1) for a, b in ends]).any(0)
    ends = [(a, torch.maximum(a, b)) for a, b in ends]
    level, rows, losses = 0.0, rows.expand(len(nodes), -1, -1), []
    for layer, pair in reversed([*zip(layers, [None, *ends])]):
        level, rows = level + rows @ layer.bias, rows @ layer.weight
        if pair is not None:
            below, above, offset = (part[:, None] for part in lesson.relax(*pair))
            plus, minus = rows.clamp(min=0), rows.clamp(max=0)
            gap = torch.minimum(-pair[0], pair[1]).clamp(min=0)[:, None]
            losses.insert(0, 1e-3 * plus * gap - minus * offset)  # the line above decides, the one below breaks ties
            level, rows = level + (minus * offset).sum(-1), plus * below + minus * above
    value = level + (rows.clamp(min=0) * low[:, None] + rows.clamp(max=0) * high[:, None]).sum(-1)
    worst, each = value.argmin(1), torch.arange(len(nodes))
    value = value.masked_fill(empty[:, None], torch.inf)
    corner = torch.where(rows[each, worst] >= 0, low, high)
    return value, [loss[each, worst] for loss in losses], ends, corner


def _least(layers, ends, box, rows, bias):
    """Least margin where every ReLU is settled, and its image: one linear program a class; infinity where none is."""
    map_, level = np.eye(box[0].shape[1]), np.zeros(box[0].shape[1])
    tables, limits = [], []
    for layer, (low, _) in zip(layers, ends):
        weight, shift = layer.weight.double().numpy(), layer.bias.double().numpy()
        map_, level = weight @ map_, weight @ level + shift
        on = (low >= 0).numpy()
        sign = np.where(on, -1.0, 1.0)
        tables, limits = [*tables, sign[:, None] * map_], [*limits, -sign * level]
        map_, level = on[:, None] * map_, on * level
    table, limit, ends = np.vstack(tables), np.concatenate(limits), torch.cat(box).double().numpy().T
    found = [linprog(row @ map_, A_ub=table, b_ub=limit, bounds=ends) for row in rows]
    values = [
        part.fun + row @ level + b if part.status == 0 else math.inf if part.status == 2 else -math.inf
        for part, row, b in zip(found, rows, bias)
    ]
    k = int(np.argmin(values))
    return values[k], found[k].x


def _widest(scores, ends):
    """Layer and number of the neuron whose lines lose most, or any unsure one; None where there is none."""
    layer = max(range(len(scores)), key=lambda n: scores[n].max().item())
    if scores[layer].max() > 0:
        return layer, int(scores[layer].argmax())
    unsure = [((low < 0) & (high > 0)).nonzero()[:, 0].tolist() for low, high in ends]
    return next(((n, row[0]) for n, row in enumerate(unsure) if row), None)


@torch.no_grad()
def branch(lesson, model, clean, label, eps, nodes=2000, batch=64):
    """Outcome for one image (proved, broken, tie or open) and the nodes used.

    Args:
        lesson: the lesson's definitions.
        model: linear layers with ReLUs between them.
        clean: image (1, n).
        label: its class (1,).
        eps: half-width of the box.
        nodes: how many may be bounded before the image is left open.
        batch: how many are split at once, those with the lowest bounds first.

    Raises:
        ValueError: if `nodes` or `batch` is below 1.
    """
    if nodes < 1 or batch < 1:
        raise ValueError(f"nodes and batch must be at least 1, got {nodes} and {batch}")
    layers, box = [*model[::2]], lesson.box_of(clean, eps)
    rows = lesson.contrast(label)[0][[t for t in range(10) if t != label.item()]]
    folded = (rows @ model[-1].weight).double().numpy(), (rows @ model[-1].bias).double().numpy()
    known = lesson.line_margins(model, clean, label, eps)[1]
    fresh, used, waiting, tie = [[(a[0], b[0]) for a, b in known]], 0, [], False
    while fresh:
        used += len(fresh)
        value, scores, ends, corners = _bounds(lesson, layers, box, rows, fresh)
        if (lesson.margin(model(corners), label.expand(len(corners))) <= 0).any():
            return "broken", used
        for i in (value.amin(1) <= SLACK).nonzero()[:, 0].tolist():
            waiting.append((value[i], [s[i] for s in scores], [(a[i], b[i]) for a, b in ends]))
        if used >= nodes:
            break
        fresh = []
        while waiting and not fresh:
            waiting.sort(key=lambda node: -node[0].min().item())
            chosen, waiting = waiting[-batch:], waiting[:-batch]
            for margins, score, pairs in chosen:
                split = _widest(score, pairs)
                if split is None:
                    unsure = (margins <= SLACK).numpy()
                    least, image = _least(layers, pairs, box, *(part[unsure] for part in folded))
                    if least == -math.inf:
                        return "open", used
                    if least <= 0 and lesson.margin(model(torch.tensor(image)[None].float()), label).item() <= 0:
                        return "broken", used
                    tie |= least <= SLACK
                    continue
                layer, neuron = split
                for end in (0, 1):
                    child = [tuple(part.clone() for part in pair) for pair in pairs]
                    child[layer][end][neuron] = 0.0
                    fresh.append(child)
    return ("open" if waiting else "tie" if tie else "proved"), used
