"""The recipe of the shipped masked autoencoders of handwritten digits.

It trains three networks, which differ in their seed alone, on the training
digits of `digits_split()` without a label. The networks are transformers' own `ViTMAEForPreTraining` (He et al., 2021,
arXiv 2111.06377), so that the weights depend on no code of a lesson.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers.models.vit_mae.configuration_vit_mae import ViTMAEConfig
from transformers.models.vit_mae.modeling_vit_mae import ViTMAEForPreTraining

from ...data import digits_split
from ...training import fit, seed_everything
from .. import writing

SEEDS = 3
MEAN = 0.305  # of all pixels of the training digits
DEVIATION = 0.376
SIZES = {
    "image_size": 8,
    "patch_size": 2,
    "num_channels": 1,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "decoder_hidden_size": 48,
    "decoder_num_hidden_layers": 1,
    "decoder_num_attention_heads": 4,
    "decoder_intermediate_size": 96,
    "mask_ratio": 0.75,
}


@torch.no_grad()
def masked_error(model: ViTMAEForPreTraining, digits: Tensor) -> float:
    """Mean squared error on hidden patches of `digits` (n, 1, 8, 8) in [0, 1], always the same patches."""
    noise = torch.rand(len(digits), 16, generator=torch.Generator().manual_seed(9))
    return model((digits - MEAN) / DEVIATION, noise=noise).loss.item() * DEVIATION**2


def make(folder: Path, steps: int = 3000, seed: int = 0) -> dict:
    """Train `SEEDS` networks from `seed` on; write them to `folder` and return what was measured."""
    start = time.process_time()
    images, _, held_out, _ = digits_split()
    digits, weights, errors = (images - MEAN) / DEVIATION, {}, []
    for number in range(SEEDS):
        seed_everything(seed + number)
        model = ViTMAEForPreTraining(ViTMAEConfig(**SIZES))
        _awaken(model)

        def loss(generator: torch.Generator, model=model) -> Tensor:
            some = torch.randint(len(digits), (64,), generator=generator)
            return model(digits[some], noise=torch.rand(64, 16, generator=generator)).loss

        fit(model, loss, steps=steps, lr=3e-3, seed=seed + number, warmup=50, weight_decay=0.05, betas=(0.9, 0.95))
        model.eval()
        writing.keep_half(model)
        errors.append(round(masked_error(model, held_out), 5))
        weights |= {f"{number}.{name}": value for name, value in model.state_dict().items()}
    measured = {
        "held_out_masked_mse": errors,
        "mean_digit_mse": round((held_out - images.mean(0)).square().mean().item(), 5),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "steps": steps,
        "seed": seed,
        "cpu_seconds": round(time.process_time() - start),
    }
    figures = {"model": SIZES, "measured": measured}
    writing.write(folder, figures, write_card(figures), weights)
    return measured


def _awaken(model: ViTMAEForPreTraining) -> None:
    """Start wider than the library does: at width 64 a deviation of 0.02 and fixed positions learn for long nothing."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            layer.reset_parameters()
    for position in (model.vit.embeddings.position_embeddings, model.decoder.decoder_pos_embed):
        nn.init.normal_(position, std=0.5)
        position.requires_grad_()


def write_card(figures: dict) -> str:
    """The card of the weights with these figures, in Markdown."""
    m = figures["measured"]
    errors = ", ".join(f"{error:.4f}" for error in m["held_out_masked_mse"])
    return writing.write_card(
        "mae",
        "Tiny masked autoencoders",
        "Three encoders and decoders that fill in handwritten digits of which three quarters are hidden; they differ "
        "in their seed alone.",
        size=f"{m['parameters']:,} parameters each: encoder of 2 layers, width 64; decoder of 1 layer, width 48; "
        "patches of 2 by 2 pixels. Stored as float16 in `model.safetensors`, loaded as float32.",
        data="the 1,347 training digits of `digits_split()`, no label. Optical Recognition of Handwritten Digits, UCI "
        "repository, as bundled with scikit-learn, CC BY 4.0.",
        training=f"{m['steps']:,} steps of AdamW with 64 digits each, seeds {m['seed']} to {m['seed'] + 2}; "
        f"{m['cpu_seconds']} CPU seconds on one thread for all three.",
        losses=f"mean squared error on hidden pixels (of 0 to 1) of the 450 held-out digits: {errors}. The mean digit "
        f"has {m['mean_digit_mse']:.4f}.",
        meant_for="the lesson on masked autoencoders, as a start for fine-tuning with few labels.",
        limits="it knows small, centred, clean digits of one data set, and nothing else.",
    )
