"""The recipe of the shipped Stable Diffusion: autoencoder, text encoder and latent U-Net, trained on rendered scenes.

What comes out is a folder in the layout that `diffusers.StableDiffusionPipeline.from_pretrained` reads. Nothing is read
but the renderer's training scenes; the pairs of coloured shapes that the renderer holds out are measured, never trained
on.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from ...data.scene_reader import drawn_right
from ...data.scenes import WORDS, Scene, captioned_scenes, render
from ...training import fit, learning_rate_factor, seed_everything
from .. import writing

TOKENS = 16  # a caption has at most 10 words and 2 marks
START, END = "<|startoftext|>", "<|endoftext|>"


def autoencoder(steps: int = 2500, seed: int = 0) -> AutoencoderKL:
    """Train the VAE: pictures (n, 3, 32, 32) in [-1, 1] to latents (n, 4, 8, 8) and back.

    Its latents are moved to mean 0 and one common spread in every channel, by rewriting the 1 x 1 convolutions around
    them, and `scaling_factor` brings that spread to 1.
    """
    seed_everything(seed)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 32),  # 32 -> 16 -> 8 pixels a side
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=32,
    ).to(memory_format=torch.channels_last)
    scenes = min(6000, 64 * steps)
    images = 2 * captioned_scenes(scenes, seed=seed).images - 1
    images = torch.cat([images, 2 * captioned_scenes(max(1, scenes // 10), seed=seed, things=1).images - 1])

    def loss(generator: torch.Generator) -> Tensor:
        # Small batches and many steps: large batches leave the decoder blurred in the same time.
        x = images[torch.randint(len(images), (16,), generator=generator)]
        latents = vae.encode(x).latent_dist
        noise = torch.randn(latents.mean.shape, generator=generator)
        error = vae.decode(latents.mean + latents.std * noise).sample - x
        # The squared error is what PSNR counts, the absolute one sharpens edges; the KL term only keeps latents small.
        return error.square().mean() + 0.1 * error.abs().mean() + 1e-5 * latents.kl().mean() / 256

    fit(vae, loss, steps=steps, lr=3e-3, seed=seed, warmup=50, clip=1.0, label="autoencoder")
    vae.eval().requires_grad_(False)
    _normalise(vae, images)
    return vae


@torch.no_grad()
def _normalise(vae: AutoencoderKL, images: Tensor) -> None:
    """Give every latent channel mean 0 and the same spread without changing a single picture."""
    latents = torch.cat([vae.encode(x).latent_dist.sample() for x in images[:2048].split(128)])
    mean, spread = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    common = spread.log().mean().exp()
    gain = common / spread
    channels = len(mean)
    out, back = vae.quant_conv, vae.post_quant_conv
    # the log variance, the second half of the outputs, moves with the logarithm of the gain
    out.bias[:channels] = (out.bias[:channels] - mean) * gain
    out.weight[:channels] *= gain[:, None, None, None]
    out.bias[channels:] += 2 * gain.log()
    back.bias += back.weight[:, :, 0, 0] @ mean
    back.weight /= gain[None, :, None, None]
    vae.register_to_config(scaling_factor=round(1 / common.item(), 4))


def tokenizer() -> CLIPTokenizer:
    """CLIP's byte-pair tokenizer with a vocabulary of the captions' words; other words are spelled in letters.

    The merges are found here: the library's trainer breaks ties by chance, so its vocabulary could not be remade.
    """
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    parts = {word: [*word[:-1], word[-1] + "</w>"] for word in WORDS}
    merges = []
    while any(len(pieces) > 1 for pieces in parts.values()):
        counts = Counter(pair for pieces in parts.values() for pair in pairwise(pieces))
        best = min(counts, key=lambda pair: (-counts[pair], pair))  # the most frequent; of those the first by name
        merges.append(best)
        parts = {word: _merged(pieces, best) for word, pieces in parts.items()}
    tokens = [START, END, *letters, *(letter + "</w>" for letter in letters), *("".join(pair) for pair in merges)]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS)


def _merged(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    """`pieces` with every neighbouring `pair` joined, from left to right."""
    joined: list[str] = []
    for piece in pieces:
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def tokens_of(tokenizer: CLIPTokenizer, captions: list[str] | tuple[str, ...]) -> Tensor:
    """Token numbers, int64 (n, 16), padded as the pipeline pads them."""
    return tokenizer(
        list(captions), padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
    ).input_ids


class Eye(nn.Module):
    """A small CNN that puts a picture (n, 3, 32, 32) beside its caption, (n, width); thrown away after pre-training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers, before = [], 3
        for channels in (32, 64, 64):
            layers += [nn.Conv2d(before, channels, 3, stride=2, padding=1), nn.GroupNorm(8, channels), nn.SiLU()]
            before = channels
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 16, width))

    def forward(self, images: Tensor) -> Tensor:
        """Vectors of pictures."""
        return self.layers(images)


def text_encoder(tokenizer: CLIPTokenizer, steps: int = 300, seed: int = 0) -> CLIPTextModel:
    """Pre-train a small CLIP text tower: captions beside their pictures, symmetric InfoNCE in batches of 128."""
    seed_everything(seed)
    width = 64
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            projection_dim=width,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    nn.init.normal_(text.get_input_embeddings().weight, std=0.3)  # at CLIP's 0.02 so few steps leave words alike
    eye = Eye(width)
    data = captioned_scenes(min(6000, 64 * steps), seed=seed + 1)
    tokens, images = tokens_of(tokenizer, data.captions), 2 * data.images - 1

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(images), (128,), generator=generator)
        words = functional.normalize(text(tokens[rows]).pooler_output, dim=-1)
        seen = functional.normalize(eye(images[rows]), dim=-1)
        likeness = words @ seen.T / 0.07
        own = torch.arange(len(rows))
        return (functional.cross_entropy(likeness, own) + functional.cross_entropy(likeness.T, own)) / 2

    both = [*text.parameters(), *eye.parameters()]
    fit(both, loss, steps=steps, lr=2e-3, seed=seed, warmup=20, clip=1.0, label="text encoder")
    return text


def new_unet() -> UNet2DConditionModel:
    """A latent U-Net with fresh weights: 8 x 8 without attention, 4 x 4 with cross-attention to the words."""
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=64,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def new_scheduler() -> DDIMScheduler:
    """Stable Diffusion's schedule of noise, with v-prediction."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,  # no effect with this spacing; the pipeline would complain about another value
        prediction_type="v_prediction",
        timestep_spacing="trailing",  # a run starts at the noisiest time, which matters when it has few steps
    )


@torch.no_grad()
def latents_of(vae: AutoencoderKL, images: Tensor) -> Tensor:
    """Scaled latents (n, 4, 8, 8) of pictures (n, 3, 32, 32) in [0, 1]."""
    means = [vae.encode(2 * x - 1).latent_dist.mean for x in images.split(128)]
    return torch.cat(means) * vae.config.scaling_factor


def train_unet(
    unet: UNet2DConditionModel,
    text: CLIPTextModel,
    tokens: Tensor,
    latents: Tensor,
    empty: Tensor,
    *,
    steps: int,
    seed: int = 0,
    lr: float = 4e-3,
    batch: int = 64,
    text_lr: float = 0.0,
) -> None:
    """Teach `unet` to predict v; leaves the running average of its weights in it.

    Args:
        unet: the network to train.
        text: the text encoder; learns too where `text_lr` is positive.
        tokens: captions, int64 (n, 16).
        latents: their scaled latents, (n, 4, 8, 8).
        empty: the tokens of the empty caption, (16,), shown instead of every tenth caption.
        steps: number of updates.
        seed: seed of the batches.
        lr: peak learning rate of the U-Net.
        batch: captions a step.
        text_lr: peak learning rate of the text encoder.
    """
    alpha_bars = new_scheduler().alphas_cumprod
    text.requires_grad_(text_lr > 0)
    optimiser = torch.optim.AdamW(text.parameters(), lr=1.0) if text_lr > 0 else None
    networks = [unet, text] if text_lr > 0 else [unet]
    weights = [p for network in networks for p in network.parameters()]
    average = [p.detach().clone() for p in weights]

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(tokens), (batch,), generator=generator)
        # one time from each of `batch` equal stretches: steadier than times drawn at random
        t = ((torch.arange(batch) + torch.rand(batch, generator=generator)) * len(alpha_bars) / batch).long()
        noise = torch.randn(batch, *latents.shape[1:], generator=generator)
        shown = tokens[rows]
        shown[torch.rand(batch, generator=generator) < 0.1] = empty
        a = alpha_bars[t].view(-1, 1, 1, 1)
        x0 = latents[rows]
        noisy, v = a.sqrt() * x0 + (1 - a).sqrt() * noise, a.sqrt() * noise - (1 - a).sqrt() * x0
        guess = unet(noisy, t, text(shown).last_hidden_state, return_dict=False)[0]
        return functional.mse_loss(guess, v)

    def after_step(step: int) -> None:
        if optimiser is not None:
            optimiser.param_groups[0]["lr"] = text_lr * learning_rate_factor(step, steps, "cosine", warmup=20)
            optimiser.step()
            optimiser.zero_grad()
        # short memory at first, or the untrained weights would weigh in for long
        torch._foreach_lerp_(average, [p.detach() for p in weights], 1 - min(0.999, (1 + step) / (10 + step)))

    fit(unet, loss, steps=steps, lr=lr, seed=seed, warmup=20, clip=1.0, label="U-Net", after_step=after_step)
    with torch.no_grad():
        for parameter, mean in zip(weights, average, strict=True):
            parameter.copy_(mean)


def make(folder: Path, steps: int = 2500, seed: int = 0) -> dict:
    """Train all three networks, write them to `folder` as a pipeline, and return what was measured.

    Fewer `steps` also mean fewer scenes to learn from and fewer prompts to measure.
    """
    start = time.process_time()
    words = tokenizer()
    text = text_encoder(words, steps=min(300, steps), seed=seed)
    vae = autoencoder(steps=steps, seed=seed)
    scenes = min(16_000, 64 * steps)
    pairs = captioned_scenes(scenes, seed=seed + 2)
    ones = captioned_scenes(max(1, scenes // 16), seed=seed + 3, things=1)
    tokens = tokens_of(words, pairs.captions + ones.captions)
    latents = latents_of(vae, torch.cat([pairs.images, ones.images]))
    empty = tokens_of(words, [""])[0]
    seed_everything(seed)
    unet = new_unet()
    train_unet(unet, text, tokens, latents, empty, steps=steps, seed=seed, text_lr=4e-4)
    pipe = assemble(vae, text, words, unet)
    measured = {"steps": steps, "seed": seed, "train_scenes": len(tokens)}
    measured |= {"cpu_seconds": round(time.process_time() - start)}
    measured |= measure(pipe, prompts=min(200, 2 * steps), seed=seed)
    write(pipe, folder, measured)
    return measured


def assemble(
    vae: AutoencoderKL, text: CLIPTextModel, words: CLIPTokenizer, unet: UNet2DConditionModel
) -> StableDiffusionPipeline:
    """The pipeline of these parts, with weights that float16 keeps, so that the stored model is the measured one."""
    for network in (vae, text, unet):
        network.eval().requires_grad_(False)
        writing.keep_half(network)
    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=words,
        unet=unet,
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def draw(pipe: StableDiffusionPipeline, captions: list[str], *, guidance: float, steps: int, seed: int = 0) -> Tensor:
    """Pictures (n, 3, 32, 32) in [0, 1] that the pipeline draws for `captions`, up to 100 at a time."""
    generator = torch.Generator().manual_seed(seed)
    images = []
    for first in range(0, len(captions), 100):
        made = pipe(
            captions[first : first + 100],
            guidance_scale=guidance,
            num_inference_steps=steps,
            generator=generator,
            output_type="pt",
        )
        images.append(made.images)
    return torch.cat(images)


def share_right(pipe: StableDiffusionPipeline, scenes: tuple[Scene, ...], **settings: float) -> float:
    """Share of `scenes` that the rule-based reader finds in the pictures drawn for their captions; see `draw`."""
    images = draw(pipe, [scene.caption for scene in scenes], **settings)
    return round(drawn_right(images, scenes).float().mean().item(), 4)


def prompts_of(count: int, *, held_out: bool, seed: int = 0) -> tuple[Scene, ...]:
    """The scenes that the recipe measures on."""
    return captioned_scenes(count, seed=seed + 11, held_out=held_out).scenes


def measure(pipe: StableDiffusionPipeline, *, prompts: int = 200, seed: int = 0) -> dict:
    """Shares drawn right of seen and held-out prompts, and with the pipeline's defaults on half as many of each."""
    seen, held_out = prompts_of(prompts, held_out=False, seed=seed), prompts_of(prompts, held_out=True, seed=seed)
    few = max(1, prompts // 2)
    mixed = seen[: few // 2] + held_out[: few - few // 2]
    measured = {
        "parameters": {
            name: sum(p.numel() for p in getattr(pipe, name).parameters()) for name in ("vae", "text_encoder", "unet")
        },
        "prompts": prompts,
        "seen": share_right(pipe, seen, guidance=2, steps=20, seed=seed),
        "held_out": share_right(pipe, held_out, guidance=2, steps=20, seed=seed),
        "pipeline_defaults": share_right(pipe, mixed, guidance=7.5, steps=50, seed=seed),
    }
    once = time.process_time()
    draw(pipe, [seen[0].caption], guidance=7.5, steps=50)
    measured["seconds_an_image"] = round(time.process_time() - once, 2)
    with torch.no_grad():
        images = render(seen, seed=seed + 20)
        back = pipe.vae.decode(latents_of(pipe.vae, images) / pipe.vae.config.scaling_factor).sample / 2 + 0.5
    measured["vae_psnr"] = round(-10 * (back - images).square().mean().log10().item(), 1)
    measured["vae_read"] = round(drawn_right(back, seen).float().mean().item(), 4)
    return measured


def write(pipe: StableDiffusionPipeline, folder: Path, measured: dict) -> None:
    """Write the pipeline in float16, the figures and the card to `folder`."""
    pipe.save_pretrained(folder, safe_serialization=True)
    for path in folder.glob("*/*.safetensors"):  # the configurations go on to say float32, as which they are loaded
        path.write_bytes(save(writing.as_half(load_file(path)), metadata={"format": "pt"}))
    for path in folder.glob("*/config.json"):
        settings = json.loads(path.read_text(encoding="utf-8"))
        settings.pop("_name_or_path", None)  # where the parts once lay
        path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    writing.write(folder, measured, write_card(measured))


def write_card(figures: dict) -> str:
    """The card of the weights with these figures, in Markdown."""
    m, sizes = figures, figures["parameters"]
    return writing.write_card(
        "stable_diffusion",
        "Tiny Stable Diffusion",
        "A complete latent diffusion model in diffusers' own classes, which draws rendered scenes of one or two "
        'coloured shapes from captions such as "a small red circle above a large blue square". The folder is what '
        "`StableDiffusionPipeline.from_pretrained` reads.",
        size=f"{sum(sizes.values()):,} parameters: autoencoder {sizes['vae']:,}, text encoder "
        f"{sizes['text_encoder']:,}, U-Net {sizes['unet']:,}. Pictures of 32 by 32 pixels, latents of 4 by 8 by 8, "
        "captions of up to 16 tokens. Stored as float16 in safetensors, loaded as float32.",
        data=f"{m['train_scenes']:,} rendered scenes with captions (`tinyfrontier.data.scenes`, MIT, as the course). "
        "The held-out pairs of coloured shapes are in no training picture.",
        training=f"{m['steps']:,} steps for the autoencoder, up to 300 contrastive steps for the text encoder, "
        f"{m['steps']:,} steps of v-prediction for the U-Net with the text encoder learning at a tenth of its rate; "
        f"AdamW, seed {m['seed']}; {m['cpu_seconds']} CPU seconds on one thread.",
        losses=f"prompts drawn right, by the rule-based reader of the pictures, {m['prompts']} prompts each, guidance "
        f"2, 20 steps:\n  - seen scenes: {m['seen']:.1%}; held-out pairs: {m['held_out']:.1%}\n"
        "  - as the pipeline is called by default (guidance 7.5, 50 steps), both kinds: "
        f"{m['pipeline_defaults']:.1%}\n"
        f"  - autoencoder alone: PSNR {m['vae_psnr']} dB, {m['vae_read']:.1%} of its pictures read right\n"
        "  - by guidance, steps and scheduler, and how far fresh U-Nets come in a lesson's time: "
        "`lessons/16_stable_diffusion/record.json`",
        meant_for="the lesson on Stable Diffusion, and as a base that is quick to load, to take apart and to "
        "fine-tune.",
        limits=f"it knows {len(WORDS)} words, and nothing but flat shapes on grey. Strong guidance exaggerates colours "
        "and outlines. It has no safety checker: nothing that it can draw needs one, which is true of no large model.",
    )
