"""Exercises of lesson 20, a tiny GNoME: the convex hull, distances in a crystal, messages, choosing a batch."""

import itertools
import math

import numpy as np
import torch
from scipy.optimize import linprog

from .form import exercise


def numbers(*shape, seed=0, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@exercise(
    returns="float",
    points=2,
    tolerance=1e-6,
    equivalent_mutants=[
        # linprog's own bounds are 0 and infinity; its result is a float already
        "linprog(energies, A_eq=fractions.T, b_eq=asked, bounds=(0, None)) -> "
        "linprog(energies, A_eq=fractions.T, b_eq=asked) in "
        "mixture = linprog(energies, A_eq=fractions.T, b_eq=asked, bounds=(0, None))",
        "float(mixture.fun) -> mixture.fun in return float(mixture.fun)",
    ],
)
def hull_energy(fractions, energies, asked):
    """Every set of crystals that is just large enough, solved by itself; the lowest energy wins."""
    best = math.inf
    elements = len(asked)
    for size in range(1, elements + 1):
        for chosen in itertools.combinations(range(len(energies)), size):
            part = np.asarray(fractions, float)[list(chosen)].T  # (elements, size)
            weights = np.linalg.lstsq(part, np.asarray(asked, float), rcond=None)[0]
            if np.abs(part @ weights - asked).max() < 1e-9 and weights.min() > -1e-9:
                best = min(best, float(weights @ np.asarray(energies, float)[list(chosen)]))
    return best


@hull_energy.cases
def _():
    def known(elements, seed, extra=5, low=-0.3, high=0.1):
        draw = np.random.default_rng(seed)
        parts = draw.integers(0, 4, (extra, elements)) + np.eye(elements)[draw.integers(0, elements, extra)]
        fractions = np.vstack([np.eye(elements), parts / parts.sum(axis=1, keepdims=True)])
        return fractions, np.r_[np.zeros(elements), draw.uniform(low, high, extra)]

    binary = np.array([[1, 0], [0, 1], [0.5, 0.5]])
    yield "the worked example", binary, np.array([0.0, 0, -0.2]), np.array([0.75, 0.25])
    yield "a crystal of this composition", binary, np.array([0.0, 0, -0.2]), np.array([0.5, 0.5])
    yield "above the line: it does not help", binary, np.array([0.0, 0, 0.2]), np.array([0.5, 0.5])
    yield "a positive energy may help", binary, np.array([0.4, 0.6, 0.1]), np.array([0.5, 0.5])
    yield "a pure element", binary, np.array([0.1, -0.3, -0.2]), np.array([1.0, 0])
    yield "elements that are not zero", binary, np.array([0.4, -0.3, 0.3]), np.array([0.25, 0.75])
    twice = np.array([[1, 0], [0, 1], [0.5, 0.5], [0.5, 0.5]])
    yield "two crystals of one composition", twice, np.array([0.0, 0, -0.1, -0.3]), np.array([0.25, 0.75])
    yield "two elements", *known(2, 0), np.array([0.4, 0.6])
    yield "three elements", *known(3, 1), np.array([0.2, 0.3, 0.5])
    yield "four elements", *known(4, 2), np.array([0.25, 0.25, 0.25, 0.25])
    yield "one element absent", *known(3, 3), np.array([0.5, 0, 0.5])
    yield "all crystals unstable", *known(3, 4, low=0.1, high=0.3), np.array([0.2, 0.2, 0.6])
    yield "one element alone", np.array([[1.0], [1.0]]), np.array([0.2, -0.1]), np.array([1.0])


@hull_energy.usual
def hull_energy(fractions, energies, asked):
    mixture = linprog(energies, A_eq=fractions.T, b_eq=asked, bounds=(0, None))
    return float(mixture.fun)


hull_energy.slip("linprog(energies,", "linprog(-energies,", "the highest").says(
    "you found the mixture of the highest energy, with its sign turned. The hull is the lowest."
)
hull_energy.slip("bounds=(0, None)", "bounds=(0, 1 / 3)", "small shares only").says(
    "a share may be anything from 0 upwards; a single crystal may be all of the mixture."
)
hull_energy.slip("float(mixture.fun)", "float(mixture.x.max())", "a share").says(
    "this is the largest share in the mixture. The energy of the mixture is asked for."
)


@hull_energy.mistake(
    "positive energies left out",
    "you left crystals of positive energy out. The elements may lie higher still, and then such a crystal helps.",
)
def _(fractions, energies, asked):
    kept = np.unique(np.r_[np.arange(fractions.shape[1]), np.flatnonzero(energies < 0)])
    return float(linprog(energies[kept], A_eq=fractions[kept].T, b_eq=asked, bounds=(0, None)).fun)


@hull_energy.mistake("the elements alone", "you mixed the pure elements only. Every known crystal may take part.")
def _(fractions, energies, asked):
    pure = [min(e for f, e in zip(fractions, energies) if f[k] == 1) for k in range(len(asked))]
    return float(np.dot(pure, asked))


@hull_energy.mistake(
    "the closest crystal", "this is the energy of the crystal whose composition is closest. Mixtures are allowed."
)
def _(fractions, energies, asked):
    return float(energies[np.abs(fractions - asked).sum(axis=1).argmin()])


@hull_energy.mistake(
    "the lowest of all", "this is the lowest energy of any crystal. The mixture must have the composition `asked`."
)
def _(fractions, energies, asked):
    return float(np.min(energies))


@hull_energy.mistake(
    "least squares",
    "shares from least squares fit the composition, but nobody asked for the lowest energy, and some may be negative.",
)
def _(fractions, energies, asked):
    return float(np.linalg.lstsq(fractions.T, asked, rcond=None)[0] @ energies)


@hull_energy.mistake(
    "pairs alone",
    "right for two elements. With more, three or four crystals may have to mix: leave the number of parts open.",
)
def _(fractions, energies, asked):
    best = math.inf
    for size in (1, 2):
        for chosen in itertools.combinations(range(len(energies)), size):
            part = fractions[list(chosen)].T
            weights = np.linalg.lstsq(part, asked, rcond=None)[0]
            if np.abs(part @ weights - asked).max() < 1e-9 and weights.min() > -1e-9:
                best = min(best, float(weights @ energies[list(chosen)]))
    return best if math.isfinite(best) else 0.0


@exercise(
    returns="float tensor (atoms, atoms, images)",
    points=2,
    no_gradient="the distance of an atom from itself has no slope, and the graph is built once",
)
def image_distances(positions, cell, reach):
    """Pair by pair and image by image."""
    table = []
    for here in positions:
        rows = []
        for there in positions:
            row = []
            for a in range(-reach, reach + 1):
                for b in range(-reach, reach + 1):
                    for c in range(-reach, reach + 1):
                        image = there + a * cell[0] + b * cell[1] + c * cell[2]
                        row.append((image - here).square().sum().sqrt())
            rows.append(torch.stack(row))
        table.append(torch.stack(rows))
    return torch.stack(table)


@image_distances.cases
def _():
    skewed = torch.tensor([[2.0, 0, 0], [0.5, 3, 0], [0.1, 0.7, 2.5]])
    yield "the worked example", torch.zeros(1, 3), torch.diag(torch.tensor([2.0, 3, 4])), 1
    yield "two atoms in a cube", torch.tensor([[0.0, 0, 0], [1, 1, 1]]), 2 * torch.eye(3), 1
    yield "three atoms in a skewed cell", numbers(3, 3), skewed, 1
    yield "one image further", numbers(2, 3, seed=1), skewed, 2
    yield "no images", numbers(4, 3, seed=2), skewed, 0
    yield "atoms outside of the cell", numbers(2, 3, seed=3, scale=5.0), skewed, 1


@image_distances.usual
def image_distances(positions, cell, reach):
    steps = torch.arange(-reach, reach + 1, dtype=cell.dtype)
    shifts = torch.cartesian_prod(steps, steps, steps) @ cell  # (images, 3)
    apart = positions[None, :] - positions[:, None]  # (i, j, 3): from i to j
    return (apart[:, :, None] + shifts).norm(dim=-1)


image_distances.slip("steps) @ cell", "steps) @ cell.T", "columns of the cell").says(
    "the cell's vectors are its rows: a step (a, b, c) is a row of three numbers times the cell."
)
image_distances.slip("@ cell  #", "* cell.norm(dim=1)  #", "a box").says(
    "you shifted along x, y and z by the lengths of the vectors. They may be skewed: add whole vectors."
)
image_distances.slip(
    "positions[None, :] - positions[:, None]", "positions[:, None] - positions[None, :]", "j to i"
).says("image s of j seen from i: yours is the image of i seen from j, so the images come in the opposite order.")
image_distances.slip("torch.arange(-reach, reach + 1", "torch.arange(-reach, reach", "last image missing").says(
    "the images on one side are missing: the steps run from -reach to +reach, both included."
)
image_distances.slip("torch.arange(-reach, reach + 1", "torch.arange(0, reach + 1", "one side only").says(
    "images on one side only: a neighbour may stand in a cell at a negative step as well."
)
image_distances.slip("norm(dim=-1)", "square().sum(dim=-1)", "squares").says(
    "these are squared distances. Take the root."
)
image_distances.slip("norm(dim=-1)", "abs().sum(dim=-1)", "along the axes").says(
    "these are steps along x, y and z added up. A distance is the root of the sum of squares."
)


@image_distances.mistake(
    "c slowest",
    "the images come in another order: the step along the first vector is the slowest, the last the fastest.",
)
def _(positions, cell, reach):
    steps = torch.arange(-reach, reach + 1, dtype=cell.dtype)
    shifts = torch.cartesian_prod(steps, steps, steps).flip(1) @ cell
    apart = positions[None, :] - positions[:, None]
    return (apart[:, :, None] + shifts).norm(dim=-1)


@image_distances.mistake(
    "without itself", "the image (0, 0, 0) is missing. It counts as well: an atom's distance from itself is 0."
)
def _(positions, cell, reach):
    steps = torch.arange(-reach, reach + 1, dtype=cell.dtype)
    shifts = torch.cartesian_prod(steps, steps, steps)
    shifts = shifts[shifts.abs().sum(dim=1) > 0] @ cell
    apart = positions[None, :] - positions[:, None]
    return (apart[:, :, None] + shifts).norm(dim=-1)


@image_distances.mistake(
    "the closest image alone",
    "you kept the closest image of each atom. In a small cell several images are neighbours: return all of them.",
)
def _(positions, cell, reach):
    steps = torch.arange(-reach, reach + 1, dtype=cell.dtype)
    shifts = torch.cartesian_prod(steps, steps, steps) @ cell
    apart = positions[None, :] - positions[:, None]
    return (apart[:, :, None] + shifts).norm(dim=-1).amin(dim=-1)


@exercise(returns="float tensor (atoms, width)", points=2)
def pass_messages(h, near, to, source, count, message, update):
    """Atom by atom and edge by edge."""
    rows = []
    for atom in range(len(h)):
        total = torch.zeros_like(h[atom])
        for edge in range(len(to)):
            if to[edge] == atom:
                seen = torch.cat([h[atom], h[source[edge]], near[edge]])
                total = total + count[edge] * message(seen[None])[0]
        rows.append(h[atom] + update(torch.cat([h[atom], total])[None])[0])
    return torch.stack(rows)


class _Layer(torch.nn.Module):
    """A linear layer and a bend, with weights from a seed."""

    def __init__(self, inputs, outputs, seed):
        super().__init__()
        self.weight = numbers(inputs, outputs, seed=seed, scale=inputs**-0.5)
        self.bias = numbers(outputs, seed=seed + 1)

    def forward(self, x):
        return torch.sin(x @ self.weight.to(x.dtype) + self.bias.to(x.dtype))


@pass_messages.cases
def _():
    def some(atoms, edges, seed, width=3, shells=2):
        draw = torch.Generator().manual_seed(seed)
        to, source = torch.randint(atoms, (2, edges), generator=draw)
        count = torch.randint(1, 9, (edges,), generator=draw).float()
        parts = numbers(atoms, width, seed=seed + 1), numbers(edges, shells, seed=seed + 2)
        return *parts, to, source, count, _Layer(2 * width + shells, width, seed), _Layer(2 * width, width, seed + 5)

    def half(x):
        return x[:, :1] / 2 + x[:, 1:2]

    two = torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1), torch.tensor([0, 1]), torch.tensor([1, 0])
    yield "the worked example", *two, torch.tensor([2.0, 1.0]), half, lambda x: x[:, 1:]
    yield "three atoms, ten edges", *some(3, 10, 0)
    yield "one atom, its own images", *some(1, 4, 10)
    yield "many atoms, few edges: some hear nothing", *some(8, 5, 20)
    yield "no edges", *some(3, 0, 30)
    yield "wide features", *some(4, 12, 40, width=6, shells=5)


@pass_messages.usual
def pass_messages(h, near, to, source, count, message, update):
    heard = message(torch.cat([h[to], h[source], near], dim=1)) * count[:, None]
    total = torch.zeros_like(h).index_add(0, to, heard)
    return h + update(torch.cat([h, total], dim=1))


pass_messages.slip("index_add(0, to, heard)", "index_add(0, source, heard)", "sent back").says(
    "each message came back to the atom that sent it. Sum at `to`, the atom that hears."
)
pass_messages.slip("[h[to], h[source], near]", "[h[source], h[to], near]", "hearer and sender swapped").says(
    "hearer and sender changed places in the message: first h[to], then h[source]."
)
pass_messages.slip(" * count[:, None]", "", "counts ignored").says(
    "an edge stands for `count` equal neighbours: its message counts that many times."
)
pass_messages.slip("return h + update", "return update", "no way around").says(
    "the old features are gone. The update is added to them."
)
pass_messages.slip("update(torch.cat([h, total], dim=1))", "update(torch.cat([total, h], dim=1))", "total first").says(
    "the update takes first the atom's own features, then the total."
)
pass_messages.slip("torch.zeros_like(h).index_add", "h.index_add", "the sum begins with h").says(
    "the sum of messages begins at 0, not at the atom's own features: who hears nothing has the sum 0."
)


@pass_messages.mistake(
    "the last message wins",
    "where an atom hears several messages, only one of them arrived: assigning by index overwrites. Add them up.",
)
def _(h, near, to, source, count, message, update):
    heard = message(torch.cat([h[to], h[source], near], dim=1)) * count[:, None]
    total = torch.zeros_like(h).index_copy(0, to, heard)
    return h + update(torch.cat([h, total], dim=1))


@pass_messages.mistake("mean for sum", "the messages are averaged. Here they are summed, `count` times each.")
def _(h, near, to, source, count, message, update):
    heard = message(torch.cat([h[to], h[source], near], dim=1)) * count[:, None]
    total = torch.zeros_like(h).index_add(0, to, heard)
    parts = torch.zeros(len(h), dtype=h.dtype).index_add(0, to, count.to(h.dtype)).clamp_min(1)
    return h + update(torch.cat([h, total / parts[:, None]], dim=1))


@exercise(
    returns="list of ints",
    points=1,
    # a group that was never taken is below `each` either way
    equivalent_mutants=["0 -> -1 in for place in np.argsort(scores, kind='stable'):"],
)
def choose(scores, groups, size, each):
    chosen = []
    for place in sorted(range(len(scores)), key=lambda k: (float(scores[k]), k)):
        same = [other for other in chosen if int(groups[other]) == int(groups[place])]
        if len(chosen) < size and len(same) < each:
            chosen.append(place)
    return chosen


@choose.cases
def _():
    draw = np.random.default_rng(0)
    yield "the worked example", np.array([0.3, 0.1, 0.2, 0.15]), np.array([0, 1, 0, 1]), 2, 1
    yield "two a group", np.array([0.3, 0.1, 0.2, 0.15]), np.array([0, 1, 0, 1]), 3, 2
    yield "groups run out", np.array([0.5, 0.4, 0.3]), np.array([2, 2, 2]), 3, 1
    yield "more asked than there is", np.array([0.5, 0.4]), np.array([0, 1]), 5, 3
    yield "equal scores: the first", np.array([0.2, 0.1, 0.1, 0.1, 0.2]), np.array([0, 1, 2, 1, 3]), 3, 1
    yield "many equal scores", np.repeat([0.2, 0.1, 0.3], 40), np.arange(120) % 23, 60, 3
    yield "nothing asked", np.array([0.1, 0.2]), np.array([0, 1]), 0, 1
    yield "nothing there", np.zeros(0), np.zeros(0, int), 3, 1
    yield "forty crystals of nine compositions", draw.normal(size=40), draw.integers(0, 9, 40), 12, 2
    yield "negative scores", -draw.random(12), draw.integers(0, 3, 12), 6, 3


@choose.usual
def choose(scores, groups, size, each):
    chosen, taken = [], {}
    for place in np.argsort(scores, kind="stable"):
        group = groups[place]
        if len(chosen) < size and taken.get(group, 0) < each:
            chosen.append(place)
            taken[group] = taken.get(group, 0) + 1
    return chosen


choose.slip("np.argsort(scores,", "np.argsort(-scores,", "the highest").says(
    "you took the highest scores. A score is an energy above the hull: lower is better."
)
choose.slip(" and taken.get(group, 0) < each", "", "groups ignored").says(
    "some group was taken from more than `each` times."
)
choose.slip("taken.get(group, 0) < each", "taken.get(group, 0) <= each", "one too many").says(
    "a group may be taken from `each` times; you allow one more."
)
choose.slip("len(chosen) < size and", "len(chosen) <= size and", "batch too large").says(
    "the batch has one place more than `size`."
)


@choose.mistake(
    "cut, then filtered",
    "you took the best `size` first and dropped the crowded groups after. Then the batch is too small: go on down "
    "the list until it is full.",
)
def _(scores, groups, size, each):
    chosen, taken = [], {}
    for place in np.argsort(scores, kind="stable").tolist()[:size]:
        group = int(groups[place])
        if taken.get(group, 0) < each:
            chosen.append(place)
            taken[group] = taken.get(group, 0) + 1
    return chosen


@choose.mistake("in order of place", "right places, sorted by place. Return them best first.")
def _(scores, groups, size, each):
    chosen, taken = [], {}
    for place in np.argsort(scores, kind="stable").tolist():
        group = int(groups[place])
        if len(chosen) < size and taken.get(group, 0) < each:
            chosen.append(place)
            taken[group] = taken.get(group, 0) + 1
    return sorted(chosen)
