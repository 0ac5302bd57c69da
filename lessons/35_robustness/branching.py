"""Branching on neurons with bounds by lines: what verifiers made for networks do in place of a general solver.

A node fixes some ReLUs as on or off. Its nine margins are bounded by lines from below; where all are above zero it is
done, else one more neuron is split. A node without unsure neurons is a linear program, and the lesson's solver has it.
Follows Bunel et al. (2020, arXiv 1909.06588) in its outline and scores. Draws nothing.
"""

import torch

SLACK = 1e-5  # bounds are computed in 32 bits


def _bounds(lesson, layers, box, rows, nodes):
    """Least margins (b,), scores of neurons, tightened ends, and corners (b, in) where the bound is taken, of nodes."""
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
            losses.insert(0, plus * gap - minus * offset)
            level, rows = level + (minus * offset).sum(-1), plus * below + minus * above
    value = level + (rows.clamp(min=0) * low[:, None] + rows.clamp(max=0) * high[:, None]).sum(-1)
    worst, each = value.argmin(1), torch.arange(len(nodes))
    least = torch.where(empty, torch.inf, value[each, worst])
    corner = torch.where(rows[each, worst] >= 0, low, high)
    return least, [loss[each, worst] for loss in losses], ends, corner


def _solved(lesson, model, ends, box, rows, bias):
    """Outcome of a node without unsure neurons: one linear program a class; the image, too, if it breaks."""
    ends = [tuple(part.double().numpy() for part in pair) for pair in ends]
    lower, upper = (end[0].double().numpy() for end in box)
    for row, level in zip(rows, bias):
        found = lesson.smallest_excess(model, ends, lower, upper, row.double().numpy(), level.item())
        if found.x is not None and found.fun < 1e-6:
            return "broken", torch.tensor(found.x[: len(lower)]).float()
        if found.x is None and found.status != 2:  # 2: nothing lies in the node
            return "open", None
    return "proved", None


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
    folded = rows @ model[-1].weight, rows @ model[-1].bias
    known = lesson.line_margins(model, clean, label, eps)[1]
    fresh, used, waiting, ties = [[(a[0], b[0]) for a, b in known]], 0, [], False
    while fresh:
        used += len(fresh)
        least, scores, ends, corners = _bounds(lesson, layers, box, rows, fresh)
        if (lesson.margin(model(corners), label.expand(len(corners))) <= 0).any():
            return "broken", used
        for i in (least <= SLACK).nonzero()[:, 0].tolist():
            waiting.append((least[i].item(), [s[i] for s in scores], [(a[i], b[i]) for a, b in ends]))
        if used >= nodes:
            break
        waiting.sort(key=lambda node: -node[0])
        chosen, waiting, fresh = waiting[-batch:], waiting[:-batch], []
        for _, score, pairs in chosen:
            layer = max(range(len(score)), key=lambda n: score[n].max().item())
            neuron = int(score[layer].argmax())
            if score[layer][neuron] <= 0:
                outcome, image = _solved(lesson, model, pairs, box, *folded)
                if outcome == "broken" and lesson.margin(model(image[None]), label).item() <= 0:
                    return "broken", used
                if outcome == "open":
                    return "open", used
                ties |= outcome == "broken"
                continue
            for end in (0, 1):
                child = [tuple(part.clone() for part in pair) for pair in pairs]
                child[layer][end][neuron] = 0.0
                fresh.append(child)
    return ("open" if waiting else "tie" if ties else "proved"), used
