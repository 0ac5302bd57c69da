"""Comparisons of two methods behind verdicts of lessons 1 to 35, and where their seeds stand in the records.

Chosen by hand, with the records in view: two methods, each measured several times, every measurement in the lesson's
record. It is a sample of the verdicts, not all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

EACH = "*"  # one measurement for each entry of the list that stands here

# lesson, what was compared, path of the first, path of the second, whether more is better, whether the verdict says
# that the first is ahead, whether entry for entry they share a seed or a split, words of that verdict which say so
COMPARISONS = (
    (
        1,
        "attention, linear recurrence",
        ["ladder", "attention", EACH, 5],
        ["ladder", "linear recurrence", EACH, 5],
        1,
        0,
        1,
        "does not hold At equal size attention reaches lag 64, a linear recurrence 64",
    ),
    (
        3,
        "BERT, untrained; 16 labels",
        ["accuracy", "shipped", "pooler", "16"],
        ["accuracy", "fresh", "pooler", "16"],
        1,
        1,
        1,
        "16 labels: BERT's two tasks 0.43, labels alone 0.29",
    ),
    (
        6,
        "top-1, dense; equal FLOPs",
        ["bits", "top-1"],
        ["bits", "dense"],
        0,
        1,
        1,
        "Equal FLOPs: dense 2.46, top-1 2.40 bits",
    ),
    (
        6,
        "top-1, dense; equal time",
        ["bits", "top-1"],
        ["bits", "dense, more steps"],
        0,
        0,
        1,
        "at equal CPU time dense leads",
    ),
    (
        8,
        "LoRA, full; forgetting",
        ["lost", "50", "rank 16"],
        ["lost", "50", "full"],
        0,
        0,
        1,
        "does not hold LoRA has lost",
    ),
    (
        11,
        "SimCLR, pixels; 1 label spread",
        ["accuracy", "label spreading", "affine + noise", "2000", EACH, EACH, 0],
        ["accuracy", "label spreading", "pixels", "0", EACH, EACH, 0],
        1,
        1,
        1,
        "SimCLR 0.92, spread over pixels without a network 0.87",
    ),
    (
        12,
        "MAE, scratch; 1 label",
        ["accuracy", "MAE, all tokens", EACH, 0],
        ["accuracy", "scratch, all tokens", EACH, 0],
        1,
        1,
        1,
        "fine-tuned MAE 0.64, scratch 0.56",
    ),
    (
        14,
        "CLIP, labels; new names",
        ["runs", "CLIP", "new name"],
        ["runs", "labels", "new name"],
        1,
        1,
        1,
        "unseen names given: 0.82, 0.42",
    ),
    (
        14,
        "CLIP, labels; new pairs",
        ["runs", "CLIP", "held-out pair"],
        ["runs", "labels", "held-out pair"],
        1,
        0,
        1,
        "Unseen pairs found: CLIP 0.99, labels 1.00",
    ),
    (
        15,
        "diffusion, Gaussians",
        ["table", "diffusion, longest", EACH, 0],
        ["table", "sixteen, widened", EACH, 0],
        0,
        0,
        0,
        "no lead over widened Gaussians is asked for",
    ),
    (
        17,
        "one model, room by need",
        ["steps", "400", "one model", "words to picture"],
        ["steps", "400", "three, room by need", "words to picture"],
        1,
        0,
        1,
        "does not hold Drawing after 400 steps: lead",
    ),
    (
        18,
        "equivariant, plain",
        ["digits", "errors", "equivariant", EACH, 1],
        ["digits", "errors", "plain", EACH, 1],
        0,
        1,
        1,
        "Symmetry saves 3.6 to 5.7 x the samples of a plain network",
    ),
    (
        18,
        "equivariant, averaged",
        ["digits", "errors", "equivariant", EACH, 1],
        ["digits", "errors", "averaged", EACH, 1],
        0,
        0,
        1,
        "times fewer samples than averaged, two tasks 0.94 to 1.12",
    ),
    (
        19,
        "triangles, convolutions",
        ["network", EACH, "rmsd", 3],
        ["convolutions", EACH, "rmsd", 3],
        0,
        1,
        1,
        "RMSD with 128 sequences 1.8 to 2.1 Angstrom; without triangles 3.5 to 3.8, convolutions 2.7 to 3.0",
    ),
    (
        20,
        "network, process",
        ["found", "network", EACH, 5],
        ["found", "process", EACH, 5],
        1,
        0,
        0,
        "simple regression in the same rounds does as well",
    ),
    (
        21,
        "diffusion, perturbed",
        ["methods", "diffusion", "designs"],
        ["methods", "perturbed", "designs"],
        1,
        1,
        0,
        "diffusion 46%, perturbed examples 29%",
    ),
    (
        22,
        "second order, first order",
        ["Levenberg-Marquardt", "errors", EACH, -1],
        ["Adam + L-BFGS", "errors", EACH, -1],
        0,
        1,
        1,
        "it is trained by more than Adam and L-BFGS",
    ),
    (
        23,
        "CNN, trees; RMSE",
        ["scores", "CNN", "RMSE of the mean"],
        ["scores", "trees", "RMSE of the mean"],
        0,
        1,
        1,
        "RMSE 0.41 for the CNN, 0.45 for trees",
    ),
    (
        23,
        "diffusion, quantiles; CRPS",
        ["scores", "diffusion", "CRPS"],
        ["scores", "quantiles + texture", "CRPS"],
        0,
        0,
        1,
        "quantiles + texture has a lower CRPS",
    ),
    (
        23,
        "U-Net, trees; F1",
        ["forest", "U-Net", "F1"],
        ["forest", "trees", "F1"],
        1,
        1,
        1,
        "0.92 for trees, 0.94 for a U-Net",
    ),
    (
        25,
        "language model, window + table",
        ["alone", "language model"],
        ["full", "window + table"],
        1,
        1,
        1,
        "Without homologs AUC 0.86, 0.90 with a table, best rival 0.84",
    ),
    (
        26,
        "clone + PPO, adaptive LQG",
        ["report", "clone + PPO", "lost"],
        ["report", "adaptive LQG", "lost"],
        0,
        0,
        1,
        "does not hold Of 100 plasmas clone + PPO loses 1.9 to 3.1",
    ),
    (
        26,
        "clone + PPO, clone",
        ["stages", "clone + PPO", "lost"],
        ["stages", "clone", "lost"],
        0,
        0,
        1,
        "clone + PPO loses 1.9 to 3.1, clone 1.7 to 3.7",
    ),
    (
        28,
        "evolved, symmetric tables",
        ["sizes", "6", "evolved", EACH, -1],
        ["sizes", "6", "symmetric", EACH, -1],
        1,
        0,
        1,
        "does not hold n = 6, means: climbing orders 82, evolved programs 96",
    ),
    (
        29,
        "EI, Sobol; Hartmann",
        ["regret", "Hartmann", "30", "EI"],
        ["regret", "Hartmann", "30", "Sobol"],
        0,
        1,
        1,
        "clearly ahead at 30 Hartmann",
    ),
    (
        29,
        "EI, simplex; reactor",
        ["regret", "reactor", "30", "EI"],
        ["regret", "reactor", "30", "simplex"],
        0,
        0,
        1,
        "EI clearly beats simplex, steps, zoom and forest on 0 of 3 landscapes",
    ),
    (
        31,
        "tagger, rule with cues",
        ["records", "tagger", "fresh"],
        ["records", "rule with cues", "fresh"],
        1,
        0,
        1,
        "fresh 80%, 92%, 97%",
    ),
    (
        31,
        "sources, closed book",
        ["answers", "with sources", "new papers"],
        ["answers", "closed book", "new papers"],
        1,
        1,
        1,
        "New papers: 68% right with sources, 6% closed book",
    ),
    (
        33,
        "LIME, gradient",
        ["fidelity", "black", "136", "LIME"],
        ["fidelity", "black", "136", "gradient"],
        1,
        0,
        1,
        "clearly ahead with both bases at 0 of 3 budgets",
    ),
    (
        35,
        "attacks, kernel; radius 0.15",
        ["rivals", "convolution, attacks", EACH, 3],
        ["rivals", "kernel machine", EACH, 3],
        1,
        1,
        1,
        "Holds if: changes are 0.15",
    ),
    (
        35,
        "attacks, kernel; radius 0.1",
        ["rivals", "convolution, attacks", EACH, 2],
        ["rivals", "kernel machine", EACH, 2],
        1,
        0,
        1,
        "+1 ± 3 at 0.1",
    ),
)

# the first list holds so many entries in a row that are no seeds of their own: networks on a draw, draws of a network
REPEATS = {"language model, window + table": 3, "diffusion, perturbed": 5}


def pick(figures: Any, path: Sequence[str | int]) -> Any:
    """What stands at `path` in a record's figures; `EACH` goes through a list.

    Raises:
        KeyError: if a name of the path is not in the record.
    """
    if not path:
        return figures
    first, *rest = path
    if first == EACH:
        return [pick(entry, rest) for entry in figures]
    if isinstance(figures, Mapping) and first not in figures:
        raise KeyError(f"{first!r} is not in the record; it has {sorted(figures)}")
    return pick(figures[first], rest)


def _by_seed(values: Sequence[Any], repeats: int = 1) -> list[float]:
    """One number a seed: what was drawn again within a seed is averaged."""
    if repeats > 1:
        values = [values[i : i + repeats] for i in range(0, len(values), repeats)]
    return [round(float(sum(v) / len(v) if isinstance(v, Sequence) else v), 6) for v in values]


def gather(load: Callable[[int], Any]) -> list[dict[str, Any]]:
    """All comparisons with their figures, one number a seed; `load(lesson)` is that lesson's record.

    Raises:
        ValueError: if two lists that share seeds differ in length.
    """
    found = []
    for lesson, what, first, second, more, ahead, shared, _ in COMPARISONS:
        one, two = (_by_seed(pick(load(lesson)["figures"], path)) for path in (first, second))
        if what in REPEATS:
            one = _by_seed(one, REPEATS[what])
        if shared and len(one) != len(two):
            raise ValueError(f"lesson {lesson}, {what}: {len(one)} and {len(two)} seeds cannot be pairs")
        found.append(
            {"lesson": lesson, "what": what, "one": one, "two": two}
            | {"more": bool(more), "ahead": bool(ahead), "shared": bool(shared)}
        )
    return found


def draw_leads(cases: Sequence[Mapping[str, Any]], judged: np.ndarray, hollow: np.ndarray) -> Figure:
    """Every lead in half widths of its interval, sorted; `judged` holds lead and ends (cases, 3 or more).

    A marker is hollow where `hollow` says so.
    """
    width = (judged[:, 2] - judged[:, 1]) / 2
    fig, ax = plt.subplots(figsize=(9, 7))
    order = np.argsort(judged[:, 0] / width)
    for place, row in enumerate(order):
        middle, colour = judged[row, 0] / width[row], "C0" if cases[row]["ahead"] else "C1"
        ax.plot([middle - 1, middle + 1], [place] * 2, color=colour)
        ax.plot(middle, place, "o", color=colour, markersize=7, markerfacecolor="white" if hollow[row] else colour)
    ax.set_yticks(range(len(order)), [f"{cases[r]['lesson']:02}: {cases[r]['what']}" for r in order], fontsize=8)
    ax.axvline(0, color="0.6")
    ax.set(xlabel="lead, in half widths of its 95 % interval", xscale="symlog", ylim=(-1, len(order)))
    return fig
