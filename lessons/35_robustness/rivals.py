"""What a sceptic puts beside an attacked network: kernels, neighbours, lines, rounding, a convolution, aimed attacks.

Each rival gives scores (n, 10) for images (n, 64) with values from 0 to 1, as a network does. Draws nothing.
"""

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from torch import nn

from tinyfrontier.training import seed_everything


def _apart(z, x):
    """Squared distances (n, m) of n images from m others."""
    return (z**2).sum(1)[:, None] + (x**2).sum(1) - 2 * z @ x.T


def kernel_machine(x, y, width, penalty=10.0):
    """One support vector machine a class with kernel exp(-width |a - b|^2), as scikit-learn fits them.

    Args:
        x: training images (n, 64).
        y: their classes (n,).
        width: of the kernel, above 0.
        penalty: scikit-learn's C.

    Returns:
        A function from images to scores; its second argument is another width for a smoother guide.

    Raises:
        ValueError: if `width` is not above 0.
    """
    if not width > 0:
        raise ValueError(f"width must be above 0, got {width}")
    weights, offsets = torch.zeros(10, len(x)), torch.zeros(10)
    for c in range(10):
        machine = SVC(C=penalty, gamma=width).fit(x.numpy(), (y == c).numpy())
        weights[c, torch.as_tensor(machine.support_).long()] = torch.tensor(machine.dual_coef_[0]).float()
        offsets[c] = float(machine.intercept_[0])

    def scores(z, gamma=width):
        return torch.exp(-gamma * _apart(z, x)) @ weights.T + offsets

    return scores


def attacked_copies(lesson, x, y, width, eps):
    """Training images and classes with a copy of each that PGD changed by at most `eps` against a kernel machine."""
    worst, _ = lesson.pgd(kernel_machine(x, y, width), x, y, eps, steps=10)
    return torch.cat([x, worst]), torch.cat([y, y])


def neighbours(x, y, heat=None):
    """Scores of 1-nearest neighbour: minus the least squared distance to each class; softened by `heat` as a guide."""

    def scores(z):
        near = -_apart(z, x)
        parts = [near[:, y == c] for c in range(10)]
        if heat is None:
            return torch.stack([part.amax(1) for part in parts], 1)
        return torch.stack([torch.logsumexp(part * heat, 1) for part in parts], 1)

    return scores


def neighbours_proved(x, y, clean, labels, lower, upper):
    """Whether each image (n,) keeps its 1-nearest neighbour's class in its whole box; a proof where True.

    One neighbour of the right class must be nearer than each stranger everywhere in the box; the difference of two
    squared distances is linear, so its least value in a box is exact.
    """
    proved = torch.zeros(len(clean), dtype=torch.bool)
    for i in range(len(clean)):
        own, other = x[y == labels[i]], x[y != labels[i]]
        own = own[((clean[i] - own) ** 2).sum(1).argsort()[:30]]
        level = (other**2).sum(1)[None] - (own**2).sum(1)[:, None]
        slopes = 2 * (own[:, None] - other[None])
        least = slopes.clamp(min=0) @ lower[i] + slopes.clamp(max=0) @ upper[i] + level
        proved[i] = bool((least.amax(0) > 0).all())
    return proved


def logistic(x, y, penalty=0.1):
    """Logistic regression as scikit-learn fits it, as one linear layer."""
    found = LogisticRegression(C=penalty, max_iter=2000).fit(x.numpy(), y.numpy())
    layer = nn.Linear(64, 10)
    layer.weight.data, layer.bias.data = torch.tensor(found.coef_).float(), torch.tensor(found.intercept_).float()
    return layer


def rounded(model, levels=3, through=False):
    """The model behind pixels rounded to `levels` values; `through` lets slopes pass the rounding as if it were none.

    Raises:
        ValueError: if there are fewer than two levels.
    """
    if levels < 2:
        raise ValueError(f"levels must be at least 2, got {levels}")

    def scores(z):
        near = (z * (levels - 1)).round() / (levels - 1)
        return model(z + (near - z).detach() if through else near)

    return scores


def convolution(seed):
    """A small convolutional network with weights drawn by `seed`."""
    seed_everything(seed)
    narrow, wide, last = 16, 32, 64
    first = [nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, narrow, 3, padding=1), nn.ReLU()]
    second = [nn.Conv2d(narrow, wide, 3, padding=1, stride=2), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*first, *second, nn.Linear(16 * wide, last), nn.ReLU(), nn.Linear(last, 10))


def aimed(lesson, scores, x, y, eps, guide=None, steps=30, seed=0):
    """Whether each image (n,) survives attacks that aim at one of its three likeliest wrong classes after the other."""
    alive, draw = torch.ones(len(x), dtype=torch.bool), torch.Generator().manual_seed(seed)
    for rank in range(3):
        left = alive.nonzero()[:, 0]
        clean, label = x[left], y[left][:, None]
        target = scores(clean).detach().scatter(1, label, -torch.inf).argsort(1, descending=True)[:, [rank]]
        at = (clean + eps * (2 * torch.rand(clean.shape, generator=draw) - 1)).clamp(0, 1)
        for step in range(steps if len(left) else 0):
            at.requires_grad_()
            out = (guide or scores)(at)
            (slope,) = torch.autograd.grad((out.gather(1, target) - out.gather(1, label)).sum(), at)
            length = (2.5 if 2 * step < steps else 1) * eps / steps
            at = lesson.attack_step(at.detach(), clean, slope, length, eps)
            alive[left] &= lesson.margin(scores(at), label[:, 0]).detach() > 0
    return alive


def survivors(lesson, scores, x, y, eps, guides=(None,)):
    """Whether each image (n,) is answered rightly by `scores` after PGD and aimed attacks with each guide's slopes.

    Args:
        lesson: the lesson's definitions.
        scores: what is attacked.
        x: clean images (n, 64).
        y: their classes (n,).
        eps: half-width of the box; 0 attacks nothing.
        guides: whose slopes are followed; None stands for the attacked model's own.
    """
    alive = lesson.margin(scores(x), y).detach() > 0
    for seed, guide in enumerate(guides if eps else ()):
        left = alive.nonzero()[:, 0]
        alive[left] = lesson.pgd(scores, x[left], y[left], eps, seed=seed, guide=guide)[1] > 0
        left = alive.nonzero()[:, 0]
        alive[left] = aimed(lesson, scores, x[left], y[left], eps, guide, seed=seed)
    return alive
