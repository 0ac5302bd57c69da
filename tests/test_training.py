"""The training loop: it learns, repeats itself, and refuses what cannot be trained."""

import pytest
import torch

from tinyfrontier.training import REHEARSAL_STEPS, History, device, fit, learning_rate_factor, progress, seed_everything


def line(seed: int = 0):
    """A linear model and its loss on noisy data."""
    seed_everything(seed)
    model = torch.nn.Linear(3, 1)
    weights = torch.tensor([[1.0], [-2.0], [0.5]])

    def loss(generator):
        inputs = torch.randn(32, 3, generator=generator)
        return torch.nn.functional.mse_loss(model(inputs), inputs @ weights)

    return model, loss


def test_it_learns_and_keeps_the_history():
    """The loss of a solvable problem falls to nearly nothing, and each step is kept."""
    model, loss = line()
    history = fit(model, loss, steps=300, lr=0.05)
    assert history.steps == len(history.losses) == 300
    assert history.losses[0] > 1
    assert history.mean_of_last(20) < 1e-3
    assert history.cpu_seconds > 0


def test_the_same_seed_gives_the_same_run():
    """Two runs with a seed agree to the bit; another seed differs."""
    runs = []
    for seed in (0, 0, 1):
        model, loss = line()
        runs.append(fit(model, loss, steps=20, lr=0.05, seed=seed).losses)
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_list_of_parameters_can_be_trained():
    """Parameters may be given directly, and a callback sees every step."""
    weight = torch.nn.Parameter(torch.tensor(3.0))
    seen = []
    fit([weight], lambda generator: weight**2, steps=5, lr=0.5, schedule="constant", after_step=seen.append)
    assert seen == [0, 1, 2, 3, 4]
    assert abs(weight.item()) < 1.5


def test_gradients_are_clipped():
    """With a clip the first step of a steep loss is that of a gradient of the clip's norm."""
    weight = torch.nn.Parameter(torch.tensor(1.0))
    norms = []
    fit(
        [weight],
        lambda generator: 1e6 * weight,
        steps=1,
        lr=0.1,
        clip=1.0,
        after_step=lambda step: norms.append(weight.grad.item()),
    )
    assert norms == [pytest.approx(1.0)]


@pytest.mark.parametrize(
    ("schedule", "step", "factor"),
    [
        ("constant", 99, 1.0),
        ("cosine", 0, 1.0),
        ("cosine", 50, 0.5),
        ("linear", 75, 0.25),
        ("cosine", 100, 0.0),
    ],
)
def test_schedules(schedule, step, factor):
    """The factors at the start, the middle and the end are those of the named schedule."""
    assert learning_rate_factor(step, 100, schedule) == pytest.approx(factor)


def test_warm_up_rises_on_a_line():
    """The first steps climb to the peak."""
    assert [learning_rate_factor(step, 100, "constant", warmup=4) for step in range(5)] == [
        0.25,
        0.5,
        0.75,
        1.0,
        1.0,
    ]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps must be a positive int, got 0"),
        ({"lr": -1.0}, ValueError, "lr must be positive, got -1.0"),
        ({"schedule": "step"}, ValueError, "schedule must be one of cosine, constant, linear, got 'step'"),
        ({"model": []}, ValueError, "no parameters"),
        ({"loss": lambda generator: 1.0}, TypeError, "loss must return a tensor, got float"),
        ({"loss": lambda generator: torch.tensor(float("nan"))}, ValueError, "finite scalar"),
        ({"loss": lambda generator: torch.ones(2)}, ValueError, "finite scalar"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    """Each bad argument is refused by name."""
    model, loss = line()
    with pytest.raises(error, match=message):
        fit(**{"model": model, "loss": loss, "steps": 5, "lr": 0.1, **arguments})


def test_seeds_are_checked():
    """A seed is an int in NumPy's range."""
    for seed, error in ((-1, ValueError), (2**32, ValueError), (0.5, TypeError), (True, TypeError)):
        with pytest.raises(error, match="seed must be"):
            seed_everything(seed)


def test_an_empty_history_has_no_mean():
    """Asking an untrained history for its loss is an error."""
    with pytest.raises(ValueError, match="no losses yet"):
        History().mean_of_last()


def test_the_device_exists():
    """The chosen device can hold a tensor."""
    assert torch.ones(1, device=device()).sum().item() == 1


def test_the_device_can_be_told(monkeypatch):
    """TINYFRONTIER_DEVICE decides, also against a GPU that is there."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device().type == "cuda"
    monkeypatch.setenv("TINYFRONTIER_DEVICE", "cpu")
    assert device() == torch.device("cpu")


@pytest.mark.parametrize("name", ["warp", "cuda:99", "xpu"])
def test_a_device_that_is_not_there_is_refused(monkeypatch, name):
    """A device that is misspelt or absent is named together with the variable."""
    monkeypatch.setenv("TINYFRONTIER_DEVICE", name)
    with pytest.raises(ValueError, match=f"TINYFRONTIER_DEVICE must name a device that is present, got '{name}'"):
        device()


@pytest.fixture
def rehearsal(monkeypatch):
    """What the tests set for students' copies."""
    monkeypatch.setenv("TINYFRONTIER_REHEARSAL", "1")


@pytest.mark.usefixtures("rehearsal")
def test_a_rehearsed_training_makes_a_dozen_updates_and_keeps_its_length():
    """The loss is asked for a dozen times, the history and the callback see every step."""
    weight, asked, seen = torch.nn.Parameter(torch.tensor(3.0)), [], []

    def loss(generator):
        asked.append(weight.item())
        return weight**2

    history = fit([weight], loss, steps=400, lr=0.1, after_step=seen.append)
    assert len(asked) == history.steps == REHEARSAL_STEPS == 12
    assert seen == list(range(400))
    assert len(history.losses) == 400
    assert history.losses[-1] == history.losses[11] < history.losses[0]


def test_progress_goes_through_everything_but_in_a_rehearsal(monkeypatch):
    """An ordinary run visits every item; a rehearsal the first dozen, or as many as the author needs."""
    assert list(progress(40)) == list(range(40))
    assert list(progress("abc", "letters")) == ["a", "b", "c"]
    monkeypatch.setenv("TINYFRONTIER_REHEARSAL", "1")
    assert list(progress(40)) == list(range(12))
    assert list(progress(iter(range(40)), least=3)) == [0, 1, 2]
    assert list(progress(5)) == list(range(5))
    monkeypatch.setenv("TINYFRONTIER_REHEARSAL", "0")
    assert len(list(progress(40))) == 40


def test_progress_names_bad_arguments():
    """Wrong arguments are refused at once, not at the first step."""
    with pytest.raises(TypeError, match="items must be an iterable or an int, got float"):
        progress(2.5)
    with pytest.raises(ValueError, match="items must not be negative, got -1"):
        progress(-1)
    with pytest.raises(ValueError, match="least must be a positive int, got 0"):
        progress(3, least=0)
