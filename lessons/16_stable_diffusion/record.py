"""What lesson 16 records: guidance, steps and schedulers on many prompts, and U-Nets from nothing."""

import torch
from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler

SETTINGS = {
    "seeds": [0, 1, 2],
    "steps": 330,
    "prompts": 60,
    "drawn": 100,
    "guidance": [1, 1.5, 2, 3, 4, 5, 7, 7.5, 12],
    "drawing_steps": [2, 4, 8, 20, 50],
    "whole_world": 6000,
}
QUICK = {
    "seeds": [0],
    "steps": 1,
    "prompts": 2,
    "drawn": 2,
    "guidance": [2],
    "drawing_steps": [2],
    "whole_world": 4,
}


def measure(lesson, *, seeds, steps, prompts, drawn, guidance, drawing_steps, whole_world):
    """Shares drawn right by the shipped model on `drawn` prompts, and by fresh U-Nets after `steps` steps.

    The fresh ones learn in the whole world; and in an easy one, where all things are large and nothing jitters: one for
    each seed, and a control whose captions belong to other pictures. They are judged on `prompts` prompts of each kind.
    """
    pipe = lesson.StableDiffusionPipeline.from_pretrained(lesson.stable_diffusion_folder())
    pipe.set_progress_bar_config(disable=True)
    half = drawn // 2
    mixed = lesson.captioned_scenes(half, seed=11, held_out=False).scenes
    mixed += lesson.captioned_scenes(drawn - half, seed=11, held_out=True).scenes

    def share(w, n):
        return round(lesson.right(pipe, pipe.unet, mixed, w=w, steps=n), 4)

    figures = {
        "by_guidance": {w: share(w, 20) for w in guidance},
        "by_guidance_8_steps": {w: share(w, 8) for w in guidance},
        "by_steps": {n: share(2, n) for n in drawing_steps},
    }
    own = pipe.scheduler
    for kind in (EulerDiscreteScheduler, DPMSolverMultistepScheduler):
        pipe.scheduler = kind.from_config(own.config)
        name = "by_steps_" + kind.__name__.removesuffix("Scheduler")
        figures[name] = {n: _by_pipeline(lesson, pipe, mixed, n) for n in drawing_steps}
    pipe.scheduler = own

    found = {"steps": steps, "prompts": prompts}
    whole = lesson.captioned_scenes(whole_world, seed=4)
    exam = [lesson.captioned_scenes(prompts, seed=11, held_out=which).scenes for which in (False, True)]
    found["whole"] = _young(lesson, pipe, whole.captions, whole.images, exam, seed=0, steps=steps)
    learned = lesson.easy(False)
    captions, images = [scene.caption for scene in learned], lesson.render(learned, jitter=0)
    exam = [lesson.some(lesson.easy(which), prompts, seed=60) for which in (False, True)]
    found["easy"] = [_young(lesson, pipe, captions, images, exam, seed=seed, steps=steps) for seed in seeds]
    order = torch.randperm(len(captions), generator=torch.Generator().manual_seed(0)).tolist()
    other = [captions[i] for i in order]
    found["shuffled"] = _young(lesson, pipe, other, images, exam, seed=0, steps=steps)
    return {**figures, "from_nothing": found}


def _by_pipeline(lesson, pipe, scenes, steps):
    """The share drawn right by the pipeline itself with the scheduler that it holds."""
    settings = {"guidance_scale": 2.0, "num_inference_steps": steps, "output_type": "pt"}
    generator = torch.Generator().manual_seed(0)
    images = pipe([scene.caption for scene in scenes], generator=generator, **settings).images
    return round(lesson.drawn_right(images, scenes).float().mean().item(), 4)


def _young(lesson, pipe, captions, images, exam, *, seed, steps):
    """Train a fresh U-Net on pictures with captions; its CPU seconds, and the shares of prompts that it draws right."""
    lesson.seed_everything(seed)
    unet = lesson.UNet2DConditionModel.from_config(pipe.unet.config)
    with torch.no_grad():
        told, empty = lesson.states_of(pipe, list(captions)), lesson.states_of(pipe, [""])[0]
    latents = lesson.to_latents(pipe.vae, images)
    history = lesson.train_unet(unet.train(), latents, told, empty, pipe.scheduler.alphas_cumprod, seed, steps)
    unet.eval().requires_grad_(False)
    seen, held_out = (round(lesson.right(pipe, unet, scenes, seed=seed), 4) for scenes in exam)
    return {"cpu_seconds": round(history.cpu_seconds), "seen": seen, "held_out": held_out}
