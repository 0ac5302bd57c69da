"""What lesson 21 records: errors of logP, designs by method, guidance at four strengths, designs in equal time."""

import math
import time

import torch
from rdkit import Chem, RDLogger
from rdkit.Chem import Crippen

from tinyfrontier.pretrained import load_molecules, molecule_set
from tinyfrontier.pretrained.molecules.recipe import halves

SETTINGS = {
    "seeds": [3, 4, 5, 6, 7],
    "sizes": [50, 200, 1000],
    "property_steps": 600,
    "draws": 400,
    "networks": 3,
    "short_steps": 600,
    "jitters": [0.0, 0.02, 0.05],
    "changes": [0.0, 0.1, 0.2, 0.4, 0.7],
}
QUICK = {
    "seeds": [3],
    "sizes": [50],
    "property_steps": 2,
    "draws": 5,
    "networks": 1,
    "short_steps": 2,
    "jitters": [0.02],
    "changes": [0.2],
}
TUNING = 100  # the seed on which settings are picked
SCORES = ("stable", "validity", "uniqueness", "novelty", "designs", "hidden", "wanted", "logp")


def measure(lesson, *, seeds, sizes, property_steps, draws, networks, short_steps, jitters, changes):
    """`property` errors (seeds, sizes) by method; scores by method, one a run: networks times seeds, or seeds."""
    RDLogger.DisableLog("rdApp.*")  # it reports each molecule that it refuses
    smiles, elements, positions = molecule_set()
    molecules = [Chem.MolFromSmiles(text) for text in smiles]
    log_p = torch.tensor([Crippen.MolLogP(molecule) for molecule in molecules]).float()
    learn, kept = halves(len(smiles))
    known, hidden = ({smiles[i] for i in half} for half in (learn, kept))
    rich = learn[log_p[learn] >= lesson.WANTED]
    kinds = torch.nn.functional.one_hot(elements, 4).float()
    value = (log_p - log_p[learn].mean()) / log_p[learn].std()

    def in_space(made):
        names, stable = lesson.read_molecules(*made)
        return names, stable

    def score(names, stable=1.0):
        return {"stable": stable} | lesson.tally(names, known, hidden)

    def shaken(seed, some, jitter, change, count=draws):
        return in_space(lesson.perturbed(count, seed, some, elements, positions, jitter, change))

    def texts(some):
        return [smiles[i] for i in some]

    grid = [(jitter, change) for jitter in jitters for change in changes]
    picked = {
        goal: max(grid, key=lambda pair: score(*shaken(TUNING, some, *pair))[column])
        for goal, some, column in (("design", learn, "designs"), ("steering", rich, "wanted"))
    }
    shapes = positions[learn], kinds[learn], value[learn]
    shipped = [load_molecules(number) for number in range(networks)]
    short, shuffled = (
        [lesson.short_denoiser(*shapes, number, short_steps, mixed)[0] for number in range(networks)]
        for mixed in (False, True)
    )

    def drawn(models, strength=0.0, times=1, these=seeds):
        makers = [(model, seed) for model in models for seed in these]
        return [score(*in_space(lesson.sample(model, times * draws, seed, strength))) for model, seed in makers]

    guidance = {f"strength {s}": drawn(shipped, s) for s in lesson.STRENGTHS}
    methods = {
        "random atoms": [score(*in_space(lesson.random_atoms(draws, s, learn, elements, positions))) for s in seeds],
        "600 steps, shuffled": drawn(shuffled),
        "600 steps": drawn(short),
        "perturbed": [score(*shaken(s, learn, *picked["design"])) for s in seeds],
        "diffusion": guidance["strength 0"],
        "graph edits": [score(lesson.edited(draws, s, texts(learn))) for s in seeds],
    }
    tried = {s: drawn(shipped[:1], s, these=[TUNING])[0]["wanted"] for s in lesson.STRENGTHS if s}
    best = f"strength {max(tried, key=tried.get)}"
    twice = drawn(shipped, times=2)
    shaken_twice = [score(*shaken(s, rich, *picked["steering"], 2 * draws)) for s in seeds]
    edited_twice = [score(lesson.edited(2 * draws, s, texts(rich))) for s in seeds]
    alone = drawn(shipped, 1.0, times=2)
    for run in twice + alone + shaken_twice + edited_twice:
        run["wanted"] *= 2  # a guided draw asks the network twice, so these may try twice
    steering = {
        "twice the draws": twice,
        "guided": guidance[best],
        "wish alone": alone,
        "perturbed wanted": shaken_twice,
        "edited wanted": edited_twice,
    }
    seconds, equal_time = {}, {name: [] for name in ("diffusion", "perturbed", "graph edits")}
    for seed in seeds:
        makers = {
            "diffusion": lambda seed: in_space(lesson.sample(shipped[0], draws, seed))[0],
            "perturbed": lambda seed: shaken(seed, learn, *picked["design"])[0],
            "graph edits": lambda seed: lesson.edited(draws, seed, texts(learn)),
        }
        limit = math.inf
        for name, maker in makers.items():
            found, began, turns = set(), time.process_time(), 0
            while turns == 0 or (name != "diffusion" and time.process_time() - began < limit):
                found |= set(maker(1000 * seed + turns)) & hidden
                turns += 1
            took = time.process_time() - began
            limit = took if name == "diffusion" else limit
            seconds.setdefault(name, []).append(took / turns / draws)
            equal_time[name].append(len(found))
    return {
        "property": _errors(lesson, molecules, kinds, log_p, learn, kept, sizes, seeds, property_steps),
        "methods": {name: _columns(runs) for name, runs in methods.items()},
        "guidance": {name: _columns(runs) for name, runs in guidance.items()},
        "steering": {name: _columns(runs) for name, runs in steering.items()},
        "picked": {goal: list(pair) for goal, pair in picked.items()} | {"strength": best},
        "cpu_seconds": {
            "a draw": {name: _short(sum(row) / len(row)) for name, row in seconds.items()},
            "found in equal time": equal_time,
        },
    }


def _errors(lesson, molecules, kinds, log_p, learn, kept, sizes, seeds, steps):
    """Mean errors (seeds, sizes) by method."""
    races = [
        [lesson.property_race(molecules, kinds, log_p, learn, kept, size, seed, steps) for size in sizes]
        for seed in seeds
    ]
    return {name: [[_short(race[name]) for race in row] for row in races] for name in races[0][0]}


def _columns(runs):
    """A list of scores by name as lists by name."""
    return {name: [_short(run[name]) for run in runs] for name in SCORES}


def _short(number):
    return float(f"{number:.4g}")
