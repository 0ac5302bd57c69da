"""What lesson 16 records: guidance, steps and schedulers on many prompts, and U-Nets from nothing."""

from functools import partial

import torch
from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler

SETTINGS = {
    "seeds": [0, 1, 2, 3, 4],
    "looks": [50, 170, 250, 330],
    "few": 3,
    "prompts": 60,
    "drawn": 100,
    "guidance": [1, 2, 3, 4, 5, 7.5, 12],
    "drawing_steps": [2, 4, 8, 20, 50],
    "whole_world": 6000,
    # products of how many words, and the penalty of the ridge
    "regressions": {"2": 1, "4": 300},
}
QUICK = {
    "seeds": [0],
    "looks": [1],
    "few": 1,
    "prompts": 2,
    "drawn": 2,
    "guidance": [2],
    "drawing_steps": [2],
    "whole_world": 4,
    "regressions": {"2": 1},
}


def measure(lesson, *, seeds, looks, few, prompts, drawn, guidance, drawing_steps, whole_world, regressions):
    """Shares drawn right by the shipped model on `drawn` prompts, and by fresh U-Nets as they learn.

    The fresh ones learn in the small world, where all things are large and nothing jitters: for each seed one as the
    lesson trains it, one with a text encoder that was never trained, and one with captions of other pictures. The
    first seed also learns in the whole world. They are judged on `prompts` prompts of each kind, none of which
    the lesson shows. Guidance and the regressions are judged on `few` draws of prompts.
    """
    pipe = lesson.StableDiffusionPipeline.from_pretrained(lesson.stable_diffusion_folder())
    pipe.set_progress_bar_config(disable=True)
    half = drawn // 2
    draws = [
        lesson.captioned_scenes(half, seed=11 + draw, held_out=False).scenes
        + lesson.captioned_scenes(drawn - half, seed=11 + draw, held_out=True).scenes
        for draw in range(few)
    ]
    mixed = draws[0]

    def share(w, n, draw=0):
        return round(lesson.right(pipe, pipe.unet, draws[draw], w=w, steps=n, seed=draw), 4)

    figures = {"by_guidance": {n: [[share(w, n, draw) for w in guidance] for draw in range(few)] for n in (8, 20)}}
    figures["by_steps"] = {"DDIM": [share(2, n) for n in drawing_steps]}
    for name, kind in (("Euler", EulerDiscreteScheduler), ("DPM-Solver++", DPMSolverMultistepScheduler)):
        other = lesson.with_part(pipe, scheduler=kind.from_config(pipe.scheduler.config))
        figures["by_steps"][name] = [_by_pipeline(lesson, other, mixed, n) for n in drawing_steps]

    learned = lesson.easy(False)
    captions, images = [scene.caption for scene in learned], lesson.render(learned, jitter=0)
    exam = {name: lesson.some(lesson.easy(which), prompts, seed=60) for name, which in _KINDS.items()}
    order = torch.randperm(len(captions), generator=torch.Generator().manual_seed(0)).tolist()
    shuffled = [captions[i] for i in order]
    deaf = [lesson.with_part(pipe, text_encoder=lesson.untrained_encoder(pipe, seed)) for seed in seeds]
    end = looks[-1:]
    figures["own"] = _together([_young(lesson, pipe, captions, images, exam, looks, seed) for seed in seeds])
    figures["untrained_encoder"] = _together(
        [_young(lesson, other, captions, images, exam, looks, seed) for other, seed in zip(deaf, seeds)]
    )
    figures["shuffled"] = _together([_young(lesson, pipe, shuffled, images, exam, end, seed) for seed in seeds])
    whole = lesson.captioned_scenes(whole_world, seed=4)
    exam = {name: lesson.captioned_scenes(prompts, seed=11, held_out=which).scenes for name, which in _KINDS.items()}
    known = lesson.to_latents(pipe.vae, whole.images)
    fresh = [lesson.captioned_scenes(prompts, seed=11 + draw, held_out=True).scenes for draw in range(few)]

    def calculated(scenes, degree, alpha):
        rival = partial(lesson.regressed, degree=degree, alpha=alpha)
        return round(lesson.rival_right(pipe.vae, rival, scenes, whole.captions, known), 4)

    figures["whole"] = {
        "unet": _together([_young(lesson, pipe, whole.captions, whole.images, exam, end, seeds[0])]),
        "regression": {
            degree: [calculated(scenes, int(degree), alpha) for scenes in fresh]
            for degree, alpha in regressions.items()
        },
    }
    return figures


_KINDS = {"seen": False, "held_out": True}


def _together(runs):
    """Runs of {kind: shares} as {kind: [shares of each run]}."""
    return {kind: [run[kind] for run in runs] for kind in runs[0]}


def _by_pipeline(lesson, pipe, scenes, steps):
    """The share drawn right by the pipeline itself with the scheduler that it holds."""
    settings = {"guidance_scale": 2.0, "num_inference_steps": steps, "output_type": "pt"}
    generator = torch.Generator().manual_seed(0)
    images = pipe([scene.caption for scene in scenes], generator=generator, **settings).images
    return round(lesson.drawn_right(images, scenes).float().mean().item(), 4)


def _young(lesson, pipe, captions, images, exam, looks, seed):
    """Train a fresh U-Net on pictures with captions; the shares of prompts that it draws right at each of `looks`."""
    with torch.no_grad():
        told, empty = lesson.states_of(pipe, list(captions)), lesson.states_of(pipe, [""])[0]
    inputs = lesson.to_latents(pipe.vae, images), told, empty, pipe.scheduler.alphas_cumprod
    shares = {name: [] for name in exam}
    for _, average, _ in lesson.train_unet(lesson.fresh_unet(pipe, seed), *inputs, looks, seed):
        for name, scenes in exam.items():
            shares[name].append(round(lesson.right(pipe, average, scenes, seed=seed), 4))
    return shares
