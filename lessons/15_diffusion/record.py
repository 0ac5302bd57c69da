"""What lesson 15 records: ten draws of the rivals, networks of three lengths of training, samplers and guidance."""

import torch

SETTINGS = {
    "draws": list(range(10)),
    "seeds": [0, 1, 2, 3, 4],
    "steps": 500,
    "longer_seeds": [0, 1, 2, 3, 4],
    "longer_steps": 2000,
    "longest_seeds": [0, 1, 2, 3, 4],
    "longest_steps": 4000,
    "sampler_steps": 100,
    "counts": [5, 10, 25, 100],
    "scales": [1.0, 1.5, 2.0, 4.0],
    "guided_steps": 25,
}
QUICK = {
    "draws": [0],
    "seeds": [0],
    "steps": 2,
    "longer_seeds": [0],
    "longer_steps": 3,
    "longest_seeds": [0],
    "longest_steps": 4,
    "sampler_steps": 2,
    "counts": [2],
    "scales": [2.0],
    "guided_steps": 2,
}
MIXTURES = {  # how many Gaussians a digit, and by what their covariances are multiplied
    "one Gaussian a digit": (1, 1),
    "two Gaussians a digit": (2, 1),
    "three Gaussians a digit": (3, 1),
    "five Gaussians a digit": (5, 1),
    "eight Gaussians a digit": (8, 1),
    "sixteen a digit": (16, 1),
    "eight, widened": (8, 2.1),  # about as little as makes the draws as new as new handwriting
    "twelve, widened": (12, 2.8),
    "sixteen, widened": (16, 3.6),
}


def measure(
    lesson, *, draws, seeds, steps, longer_seeds, longer_steps, longest_seeds, longest_steps, sampler_steps,
    counts, scales, guided_steps,
):  # fmt: skip
    """Four measures of every candidate, twenty images of two of them, and distances by sampler steps and guidance."""
    judge, wanted, untold = lesson.trained_judge(), lesson.WANTED, torch.full_like(lesson.WANTED, lesson.NO_LABEL)

    def measured(*made):
        return [round(value, 4) for value in lesson.measures(judge, *made)]

    def one_for_all(seed):
        torch.manual_seed(seed)
        return lesson.gaussian_draws(lesson.TRAIN, 450, 1, seed)

    table = {
        "real digits": [measured(*lesson.real_draw(seed)) for seed in draws],
        "one Gaussian for all": [measured(one_for_all(seed)) for seed in draws],
    }
    for name, (number, width) in MIXTURES.items():
        made = [lesson.gaussians_a_digit(number, seed, width) for seed in draws]
        table[name] = [measured(pictures) for pictures in made]
        if name == "eight, widened":
            shown = {"eight Gaussians\na digit, widened": made[0]}

    def drawn(net, labels=wanted, *, seed, steps=sampler_steps, **more):
        return lesson.draw_digits(net, labels, seed=seed, steps=steps, **more)[-1]

    nets = {seed: lesson.trained(lesson.UNet, seed, steps)[0] for seed in seeds}
    made = {seed: drawn(net, seed=seed) for seed, net in nets.items()}
    table["diffusion"] = [measured(pictures) for pictures in made.values()]
    for name, more, length in (("longer", longer_seeds, longer_steps), ("longest", longest_seeds, longest_steps)):
        made = [drawn(lesson.trained(lesson.UNet, seed, length)[0], seed=seed) for seed in more]
        table[f"diffusion, {name}"] = [measured(pictures) for pictures in made]
        if name == "longer":
            shown["diffusion, longer"] = made[0]
    table["label hidden"] = [measured(drawn(net, untold, seed=seed)) for seed, net in nets.items()]

    def distance(net, seed, number, dice):
        return measured(drawn(net, seed=seed, steps=number, dice=dice))[0]

    by_steps = {
        name: [[distance(net, seed, number, dice) for number in counts] for seed, net in nets.items()]
        for name, dice in (("DDPM", True), ("DDIM", False))
    }

    def guided(net, seed, w):
        pictures = drawn(net, seed=seed, steps=guided_steps, w=w)
        space, _, agrees, _ = measured(pictures)
        return [space, agrees, round(lesson.diversity(pictures), 4)]

    return {
        "table": table,
        "shown": {name: ((x[:20, 0] + 1) * 8).round().int().tolist() for name, x in shown.items()},
        "by_steps": by_steps,
        "guidance": [[guided(net, seed, w) for w in scales] for seed, net in nets.items()],
    }
