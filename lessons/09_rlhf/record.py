"""What lesson 09 records: ten fresh seeds of each method, and the runs at other rates, lengths and leashes."""

import math

import torch

SETTINGS = {"seeds": [3, 4, 5, 6, 7, 8, 9, 10, 11, 12], "rounds": 30, "longer": 60, "dpo_steps": [48, 96, 192]}
QUICK = {"seeds": [3], "rounds": 1, "longer": 1, "dpo_steps": [24]}


def measure(lesson, *, seeds, rounds, longer, dpo_steps):
    """KL, score and true reward of every method, a row a look or the last row alone, by seed.

    Control and real run have the same rounds. `rate` has the free and the held runs at half and twice the
    rate, `beta` other leashes, `clip` the KL after so many updates on one batch.
    """
    reference = lesson.train_reference()
    pool = lesson.write(reference, 4096, torch.Generator().manual_seed(1))
    truth = lesson.true_reward(pool)
    names = "accuracy control_accuracy agreement best free held noise truth imitator dpo_noise"
    found = {name: [] for name in names.split()}
    found["dpo"] = {steps: [] for steps in dpo_steps}
    found["beta"] = {beta: [] for beta in (0.03, 0.3)}
    found["rate"] = {name: {lr: [] for lr in (1e-3, 4e-3)} for name in ("free", "held")}
    found["clip"] = {name: {updates: [] for updates in (4, 12, 24)} for name in ("with", "without")}

    def plain(path):
        return [[round(value, 3) for value in row] for row in path.tolist()]

    for seed in seeds:
        answers, exam, judge, noisy, control = lesson.taught(reference, pool, seed)
        with torch.no_grad():
            scores = lesson.score(judge, pool)
        found["accuracy"].append(lesson.foreseen(judge, *exam))
        found["control_accuracy"].append(lesson.foreseen(control, *exam))
        found["agreement"].append(round(torch.corrcoef(torch.stack([scores, truth]))[0, 1].item(), 3))
        found["best"].append(plain(lesson.best_path(scores, truth)))

        def run(by=judge, beta=0.1, rounds=rounds, seed=seed, **settings):
            return plain(lesson.train_policy(reference, by, beta=beta, seed=seed, rounds=rounds, **settings)[1])

        found["free"].append(run(beta=0.0, rounds=longer))
        found["held"].append(run(rounds=longer))
        found["noise"].append(run(control)[-1])
        found["truth"].append(run(lesson.reader, beta=0.0)[-1])
        for beta, ends in found["beta"].items():
            ends.append(run(beta=beta)[-1])
        for name, beta in (("free", 0.0), ("held", 0.1)):
            for lr, ends in found["rate"][name].items():
                ends.append(run(beta=beta, lr=lr)[-1])
        for name, clip in (("with", 0.2), ("without", math.inf)):
            for updates, ends in found["clip"][name].items():
                ends.append(run(beta=0.0, rounds=1, updates=updates, clip=clip)[-1][0])
        for steps, ends in found["dpo"].items():
            ends.append(plain(lesson.train_dpo(reference, judge, *answers, seed=seed, steps=steps)[1])[-1])
        path = lesson.train_dpo(reference, judge, *noisy, seed=seed, steps=dpo_steps[len(dpo_steps) // 2])[1]
        found["dpo_noise"].append(plain(path)[-1])
        imitator = lesson.train_imitator(reference, judge, pool, seed=seed)[1]
        found["imitator"].append(plain(imitator[None])[0])
    return found
