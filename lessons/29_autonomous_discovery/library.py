"""The same by scikit-learn and by botorch, for a Gaussian process with given hyperparameters."""

import numpy as np
import torch
from botorch.acquisition import LogExpectedImprovement, UpperConfidenceBound
from botorch.models import SingleTaskGP
from gpytorch.kernels import RBFKernel, ScaleKernel
from gpytorch.means import ZeroMean
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel


def scikit_says(x, y, theta, new):
    """Mean and deviation (m,) of values at new places, the log marginal likelihood and its slope, by scikit-learn.

    Args:
        x: places (n, d) that the process has learnt.
        y: their results (n,).
        theta: logarithms of height, lengths (d,) and noise.
        new: places (m, d).

    Raises:
        ValueError: if `theta` has another length than d + 2.
    """
    if len(theta) != x.shape[1] + 2:
        raise ValueError(f"theta must have {x.shape[1] + 2} numbers, got {len(theta)}")
    height, *lengths, noise = np.exp(theta)
    kernel = ConstantKernel(height) * RBF(lengths) + WhiteKernel(noise)
    model = GaussianProcessRegressor(kernel, optimizer=None, alpha=0).fit(x, y)
    mean, deviation = model.predict(new, return_std=True)
    values = np.sqrt(np.maximum(deviation**2 - noise, 0))  # the library's deviation is that of a result
    return mean, values, *model.log_marginal_likelihood(theta, eval_gradient=True)


def botorch_scores(x, y, height, lengths, noise, places, best, deviations):
    """Expected improvement over `best` and mean plus so many deviations, (m,), (m,), at places (m, d).

    Args:
        x: places (n, d) that the process has learnt.
        y: their results (n,).
        height: of its kernel.
        lengths: of its kernel, (d,).
        noise: variance of the noise.
        places: where to score.
        best: the result to improve on.
        deviations: of the upper confidence bound.

    Raises:
        ValueError: if x and y differ in length.
    """
    if len(x) != len(y):
        raise ValueError(f"y must have one result a place, got {len(y)} for {len(x)}")
    cover = ScaleKernel(RBFKernel(ard_num_dims=x.shape[1])).double()
    cover.outputscale, cover.base_kernel.lengthscale = height, torch.as_tensor(lengths)
    columns = [torch.as_tensor(x), torch.as_tensor(y)[:, None]]
    how = {"covar_module": cover, "mean_module": ZeroMean(), "outcome_transform": None}
    model = SingleTaskGP(*columns, torch.full_like(columns[1], noise), **how)
    each = torch.as_tensor(places)[:, None]  # (m, 1, d)
    with torch.no_grad():
        improvement = LogExpectedImprovement(model, best_f=best)(each).exp()
        return improvement.numpy(), UpperConfidenceBound(model, beta=deviations**2)(each).numpy()
