"""Lets a kernel round as another machine might, so that what a lesson says can be tried on more than one.

Processors add the terms of a sum in different orders. A training amplifies such a last digit within some hundred steps
into another network, as good as the first; a sentence that is true of the one and false of the other says too much.
"""

from __future__ import annotations

import operator

# What makes the usual libraries compute as on a processor without AVX-512; read once, when they load.
PLAINER_PROCESSOR = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}


def round_otherwise(way: int) -> None:
    """From now on, every step of a PyTorch optimiser ends with its parameters moved by their last digits.

    The same parameters always move alike, so a run repeats, and a network in parts equals the whole.

    Args:
        way: a whole number above 0; each gives other digits.

    Raises:
        TypeError: if `way` is no whole number.
        ValueError: if `way` is below 1.
    """
    try:
        way = operator.index(way)
    except TypeError:
        raise TypeError(f"way needs a whole number, got {way!r}") from None
    if way < 1:
        raise ValueError(f"way needs a whole number above 0, got {way}")
    import torch
    from torch.optim.optimizer import register_optimizer_step_post_hook

    @torch.no_grad()
    def nudge(optimizer, *_) -> None:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.is_floating_point():
                    last = 2 * torch.finfo(parameter.dtype).eps
                    parameter.addcmul_(parameter, torch.cos(997 * way * parameter), value=last)

    register_optimizer_step_post_hook(nudge)
