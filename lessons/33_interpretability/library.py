"""The same explanations by `captum`, on samples that are given to it or that it drew."""

from __future__ import annotations

import numpy as np
import torch
from captum._utils.models.linear_model import SkLearnRidge
from captum.attr import IntegratedGradients, KernelShap, Lime
from tinyfrontier.beside.lesson_33.rivals import BLOCK


def _seen(net, target):
    """A forward function for captum, and the list of what it was asked."""
    asked = []

    def forward(x):
        asked.append(x.detach().clone())
        return net(x).softmax(1)[:, target].double()

    return forward, asked


def captum_lime(net, image, base, target, masks, weigh, ridge) -> np.ndarray:
    """Captum's Lime on our masks (m, 16), our weights and ridge regression: coefficients (16,)."""
    rows = iter(torch.tensor(masks))
    forward, _ = _seen(net, target)

    def similar(_, __, mask, **more):
        return float(weigh(mask.numpy())[0])

    explainer = Lime(
        forward,
        interpretable_model=SkLearnRidge(alpha=ridge),
        similarity_func=similar,
        perturb_func=lambda _, **more: next(rows)[None],
    )
    where = torch.tensor(BLOCK)[None]
    found = explainer.attribute(
        image[None], baselines=base[None], feature_mask=where, n_samples=len(masks), return_input_shape=False
    )
    return found[0].double().numpy()


def captum_shap(net, image, base, target, calls, seed=0) -> tuple[np.ndarray, np.ndarray]:
    """Captum's KernelShap: coefficients (16,), and the masks (calls, 16) that it drew."""
    forward, asked = _seen(net, target)
    torch.manual_seed(seed)
    found = KernelShap(forward).attribute(
        image[None],
        baselines=base[None],
        feature_mask=torch.tensor(BLOCK)[None],
        n_samples=calls,
        return_input_shape=False,
    )
    differ = (image != base).numpy()
    blocks = [np.flatnonzero((BLOCK == j) & differ) for j in range(16)]
    rows = torch.cat(asked)[-calls:]
    masks = [[int(len(b) > 0 and bool((row[b] == image[b]).all())) for b in blocks] for row in rows]
    return found[0].double().numpy(), np.array(masks)


def captum_gradients(net, image, base, target, steps=32) -> np.ndarray:
    """Captum's integrated gradients of the probability, middle rule, (64,)."""
    explainer = IntegratedGradients(lambda x: net(x).softmax(1)[:, target])
    found = explainer.attribute(image[None], base[None], n_steps=steps, method="riemann_middle")
    return found[0].double().numpy()
