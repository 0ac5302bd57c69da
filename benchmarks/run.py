"""The benchmarks' table: the lessons' own code against the field's libraries, as ratios within one run.

`python3 course.py bench` prints it. `--quick` takes small cases and few repeats, `--notebooks` executes every solution
anew, `--json` prints the rows for a program. Own code and peer take turns, so both meet the same machine; a row shows
medians of CPU time on one thread, and is made only after both gave the same numbers. Tests never assert a time.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", HF_HUB_OFFLINE="1", TQDM_DISABLE="1")

import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from types import ModuleType

import torch

from tinyfrontier.authoring import definitions, find_lessons, read_lesson, records
from tinyfrontier.authoring.build import in_reference_seconds
from tinyfrontier.authoring.calibration import PEAK_MIB_LIMIT, REFERENCE_SECONDS, SECONDS_WANTED, calibrate
from tinyfrontier.authoring.kernels import Cost, execute
from tinyfrontier.authoring.lessons import ROOT, Lesson
from tinyfrontier.authoring.notebooks import to_notebook
from tinyfrontier.beside import load_record

TOLERANCE = 1e-4  # float32 sums in another order; an own version that is further off is another function


@dataclass(frozen=True)
class Row:
    """One line of a table: what ours and the peer's took in `unit`, and how often the peer's fits into ours."""

    name: str
    case: str
    peer: str
    own: float
    other: float
    unit: str = "ms"

    @property
    def ratio(self) -> float:
        """Own over peer: above 1 ours is slower or larger."""
        return self.own / self.other


@dataclass
class Effort:
    """How much to spend: pairs of measurements a row, and the least CPU seconds of one measurement."""

    repeats: int
    seconds: float
    quick: bool
    skipped: list[str] = field(default_factory=list)


def cpu_seconds(function: Callable[[], object], calls: int) -> float:
    """Mean CPU seconds of a call."""
    began = time.process_time()
    for _ in range(calls):
        function()
    return (time.process_time() - began) / calls


def race(own: Callable[[], object], other: Callable[[], object], effort: Effort) -> tuple[float, float]:
    """Median milliseconds of both, measured in turns: own first in one round, the peer first in the next."""
    once = max(cpu_seconds(own, 2), cpu_seconds(other, 2), 1e-7)  # and both are warm now
    calls = max(1, math.ceil(effort.seconds / once))
    took: dict[Callable, list[float]] = {own: [], other: []}
    for turn in range(effort.repeats):
        for function in (own, other) if turn % 2 == 0 else (other, own):
            took[function].append(cpu_seconds(function, calls))
    return 1000 * statistics.median(took[own]), 1000 * statistics.median(took[other])


def must_agree(name: str, own: torch.Tensor, other: torch.Tensor) -> None:
    """Stop the benchmark where the two sides compute different things.

    Raises:
        AssertionError: if they differ by more than rounding does.
    """
    difference = (own - other).abs().max().item()
    if not difference <= TOLERANCE * max(1.0, other.abs().max().item()):
        raise AssertionError(f"{name}: ours and the library's differ by {difference:.2g}, so their times mean nothing")


def code_of(lesson: int, effort: Effort) -> ModuleType | None:
    """What a lesson defines; None, with a note below the table, while it is not written."""
    try:
        return definitions(lesson)
    except ValueError as error:
        effort.skipped.append(f"lesson {lesson:02d} is left out: {error}")
        return None


def training(function: Callable[..., torch.Tensor], leaves: list[torch.Tensor]) -> Callable[[], object]:
    """A forward and a backward pass, with gradients for all leaves."""
    return lambda: torch.autograd.grad(function(*leaves).square().mean(), leaves)


def training_step(model: torch.nn.Module, loss: Callable[[], torch.Tensor]) -> Callable[[], None]:
    """One update of all weights: gradients of `loss()`, then AdamW."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def once() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss().backward()
        optimiser.step()

    return once


def attention_rows(effort: Effort) -> Iterator[Row]:
    """Lesson 01's three lines against PyTorch's fused attention."""
    code = code_of(1, effort)
    if code is None:
        return
    own, other = code.attention, torch.nn.functional.scaled_dot_product_attention
    for tokens in (32, 128) if effort.quick else (64, 256, 1024):
        torch.manual_seed(0)
        leaves = [torch.randn(1, 4, tokens, 32, requires_grad=True) for _ in range(3)]
        fixed = [leaf.detach() for leaf in leaves]
        must_agree("attention", own(*fixed), other(*fixed))
        for kind, pair in (
            ("forward", (lambda x=fixed: own(*x), lambda x=fixed: other(*x))),
            ("forward + backward", (training(own, leaves), training(other, leaves))),
        ):
            case = f"{tokens} tokens, 4 heads of 32, {kind}"
            yield Row("attention (01)", case, "torch, scaled_dot_product_attention", *race(*pair, effort))


def gpt_rows(effort: Effort) -> Iterator[Row]:
    """Lesson 02's decoder against transformers' GPT-2 with the same weights, and its KV cache against none."""
    code = code_of(2, effort)
    if code is None:
        return
    torch.manual_seed(0)
    vocabulary, width, layers, heads = (64, 32, 1, 4) if effort.quick else (1024, 128, 2, 4)
    model = code.GPT(vocabulary, 64, layers, heads, width).eval()
    library = code.published(model)
    tokens = torch.randint(vocabulary, (2 if effort.quick else 8, 64))
    with torch.no_grad():
        must_agree("GPT logits", model(tokens)[0], library(tokens).logits)

    def logits_of(network):
        found = network(tokens)
        return found[0] if isinstance(found, tuple) else found.logits

    def forward(network):
        with torch.no_grad():
            return logits_of(network)

    def step(network):
        def loss():
            logits = logits_of(network)[:, :-1].flatten(0, 1)
            return torch.nn.functional.cross_entropy(logits, tokens[:, 1:].flatten())

        return training_step(network, loss)

    peer, size = "transformers, GPT2LMHeadModel", f"{tokens.numel()} tokens, {layers} layers of width {width}"
    pair = race(lambda: forward(model), lambda: forward(library), effort)
    yield Row("GPT (02)", f"{size}, forward", peer, *pair)
    yield Row("GPT (02)", f"{size}, training step with AdamW", peer, *race(step(model), step(library), effort))
    start, best = torch.zeros(1, 1, dtype=torch.long), code.sampler(temperature=0)
    for new in (8, 16) if effort.quick else (25, 100, 400):
        writer = code.GPT(vocabulary, 512, layers, heads, width).eval()
        few = Effort(3, 0.0, effort.quick)  # one writing of 400 tokens is long enough by itself
        write = partial(code.generate, writer, start, new, best)
        times = race(partial(write, cached=True), partial(write, cached=False), few)
        yield Row("writing with a KV cache (02)", f"{new} new tokens", "the same model without a cache", *times)


def mixture_rows(effort: Effort) -> Iterator[Row]:
    """Lesson 06's sorted dispatch against the block that transformers runs for Mixtral, with the same weights."""
    code = code_of(6, effort)
    if code is None:
        return
    for tokens, width, hidden in ((64, 32, 64),) if effort.quick else ((256, 64, 128), (2048, 128, 256)):
        torch.manual_seed(0)
        shapes = (8, width), (8, 2 * hidden, width), (8, width, hidden)
        weights = [torch.randn(*shape) / shape[-1] ** 0.5 for shape in shapes]
        block = code.mixtral_block(*weights, k=2)
        x = torch.randn(tokens, width)
        leaves = [weight.clone().requires_grad_() for weight in weights]
        theirs = [
            dict(block.named_parameters())[name]
            for name in ("gate.weight", "experts.gate_up_proj", "experts.down_proj")
        ]

        def own(router, gate_up, down, x=x):
            return code.sorted_moe(x, *code.route(x @ router.T, 2), gate_up, down)

        def other(*_, block=block, x=x):
            return block(x[None])[0]

        def without_gradients(function, leaves=leaves):
            with torch.no_grad():
                return function(*leaves)

        must_agree("mixture of experts", without_gradients(own), without_gradients(other))
        for kind, pair in (
            ("forward", (lambda f=own: without_gradients(f), lambda f=other: without_gradients(f))),
            ("forward + backward", (training(own, leaves), training(other, theirs))),
        ):
            case = f"{tokens} tokens, width {width}, 8 experts, 2 used, {kind}"
            yield Row("mixture of experts (06)", case, "transformers, MixtralSparseMoeBlock", *race(*pair, effort))


def diffusion_rows(effort: Effort) -> Iterator[Row]:
    """Lesson 15's training step: its noise schedule against diffusers' scheduler, then its U-Net against diffusers'."""
    code = code_of(15, effort)
    if code is None:
        return
    from diffusers import DDPMScheduler, UNet2DModel

    scheduler = DDPMScheduler(num_train_timesteps=code.STEPS, trained_betas=code.BETAS.tolist())
    draw = torch.Generator().manual_seed(0)
    count = 8 if effort.quick else 64  # the lesson's batch
    images = torch.rand(count, 1, 8, 8, generator=draw)
    labels = torch.randint(10, (count,), generator=draw)

    def loss_by_scheduler(predict, images, generator):
        t = torch.randint(scheduler.config.num_train_timesteps, (len(images),), generator=generator)
        noise = torch.randn(images.shape, generator=generator)
        return torch.nn.functional.mse_loss(predict(scheduler.add_noise(images, noise, t), t), noise)

    torch.manual_seed(0)
    library = UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        mid_block_type=None,
        norm_num_groups=4,
        num_class_embeds=11,
    )

    def by_lesson(model):
        return lambda noisy, t: model(noisy, t, labels)

    def by_library(noisy, t):
        return library(noisy, t, class_labels=labels, return_dict=False)[0]

    def step(model, loss, predict):
        generator = torch.Generator().manual_seed(0)
        return training_step(model, lambda: loss(predict, images, generator))

    first, second = code.UNet(), code.UNet()
    second.load_state_dict(first.state_dict())
    with torch.no_grad():
        losses = [
            loss(by_lesson(first), images, torch.Generator().manual_seed(1))
            for loss in (code.noise_loss, loss_by_scheduler)
        ]
    must_agree("diffusion loss", *losses)
    own = step(first, code.noise_loss, by_lesson(first))
    case = f"{count} digits, forward + backward + AdamW"
    same = step(second, loss_by_scheduler, by_lesson(second))
    yield Row("diffusion, training step (15)", case, "the same U-Net, diffusers' scheduler", *race(own, same, effort))
    theirs = step(library, loss_by_scheduler, by_library)
    yield Row("diffusion, training step (15)", case, "diffusers, UNet2DModel of like size", *race(own, theirs, effort))


def stable_diffusion_rows(effort: Effort) -> Iterator[Row]:
    """Lesson 16: an image by its own loop against the pipeline's, by steps; a training step, own against diffusers'."""
    code = code_of(16, effort)
    if code is None:
        return
    pipe = code.StableDiffusionPipeline.from_pretrained(code.stable_diffusion_folder())
    pipe.set_progress_bar_config(disable=True)
    prompt = "a small red circle left of a large blue square"
    # Each call is long enough to be measured by itself.
    slow = Effort(repeats=min(3, effort.repeats), seconds=0.0, quick=effort.quick)
    for steps in (4,) if effort.quick else (4, 8, 20, 50):

        def own(steps=steps):
            return code.to_images(pipe.vae, code.latent_path(pipe, pipe.unet, [prompt], w=2.0, steps=steps, seed=0)[-1])

        def theirs(steps=steps):
            settings = {"guidance_scale": 2.0, "num_inference_steps": steps, "output_type": "pt"}
            return pipe(prompt, generator=torch.Generator().manual_seed(0), **settings).images

        must_agree(f"image in {steps} steps", own(), theirs())
        name = "Stable Diffusion, one image (16)"
        yield Row(name, f"{steps} guided steps", "diffusers, the pipeline", *race(own, theirs, slow))

    data = code.captioned_scenes(8 if effort.quick else 64, seed=0)
    latents, states = code.to_latents(pipe.vae, data.images), code.states_of(pipe, data.captions)
    empty, scheduler = code.states_of(pipe, [""])[0], pipe.scheduler
    torch.manual_seed(0)
    first, second = (code.UNet2DConditionModel.from_config(pipe.unet.config) for _ in range(2))
    second.load_state_dict(first.state_dict())

    def by_lesson():
        draw = torch.Generator().manual_seed(1)
        return code.v_loss(first, latents, states, empty, scheduler.alphas_cumprod, draw, batch=len(latents))

    def by_scheduler():
        draw, batch = torch.Generator().manual_seed(1), len(latents)
        rows = torch.randint(len(latents), (batch,), generator=draw)
        t = ((torch.arange(batch) + torch.rand(batch, generator=draw)) * 1000 / batch).long()
        noise, told = torch.randn(latents.shape, generator=draw), states[rows]
        told[torch.rand(batch, generator=draw) < 0.1] = empty
        noisy, v = (step(latents[rows], noise, t) for step in (scheduler.add_noise, scheduler.get_velocity))
        return torch.nn.functional.mse_loss(second(noisy, t, told).sample, v)

    with torch.no_grad():
        must_agree("latent diffusion loss", by_lesson(), by_scheduler())
    steps = [training_step(model, loss) for model, loss in ((first, by_lesson), (second, by_scheduler))]
    case = f"{len(latents)} latents, forward + backward + AdamW"
    yield Row("latent U-Net, training step (16)", case, "diffusers' scheduler", *race(*steps, slow))


def pinn_rows(effort: Effort) -> Iterator[Row]:
    """Lesson 22's residual by jets carried forwards against the same by derivatives taken backwards, and its step."""
    code = code_of(22, effort)
    if code is None:
        return
    theta = code.fresh(0)
    for number in (50,) if effort.quick else (200, 1000):
        points = torch.rand(2, number, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

        def forwards(theta, points=points):
            return code.at(code.law, theta, *points)

        def backwards(theta, points=points):
            return code.burgers_residual(
                lambda t, x: code.at(code.solution, theta, t, x)[:, 0], *points, code.VISCOSITY
            )

        must_agree("residual", forwards(theta), backwards(theta).detach())
        leaves = [theta.clone().requires_grad_()]
        pair = training(forwards, leaves), training(backwards, leaves)
        case = f"{number} points, residual and gradient"
        yield Row("PINN (22)", case, "the same by torch.autograd.grad twice", *race(*pair, effort))

        def step(points=points):
            return code.damped_step(*code.stacked([(code.law, *points)], theta, code.grad_and_value)[0], 1e-2)

        peer = "one gradient of the same loss"
        yield Row("PINN (22)", f"{number} points, Jacobian and damped step", peer, *race(step, pair[0], effort))


def symmetry_rows(effort: Effort) -> Iterator[Row]:
    """Lesson 18: its p4 convolution against a plain one of as many outputs, its E(n) layer against the plain one."""
    code = code_of(18, effort)
    if code is None:
        return
    torch.manual_seed(0)
    for channels in (2,) if effort.quick else (8, 16):
        layer, images = code.P4Conv(channels, channels), torch.randn(32, 4 * channels, 8, 8)
        plain = torch.nn.Conv2d(4 * channels, 4 * channels, 3, padding=1)
        with torch.no_grad():  # so that both compute the same
            plain.weight.copy_(code.turned_filters(layer.weight))
            plain.bias.copy_(layer.bias.repeat_interleave(4))
            must_agree("p4 convolution", layer(images), plain(images))
        pair = [training(lambda *_, f=f, images=images: f(images), list(f.parameters())) for f in (layer, plain)]
        case = f"32 images of 8 x 8, {channels} channels in 4 orientations, forward + backward"
        yield Row("p4 convolution (18)", case, "torch, Conv2d of as many outputs", *race(*pair, effort))
    for count in (8,) if effort.quick else (64, 512):
        systems = code.particles(count, 0)[:3]
        pair = []
        for model in (code.SymmetricParticles(), code.PlainParticles()):
            used = [(name, weight) for name, weight in model.named_parameters() if "layers.1.gather" not in name]
            leaves = [weight for _, weight in used]  # what the last layer gathers is not read
            pair.append(training(lambda *_, f=model, systems=systems: f(*systems), leaves))
        case = f"{count} systems of 5 particles, 2 layers, forward + backward"
        yield Row("E(n) graph network (18)", case, "the plain one of like size", *race(*pair, effort))


def weather_rows(effort: Effort) -> Iterator[Row]:
    """Lesson 24: its shipped network against the solver of the same grid, and against one about as good on day 5."""
    code = code_of(24, effort)
    if code is None:
        return
    many = 4 if effort.quick else 32
    starts = code.resized(code.LIVE[0, ::7][:many], 64)

    def network():
        return code.roll(code.WEATHER[0], starts, 2)

    for size in (32,) if effort.quick else (32, 40):

        def solver(size=size):
            return code.solve(size, starts, 2)

        peer = f"solver on {size} x {size} cells" + (", about as good on day 5" if size == 40 else "")
        yield Row("weather network (24)", f"{many} forecasts, two days", peer, *race(network, solver, effort))


def import_row(effort: Effort) -> Iterator[Row]:
    """Starting Python and importing the package, against starting Python alone; wall time of the process."""
    took: dict[str, list[float]] = {"import tinyfrontier": [], "pass": []}
    for _ in range(3 if effort.quick else 5):
        for code in took:
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            took[code].append(1000 * (time.perf_counter() - began))
    own, other = (statistics.median(times) for times in took.values())
    yield Row("import tinyfrontier", "a new process, wall time", "python -c pass", own, other)


def calibration_row(effort: Effort) -> Iterator[Row]:
    """This machine now against the reference machine: one round of the calibration's small training job."""
    speed = calibrate(3 if effort.quick else 12)
    case = "a small training job, one round"
    yield Row("calibration", case, "the reference machine", speed.cpu * REFERENCE_SECONDS, REFERENCE_SECONDS, "s")


def cost_rows(lesson: Lesson, cost: Cost, source: str) -> list[Row]:
    """A notebook's cost, in seconds of the reference machine, against what the course allows itself."""
    return [
        Row(lesson.stem, source, "reference seconds wanted", cost.cpu_seconds, SECONDS_WANTED, "s"),
        Row(lesson.stem, source, "peak memory allowed", cost.peak_mib, PEAK_MIB_LIMIT, "MiB"),
    ]


def notebook_rows(effort: Effort, anew: bool) -> Iterator[Row]:
    """Every lesson's whole notebook: the cost that the last build wrote down, and if asked for, measured anew.

    Measured anew is the whole proof of a lesson: its solution in full, and its student's copy in rehearsal beside it.
    """
    for path in find_lessons():
        try:
            lesson = read_lesson(path)
        except ValueError as error:
            effort.skipped.append(f"{path.stem} is left out: {str(error).splitlines()[0]}")
            continue
        budget = lesson.front["budget"]
        if budget["reference_seconds"] > 0:
            yield from cost_rows(lesson, Cost(budget["reference_seconds"], budget["peak_mib"]), "last build")
        else:
            effort.skipped.append(f"{lesson.stem} has not been built yet, so its cost is not known")
        if anew:
            speed = calibrate()
            solution = in_reference_seconds(execute(to_notebook(lesson, solution=True), ROOT / "notebooks"), speed)
            copy = to_notebook(lesson, solution=False)
            rehearsed = execute(copy, ROOT / "notebooks", strict=False, rehearsal=True)
            rehearsed = in_reference_seconds(rehearsed, speed)
            yield from cost_rows(lesson, solution, "now")
            both = solution.cpu_seconds + rehearsed.cpu_seconds
            yield Row(lesson.stem, "proof: solution + rehearsal", "solution alone", both, solution.cpu_seconds, "s")


def all_rows(effort: Effort, notebooks: bool = False) -> Iterator[Row]:
    """All rows of the table, in order."""
    for rows in (
        calibration_row,
        attention_rows,
        gpt_rows,
        mixture_rows,
        diffusion_rows,
        stable_diffusion_rows,
        pinn_rows,
        symmetry_rows,
        weather_rows,
        import_row,
    ):
        yield from rows(effort)
    yield from notebook_rows(effort, notebooks)


def remeasure() -> list[str]:
    """Lines of a table: one lesson's record, drawn at random and measured anew, as recorded and as now (minutes)."""
    lesson = random.choice(records.recorded())
    old, new = load_record(lesson), records.measured(lesson)
    lines = [f"lesson {lesson:02d}, {old.note}", "", "| figure | recorded | now |", "|---|---|---|"]
    lines += [f"| {name} | {old.figures.get(name)} | {value} |" for name, value in new.figures.items()]
    return [*lines, f"| CPU seconds | {old.cpu_seconds} | {new.cpu_seconds} |"]


def line(row: Row) -> str:
    """A row as a line of the Markdown table."""
    cells = (
        row.name,
        row.case,
        row.peer,
        f"{row.own:.3g} {row.unit}",
        f"{row.other:.4g} {row.unit}",
        f"{row.ratio:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str] | None = None) -> int:
    """Print the table; the exit code is 0 unless a row fails."""
    parser = argparse.ArgumentParser(prog="course.py bench", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small cases and few repeats: a look, not a measurement")
    parser.add_argument("--notebooks", action="store_true", help="execute every solution and measure it (minutes)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON instead of a table")
    parser.add_argument("--records", action="store_true", help="measure one recorded result anew, drawn at random")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.records:
        print("\n".join(remeasure() if records.recorded() else ["no lesson has a record"]))
        return 0
    quick = options.quick
    effort = Effort(repeats=3 if quick else 15, seconds=0.002 if quick else 0.05, quick=quick)
    rows = []
    if not options.json:
        print(
            f"torch {torch.__version__}, one thread, medians of {effort.repeats}; own / peer above 1: ours is slower\n"
        )
        print("| what | case | peer | own | peer's | own / peer |\n|---|---|---|---|---|---|", flush=True)
    for row in all_rows(effort, options.notebooks):
        rows.append(row)
        if not options.json:
            print(line(row), flush=True)
    if options.json:
        table = [{**asdict(row), "ratio": row.ratio} for row in rows]
        print(json.dumps({"rows": table, "skipped": effort.skipped}, indent=1))
    else:
        for note in effort.skipped:
            print(f"\n{note}")
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # a note may quote a path that the locale has no letters for
    sys.exit(main())
