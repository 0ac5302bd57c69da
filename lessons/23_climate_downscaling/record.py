"""What lesson 23 records: scores of all methods on the held-out south, by seed, and forests found, by seed."""

import torch

SETTINGS = {
    "seeds": [3, 4, 5, 6],
    "days": 400,
    "patches": 96,
    "members": 16,
    "tree_cells": 300_000,
    "short_steps": 500,
    "steps": 2000,
    "noise_steps": 3000,
    "forest_places": 600,
    "forest_steps": 1200,
}
QUICK = {
    "seeds": [3],
    "days": 2,
    "patches": 3,
    "members": 2,
    "tree_cells": 500,
    "short_steps": 1,
    "steps": 2,
    "noise_steps": 2,
    "forest_places": 20,
    "forest_steps": 2,
}
TREE_ROUNDS = 300
FOREST_CELLS, FOREST_ROUNDS = 200_000, 200


def measure(
    lesson, *, seeds, days, patches, members, tree_cells, short_steps, steps, noise_steps, forest_places, forest_steps
):
    """Scores {method: {score: (seeds,)}}, fields of one patch, and the forest's F1, areas and intervals."""
    runs, shown, forests = [], None, []
    for seed in seeds:
        made, truth = _fields(lesson, seed, days, patches, members, tree_cells, short_steps, steps, noise_steps)
        runs.append({name: lesson.scores(fields, truth) for name, fields in made.items()})
        if shown is None:
            shown = _one_patch(made, truth)
        forests.append(_forest(lesson, seed, forest_places, forest_steps))
    return {
        "scores": {
            name: {score: [_short(run[name][score]) for run in runs] for score in runs[0][name]} for name in runs[0]
        },
        "shown": shown,
        "forest": {
            name: {score: [_short(run[name][score]) for run in forests] for score in forests[0][name]}
            for name in forests[0]
        },
    }


def _fields(lesson, seed, days, patches, members, tree_cells, short_steps, steps, noise_steps):
    north, new = lesson.mornings(days, seed), lesson.mornings(max(days // 4, 1), 1000 + seed)
    truth, z = lesson.draw(new, lesson.SOUTH, patches, torch.Generator().manual_seed(seed))
    coarse = lesson.coarsen(truth)
    mean = lesson.train_mean(north, seed, steps)
    short = lesson.train_mean(north, seed, short_steps)
    foreign = lesson.train_mean(north, seed, steps, foreign=True)
    trees = lesson.plant_trees(north, seed, tree_cells, TREE_ROUNDS)
    quantiles = lesson.train_quantiles(north, seed, steps)
    noise = lesson.train_noise(north, mean, seed, noise_steps)
    blind = lesson.train_noise(north, mean, seed, noise_steps, blind=True)
    field, left = lesson.refine(mean, coarse, z), lesson.left_open(north, mean, seed)
    single = {
        "bicubic": lesson.match_blocks(lesson.enlarge(coarse), coarse),
        "lapse rate": lesson.by_lapse(coarse, z),
        "regression": lesson.by_regression(coarse, z),
        "trees": lesson.by_trees(trees, coarse, z),
        "CNN": field,
        "CNN, a quarter of the steps": lesson.refine(short, coarse, z),
        "CNN, wrong heights": lesson.refine(foreign, coarse, z.roll(1, 0)),
    }
    made = {name: one[None] for name, one in single.items()}
    made["CNN + leftovers"] = lesson.dressed(field, left, members, seed)
    made["quantiles + texture"] = lesson.textured(quantiles, coarse, z, left, members, seed)
    made["diffusion"] = lesson.sample(noise, mean, coarse, z, members, seed)
    made["diffusion, blind"] = lesson.sample(blind, mean, coarse, z, members, seed, blind=True)
    return made, truth


def _one_patch(made, truth):
    """Fields of the patch on which the diffusion model's members differ most."""
    patch = made["diffusion"].var(0).mean((1, 2, 3)).argmax().item()
    fields = {"truth": truth[patch, 0]}
    fields |= {name: made[name][0, patch, 0] for name in ("bicubic", "trees", "CNN", "quantiles + texture")}
    fields |= {f"member {k + 1}": made["diffusion"][k, patch, 0] for k in range(2)}
    return {name: [[round(value, 2) for value in row] for row in field.tolist()] for name, field in fields.items()}


def _forest(lesson, seed, count, steps):
    photos, lost = lesson.places(count, seed)
    (tuning, tuning_lost), (new, truth) = lesson.places(count // 4, 1000 + seed), lesson.places(count // 2, 2000 + seed)
    scorers = {
        "greenness": lesson.drop,
        "trees": lesson.forest_trees(photos, lost, seed, FOREST_CELLS, FOREST_ROUNDS),
        "U-Net": lesson.forest_unet(photos, lost, seed, steps),
        "U-Net, wrong labels": lesson.forest_unet(photos, lost, seed, steps, wrong=True),
    }
    found = {name: scorer(new) > lesson.best_threshold(scorer(tuning), tuning_lost) for name, scorer in scorers.items()}
    return {
        name: {
            "F1": lesson.f1(mask, truth),
            "area": (mask.sum() / truth.sum()).item(),
            "behind the U-Net": lesson.f1_gain(found["U-Net"], mask, truth),
        }
        for name, mask in found.items()
    }


def _short(value):
    return [_short(each) for each in value] if isinstance(value, list) else float(f"{value:.4g}")
