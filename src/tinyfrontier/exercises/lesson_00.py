"""The start page's exercise: small enough to try the machinery of checks on."""

import torch

from .form import exercise


@exercise(returns="a tensor that holds one float, shape ()", points=1)
def mean_squared_error(prediction, target):
    return torch.nn.functional.mse_loss(prediction, target)


@mean_squared_error.cases
def _():
    draw = torch.Generator().manual_seed(0)
    yield "the example above", torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 5.0])
    yield "a single number", torch.tensor([0.5]), torch.tensor([-1.5])
    yield "a batch, shape (4, 3)", torch.randn(4, 3, generator=draw), torch.randn(4, 3, generator=draw)
    yield "large values", torch.tensor([1000.0, -1000.0]), torch.tensor([0.0, 0.0])


@mean_squared_error.usual
def mean_squared_error(prediction, target):
    return ((prediction - target) ** 2).mean()


mean_squared_error.slip(" ** 2", "", "no square").says(
    "the differences are averaged as they are, so errors of opposite sign cancel."
)
mean_squared_error.slip("mean()", "sum()", "sum for mean").says(
    "this adds the squared errors up; a mean also divides by how many there are."
)
mean_squared_error.slip("mean()", "mean().sqrt()", "root").says(
    "this is the root of the mean squared error; leave the last step out."
)
mean_squared_error.slip(" ** 2)", ").abs()", "absolute").says(
    "this is the mean absolute error; here each difference is squared."
)
