"""What lesson 19 records: rivals tuned on other families, the network's ablations, and all of them on the exam."""

import time

import torch
from sklearn.ensemble import HistGradientBoostingRegressor
from tinyfrontier.beside.lesson_19.agreement import agreement
from tinyfrontier.beside.lesson_19.coupling import direct_coupling
from torch import nn
from torch.nn import functional as F

from tinyfrontier.models.folding import Block, relaxed
from tinyfrontier.pretrained import load_folding
from tinyfrontier.pretrained.folding.recipe import SIZES, school, train

SETTINGS = {
    "seeds": [0, 1, 2],
    "families": 160,
    "picking": 10,
    "exam": 20,
    "trees": [[30, 31], [100, 31], [300, 31]],
    "pseudocounts": [0.5, 0.8, 0.9, 0.95, 0.98],
    "steps": 1400,
    "longer": 2100,
}
QUICK = {
    "seeds": [0],
    "families": 2,
    "picking": 1,
    "exam": 1,
    "trees": [[2, 3]],
    "pseudocounts": [0.95],
    "steps": 1,
    "longer": 1,
}
ENDINGS = "scaled", "relaxed", "descended"
SCORES = "rmsd", "start", "lddt", "trust", "expected", "hits"
SHARE = 0.16  # of the pairs of a quarter of the families at each depth, for the trees to learn from


def around(scores):
    """Scores (n, length, length) of a pair and of the pairs around it, 5 by 5: (n, length, length, 25)."""
    length, wide = scores.shape[-1], F.pad(scores, (2, 2, 2, 2))
    return torch.stack([wide[:, a : a + length, b : b + length] for a in range(5) for b in range(5)], -1)


def read(lesson, letters, rival):
    """What a rival reads of each pair, (n, length, length, columns)."""
    features = lesson.pair_features(letters)
    direct = around(direct_coupling(letters))
    if rival == "direct coupling":
        return torch.cat([direct, features[..., 96:113], features[..., -1:]], -1)  # couplings, steps apart, depth
    n, length = letters.shape[0], letters.shape[2]
    hot = F.one_hot(letters, lesson.LETTERS).float()
    near = F.pad(torch.cat([hot[:, 0], hot.mean(1)], -1), (0, 0, 2, 2))
    near = torch.cat([near[:, shift : shift + length] for shift in (0, 1, 3, 4)], -1)
    sides = [near.unsqueeze(axis).expand(n, length, length, -1) for axis in (2, 1)]
    return torch.cat([around(10 * lesson.information(letters)), direct, features, *sides], -1)


def column_windows(lesson, letters):
    """Letters and frequencies of four columns in a row: (n, length - 3, 64)."""
    hot = F.one_hot(letters, lesson.LETTERS).float()
    own = torch.cat([hot[:, 0], hot.mean(1)], -1)
    return torch.cat([own[:, shift : own.shape[1] - 3 + shift] for shift in range(4)], -1)


def grown(rows, wanted, seed, rounds, leaves):
    """Boosted trees from rows (n, columns) to wanted (n,)."""
    trees = HistGradientBoostingRegressor(
        max_iter=rounds, max_leaf_nodes=leaves, learning_rate=0.1, early_stopping=False, random_state=seed
    )
    return trees.fit(rows.numpy(), wanted.numpy())


def by_trees(trees, table):
    """Distances (n, length, length) that trees guess from a table (n, length, length, columns)."""
    guess = torch.from_numpy(trees.predict(table.flatten(0, 2).numpy())).float().view(table.shape[:3])
    return (guess + guess.mT) / 2 * (1 - torch.eye(guess.shape[1]))


def geometry(lesson, distances):
    """What triangles and space make of guessed distances (n, length, length): (n, length, length, 29)."""
    far = distances + 1e3 * torch.eye(distances.shape[1])
    detour = (far[:, :, None] + far[:, None]).amin(-1)  # i to j over the best third residue
    gap = (distances[:, :, None] - distances[:, None]).abs()  # (n, i, j, third)
    gap.diagonal(0, 1, 3).zero_()
    gap.diagonal(0, 2, 3).zero_()
    flat = lesson.scaled(distances)
    shapes = [lesson.between(each) for each in (flat, relaxed(flat, distances))]
    return torch.cat([around(distances), torch.stack([detour, gap.amax(-1), *shapes], -1)], -1)


def learn(lesson, families, rival, seed, sizes):
    """For each size: trees that guess distances, trees that guess windings, trees that guess distances again or none.

    From families of all lengths and depths. The rival "trees" guesses twice: the second time it sees other families,
    and what triangles and space make of its first guesses.
    """
    if rival == "trees":
        halves = [{n: tuple(part[k::2] for part in parts) for n, parts in families.items()} for k in (0, 1)]
        first, winds, _ = learn(lesson, halves[0], "trees once", seed, [[100, 31]])[0]
        return [(first, winds, each[0]) for each in learn(lesson, halves[1], first, seed, sizes)]
    generator, rows, gaps, columns, winds = torch.Generator().manual_seed(seed), [], [], [], []
    for length, (places, letters) in families.items():
        upper = torch.triu_indices(length, length, 1)
        for depth in (1, 2, 4, 8, 16, 32, 64, 128):
            part = torch.randperm(len(places), generator=generator)[: (len(places) + 3) // 4]
            some = letters[part][:, torch.randperm(letters.shape[1], generator=generator)[:depth]]
            kept = torch.rand(len(part), upper.shape[1], generator=generator) < SHARE
            table = read(lesson, some, rival)
            if not isinstance(rival, str):
                table = torch.cat([table, geometry(lesson, by_trees(rival, table))], -1)
            rows.append(table[:, *upper][kept])
            gaps.append(lesson.between(places[part])[:, *upper][kept].clamp(max=24))
            columns.append(column_windows(lesson, some).flatten(0, 1))
            winds.append(lesson.winding(places[part]).flatten())
    rows, gaps, turns = torch.cat(rows), torch.cat(gaps), grown(torch.cat(columns), torch.cat(winds), seed, 100, 31)
    return [(grown(rows, gaps, seed, *size), turns, None) for size in sizes]


def descended(distances, places, steps=150):
    """Places that fit the distances better, near ones most, with bonds of their length: gradient descent."""
    weight = 1 / distances.clamp(min=3).square()
    places = places.clone().requires_grad_()
    adam = torch.optim.Adam([places], lr=0.2)
    for _ in range(steps):
        now = ((places[:, :, None] - places[:, None]).square().sum(-1) + 1e-4).sqrt()
        bonds = now.diagonal(1, 1, 2) - 3.8
        misfit = 10 * ((now - distances).square() * weight).mean((1, 2)).sum() + 0.3 * bonds.square().sum()
        adam.zero_grad()
        misfit.backward()
        adam.step()
    return places.detach()


def rival_folds(lesson, learnt, rival, letters):
    """Guessed distances (n, length, length), and folds by how they end, the hand picked by windings."""
    table = read(lesson, letters, rival)
    distances = by_trees(learnt[0], table)
    if learnt[2]:
        distances = by_trees(learnt[2], torch.cat([table, geometry(lesson, distances)], -1))
    columns = column_windows(lesson, letters)
    winds = torch.from_numpy(learnt[1].predict(columns.flatten(0, 1).numpy())).float().view(columns.shape[:2])
    start = lesson.scaled(distances)
    near = relaxed(start, distances)
    left = (lesson.winding(near) * winds).sum(1) < 0
    start, near = (each * torch.where(left, -1.0, 1.0)[:, None, None] for each in (start, near))
    return distances, {"scaled": start, "relaxed": near, "descended": descended(distances, near)}


def mean(values):
    """Mean of a list of tensors' entries, as it is stored."""
    return round(float(torch.cat([value.flatten() for value in values]).mean()), 4)


def rival_scores(lesson, learnt, rival, families):
    """By depth: precision of contacts, and by ending RMSD, lDDT and RMSD of the better hand."""
    found = {"hits": [], "rmsd": {}, "lddt": {}, "either hand": {}}
    for depth in lesson.DEPTHS:
        folds = {
            length: rival_folds(lesson, learnt, rival, letters[:, :depth]) for length, (_, letters) in families.items()
        }
        true = {length: places for length, (places, _) in families.items()}
        found["hits"].append(mean([lesson.precision(-folds[n][0], true[n]) for n in true]))
        for ending in ENDINGS:
            pairs = [(folds[n][1][ending], true[n]) for n in true]
            rows = {
                "rmsd": [lesson.rmsd(*pair) for pair in pairs],
                "lddt": [lesson.lddt(*pair) for pair in pairs],
                "either hand": [torch.minimum(lesson.rmsd(x, y), lesson.rmsd(-x, y)) for x, y in pairs],
            }
            for name, values in rows.items():
                found[name].setdefault(ending, []).append(mean(values))
    return found


def network_scores(lesson, net, families, mixed=False):
    """By depth: RMSD, of the first shape and of the better hand, lDDT and guesses of it, precision; and `agreement`.

    `trust by hand`: mean pLDDT of chains with the right hand and, beneath, of those with the wrong one; null if none.
    """
    tests = {depth: lesson.judge(net, depth, mixed, families) for depth in lesson.DEPTHS}
    found = {name: [mean(test[name]) for test in tests.values()] for name in SCORES}
    offs = [[torch.cat(test[name]) for name in ("rmsd", "mirror")] for test in tests.values()]
    found["either hand"] = [mean([torch.minimum(*pair)]) for pair in offs]
    sure = [torch.cat([each.mean(1) for each in test["trust"]]) for test in tests.values()]
    wrong = [mirror < rmsd - 0.5 for rmsd, mirror in offs]
    found["trust by hand"] = [
        [mean([x[part]]) if part.any() else None for x, part in zip(sure, parts, strict=True)]
        for parts in ([~each for each in wrong], wrong)
    ]
    found["agreement"] = {name: round(value, 4) for name, value in agreement(tests).items()}
    within = [agreement({depth: test}) for depth, test in tests.items()]
    found["within"] = {name: [round(each[name], 4) for each in within] for name in within[0] if name != "depth"}
    return found


class Convolution(nn.Module):
    """Each pair hears of the pairs around it on the map, with about as many parameters as a triangle update has."""

    def __init__(self, width, middle, dilation):
        super().__init__()
        self.norm, self.look = nn.LayerNorm(width), nn.Conv2d(width, middle, 3, padding=dilation, dilation=dilation)
        self.leave = nn.Linear(middle, width)

    def forward(self, z):
        """What is to be added to pairs (n, length, length, width)."""
        return self.leave(self.look(self.norm(z).permute(0, 3, 1, 2)).relu().permute(0, 2, 3, 1))


def convolution(block, place):
    """A convolution for each triangle update, reaching further and further."""
    return Convolution(SIZES["width"], 12, (1, 2, 3, 5)[2 * block + place])


def alone(block, place):
    """For each triangle update a layer that leaves each pair alone, with about as many parameters."""
    return Block(SIZES["width"]).parts[2]


def prices(learning, kinds, steps, rounds=3):
    """CPU seconds that a step of each kind of network takes, the least of some rounds in turn."""
    spent = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, instead in kinds.items():
            began = time.process_time()
            train(learning, steps, 0, instead=instead)
            spent[name].append((time.process_time() - began) / steps)
    return {name: round(min(each), 4) for name, each in spent.items()}


def tuned(lesson, learning, other, rival, trees):
    """What trees of each size reach on other families, a mean over depths: RMSD and lDDT by ending."""
    tried = []
    for learnt in learn(lesson, learning, rival, 9, trees):
        scores = rival_scores(lesson, learnt, rival, other)
        tried.append(
            {
                name: {ending: round(sum(row) / len(row), 4) for ending, row in scores[name].items()}
                for name in ("rmsd", "lddt")
            }
        )
    return tried


def kept(tried, trees):
    """The size of trees with the least RMSD, and its best ending for each score."""
    rows = [min(each["rmsd"].values()) for each in tried]
    best = tried[rows.index(min(rows))]
    return {
        "size": trees[rows.index(min(rows))],
        "rmsd": min(best["rmsd"], key=best["rmsd"].get),
        "lddt": max(best["lddt"], key=best["lddt"].get),
    }


def measure(lesson, *, seeds, families, picking, exam, trees, pseudocounts, steps, longer):
    """Scores by depth, a row a seed: of networks, of the networks' ablations, of rivals; and what was tried.

    `tried`, on other families: scores of trees by size, precision of couplings by pseudocount; `kept` what was picked.
    Without triangles a network has the same steps; with convolutions it has `longer`, about the same time.
    """
    learning, other = school(1, families), school(500, picking)
    held = {length: tuple(part[:exam] for part in parts) for length, parts in lesson.EXAM.items()}
    found = {"tried": {"pseudocounts": []}, "kept": {}, "cpu_seconds": {}}
    for share in pseudocounts:
        pairs = [(y, x[:, :depth]) for y, x in other.values() for depth in lesson.DEPTHS[1:]]
        rows = [lesson.precision(direct_coupling(x, share), y) for y, x in pairs]
        found["tried"]["pseudocounts"].append(mean(rows))
    for rival in ("direct coupling", "trees"):
        found["tried"][rival] = tuned(lesson, learning, other, rival, trees)
        found["kept"][rival] = kept(found["tried"][rival], trees)
        size, began = found["kept"][rival]["size"], time.process_time()
        learnt = [learn(lesson, learning, rival, seed, [size])[0] for seed in seeds]
        found["cpu_seconds"][rival] = round((time.process_time() - began) / len(seeds), 1)  # of one
        found[rival] = [rival_scores(lesson, each, rival, held) for each in learnt]
    found["network"] = [network_scores(lesson, load_folding(n), held) for n in seeds]
    found["shuffled"] = [network_scores(lesson, load_folding(n, shuffled=True), held, mixed=True) for n in seeds]
    found["whole, read shuffled"] = [network_scores(lesson, load_folding(n), held, mixed=True) for n in seeds]
    kinds = {"no triangles": (alone, steps), "convolutions": (convolution, longer)}
    layers = {"network": None, **{name: instead for name, (instead, _) in kinds.items()}}
    found["cpu_seconds"]["step"] = prices(learning, layers, min(steps, 15))
    for name, (instead, long) in kinds.items():
        nets = [train(learning, long, n, instead=instead)[0] for n in seeds]
        found[name] = [network_scores(lesson, net, held) for net in nets]
    return found
