"""The start page's exercise: small enough to try the machinery of checks on."""

import torch

from .engine import Case, Exercise, Mistake


def _reference(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.mse_loss(prediction, target)


def _cases() -> list[Case]:
    draw = torch.Generator().manual_seed(0)
    return [
        Case("the example above", (torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 5.0]))),
        Case("a single number", (torch.tensor([0.5]), torch.tensor([-1.5]))),
        Case("a batch, shape (4, 3)", (torch.randn(4, 3, generator=draw), torch.randn(4, 3, generator=draw))),
        Case("large values", (torch.tensor([1000.0, -1000.0]), torch.tensor([0.0, 0.0]))),
    ]


def _forgot_the_square(prediction, target):
    return (prediction - target).mean()


def _sum_for_mean(prediction, target):
    return ((prediction - target) ** 2).sum()


def _root(prediction, target):
    return ((prediction - target) ** 2).mean().sqrt()


def _absolute(prediction, target):
    return (prediction - target).abs().mean()


EXERCISES = (
    Exercise(
        name="mean_squared_error",
        reference=_reference,
        cases=_cases,
        mistakes=(
            Mistake(
                "no square",
                _forgot_the_square,
                "the differences are averaged as they are, so errors of opposite sign cancel.",
            ),
            Mistake(
                "sum for mean",
                _sum_for_mean,
                "this adds the squared errors up; a mean also divides by how many there are.",
            ),
            Mistake("root", _root, "this is the root of the mean squared error; leave the last step out."),
            Mistake("absolute", _absolute, "this is the mean absolute error; here each difference is squared."),
        ),
        returns="a tensor that holds one float, shape ()",
        points=1,
    ),
)
