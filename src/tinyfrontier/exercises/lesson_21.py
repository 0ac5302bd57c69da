"""Exercises of lesson 21, designing molecules: stable atoms, noise without a shift, one step back, three scores."""

import math

import torch

from .form import exercise


def numbers(*shape, seed=0, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@exercise(
    returns="boolean tensor (batch, n)",
    points=1,
    equivalent_mutants=["-1 -> -2 in used = orders.sum(dim=-1)"],  # orders are the same both ways
)
def stable_atoms(orders, elements):
    rows = []
    for matrix, letters in zip(orders.tolist(), elements.tolist()):
        rows.append([0 < sum(row) <= {0: 4, 1: 3, 2: 2, 3: 1}[letter] for row, letter in zip(matrix, letters)])
    return torch.tensor(rows, dtype=torch.bool).reshape(elements.shape)


def chain(*orders):
    """The bond matrix of a chain with these orders: (1, n, n)."""
    matrix = torch.zeros(1, len(orders) + 1, len(orders) + 1, dtype=torch.long)
    for place, order in enumerate(orders):
        matrix[0, place, place + 1] = matrix[0, place + 1, place] = order
    return matrix


@stable_atoms.cases
def _():
    yield "the worked example", chain(1, 2), torch.tensor([[0, 2, 2]])
    yield "each element full", torch.cat([chain(3, 1), chain(1, 2)]), torch.tensor([[1, 0, 3], [3, 1, 2]])
    yield "each element one too many", torch.cat([chain(2, 3), chain(2, 2)]), torch.tensor([[3, 0, 2], [3, 1, 0]])
    yield "an atom alone", chain(1, 0, 1), torch.tensor([[0, 0, 0, 2]])
    yield "a ring", torch.tensor([[[0, 1, 2], [1, 0, 1], [2, 1, 0]]]), torch.tensor([[0, 2, 1]])
    yield "a batch of none", torch.zeros(0, 3, 3, dtype=torch.long), torch.zeros(0, 3, dtype=torch.long)
    yield "one atom", torch.zeros(2, 1, 1, dtype=torch.long), torch.tensor([[0], [3]])


@stable_atoms.usual
def stable_atoms(orders, elements):
    used = orders.sum(dim=-1)
    return (used > 0) & (used <= torch.tensor([4, 3, 2, 1])[elements])


stable_atoms.slip("(used > 0) & ", "", "alone").says("an atom without any bond is not part of a molecule.")
stable_atoms.slip("<= torch", "== torch", "exactly full").says(
    "you want every valence used up. Hydrogens fill the rest: fewer bonds are fine, if there is one."
)
stable_atoms.slip("<= torch", "< torch", "never full").says(
    "an atom may use its whole valence: carbon with four bonds is stable."
)
stable_atoms.slip("orders.sum(dim=-1)", "(orders > 0).sum(dim=-1)", "neighbours counted").says(
    "you counted neighbours. A double bond uses two of an atom's valence."
)
stable_atoms.slip("[4, 3, 2, 1]", "[1, 2, 3, 4]", "valences reversed").says(
    "the valences are in the wrong order: carbon, number 0, makes four bonds."
)


@stable_atoms.mistake("molecules", "the answer is the same for all atoms of a molecule. Each atom has its own.")
def _(orders, elements):
    used = orders.sum(dim=-1)
    good = (used > 0) & (used <= torch.tensor([4, 3, 2, 1])[elements])
    return good.all(dim=-1, keepdim=True).expand_as(good).clone()


@exercise(returns="four tensors: noisy x, noisy h, velocity of x, velocity of h", points=2)
def noisy_molecule(x, h, angle, noise_x, noise_h):
    rows = []
    for one_x, one_h, one_angle, e_x, e_h in zip(x, h, angle, noise_x, noise_h):
        e_x = e_x - sum(e_x[i] for i in range(len(e_x))) / len(e_x)
        cos, sin = torch.cos(one_angle), torch.sin(one_angle)
        row = [cos * one_x + sin * e_x, cos * one_h + sin * e_h, cos * e_x - sin * one_x, cos * e_h - sin * one_h]
        rows.append(row)
    return tuple(torch.stack([row[k] for row in rows]) for k in range(4))


@noisy_molecule.cases
def _():
    def some(batch, n, seed, angle=None):
        x = numbers(batch, n, 3, seed=seed)
        given = torch.linspace(0.2, 1.4, batch) if angle is None else torch.full((batch,), angle)
        noise = numbers(batch, n, 3, seed=seed + 2), numbers(batch, n, 4, seed=seed + 3)
        return x - x.mean(dim=1, keepdim=True), numbers(batch, n, 4, seed=seed + 1), given, *noise

    pair, quarter = torch.tensor([[[1.0, 0, 0], [-1, 0, 0]]]), torch.tensor([math.pi / 2])
    pushed = torch.tensor([[[2.0, 0, 0], [0, 0, 0]]])
    yield "the worked example", pair, torch.zeros(1, 2, 4), quarter, pushed, torch.zeros(1, 2, 4)
    yield "five molecules of six atoms", *some(5, 6, 0)
    yield "three molecules of three atoms", *some(3, 3, 10)
    yield "four molecules of four atoms", *some(4, 4, 20)
    yield "a batch of one", *some(1, 5, 30)
    yield "no noise", *some(2, 3, 40, angle=0.0)
    yield "one atom", *some(2, 1, 50)


@noisy_molecule.usual
def noisy_molecule(x, h, angle, noise_x, noise_h):
    noise_x = noise_x - noise_x.mean(dim=1, keepdim=True)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    noisy = cos * x + sin * noise_x, cos * h + sin * noise_h
    return *noisy, cos * noise_x - sin * x, cos * noise_h - sin * h


noisy_molecule.slip("    noise_x = noise_x - noise_x.mean(dim=1, keepdim=True)\n", "", "middle not taken out").says(
    "the noise moves the molecule's middle away from zero. Take the noise's mean over the atoms out first."
)
noisy_molecule.slip("noise_x.mean(dim=1, keepdim=True)", "noise_x.mean(dim=0, keepdim=True)", "over the batch").says(
    "you took the mean over molecules. Each molecule has a middle of its own: the mean over its atoms."
)
noisy_molecule.slip("noise_x.mean(dim=1, keepdim=True)", "noise_x.mean()", "one mean").says(
    "you took one mean of all numbers. The middle is a point for each molecule: a mean for each axis."
)
noisy_molecule.slip(
    "cos * noise_x - sin * x, cos * noise_h - sin * h", "sin * x - cos * noise_x, sin * h - cos * noise_h", "sign"
).says("the velocities point backwards, to the clean molecule. They point along the growing angle, to the noise.")
noisy_molecule.slip(
    "cos * noise_x - sin * x, cos * noise_h - sin * h", "noise_x + 0 * x, noise_h + 0 * h", "noise for velocity"
).says("you returned the noise itself. The velocity is the cosine times the noise less the sine times the clean part.")
noisy_molecule.slip("cos * x + sin * noise_x, cos * h", "sin * x + cos * noise_x, cos * h", "swapped").says(
    "cosine and sine changed places in noisy x: at angle 0 it should be clean."
)


@noisy_molecule.mistake("elements centred", "you centred the elements' noise as well. Only positions have a middle.")
def _(x, h, angle, noise_x, noise_h):
    noise_x, noise_h = (noise - noise.mean(dim=1, keepdim=True) for noise in (noise_x, noise_h))
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return cos * x + sin * noise_x, cos * h + sin * noise_h, cos * noise_x - sin * x, cos * noise_h - sin * h


@exercise(returns="tensor, shaped like `z`", points=2)
def step_back(z, velocity, angle, lower, fresh):
    """The mean and variance of a Gaussian chain that goes down from z, with the clean guess for the clean item."""
    a, s, b, r = math.cos(angle), math.sin(angle), math.cos(lower), math.sin(lower)
    clean, noise = a * z - s * velocity, s * z + a * velocity
    keep = r * r * a / (b * s)
    return b * clean + keep * noise + math.sqrt(max(r * r - keep * keep, 0.0)) * fresh


@step_back.cases
def _():
    def some(*shape, seed):
        return [numbers(*shape, seed=seed + k) for k in range(3)]

    def given(angle, lower, *shape, seed):
        z, velocity, fresh = some(*shape, seed=seed)
        return z, velocity, angle, lower, fresh

    yield "the worked example", torch.ones(1), torch.zeros(1), math.pi / 4, 0.0, torch.ones(1)
    yield "positions", *given(0.9, 0.8, 4, 6, 3, seed=0)
    yield "elements", *given(1.2, 0.3, 2, 5, 4, seed=10)
    yield "from pure noise", *given(math.pi / 2, 1.5, 3, 2, seed=20)
    yield "the last step", *given(0.01, 0.0, 3, 6, 3, seed=30)
    yield "a tiny step", *given(0.5, 0.499, 2, 3, seed=40)
    yield "one number", *given(1.0, 0.5, 1, seed=50)


@step_back.usual
def step_back(z, velocity, angle, lower, fresh):
    clean = math.cos(angle) * z - math.sin(angle) * velocity
    noise = math.sin(angle) * z + math.cos(angle) * velocity
    keep = math.sin(lower) ** 2 / math.cos(lower) / math.tan(angle)
    rest = (math.sin(lower) ** 2 - keep**2) ** 0.5
    return math.cos(lower) * clean + keep * noise + rest * fresh


step_back.slip(" - math.sin(angle) * velocity", " + math.sin(angle) * velocity", "clean guess").says(
    "the clean guess runs away from the clean item: the velocity points to the noise, so take it off."
)
step_back.slip("rest * fresh", "0 * fresh", "no fresh noise").says(
    "no fresh noise goes in. What is not kept of the old noise has to be drawn anew."
)
step_back.slip("(math.sin(lower) ** 2 - keep**2) ** 0.5", "(math.sin(lower) ** 2 - keep**2)", "variance").says(
    "the fresh noise is multiplied by its variance. Take the root: that is its standard deviation."
)
step_back.slip("math.cos(lower) * clean", "clean", "clean guess whole").says(
    "the clean guess goes in whole. At an angle above 0 only its cosine is left."
)
step_back.slip("math.tan(angle)", "math.sin(angle)", "cosine forgotten").says(
    "k lacks the cosine of the angle. From pure noise nothing of it should be kept."
)


@step_back.mistake("all noise kept", "the old noise is kept whole, as DDIM does. Here a part is drawn anew.")
def _(z, velocity, angle, lower, fresh):
    clean = math.cos(angle) * z - math.sin(angle) * velocity
    noise = math.sin(angle) * z + math.cos(angle) * velocity
    return math.cos(lower) * clean + math.sin(lower) * noise + 0 * fresh


@step_back.mistake("all noise fresh", "the noise guess is thrown away. A part k of it stays.")
def _(z, velocity, angle, lower, fresh):
    clean = math.cos(angle) * z - math.sin(angle) * velocity
    return math.cos(lower) * clean + math.sin(lower) * fresh


@exercise(returns="three floats", points=1)
def design_scores(names, known):
    valid, distinct, new = [], [], []
    for name in names:
        if name is not None:
            valid.append(name)
            if name not in distinct:
                distinct.append(name)
                if name not in known:
                    new.append(name)
    return (
        len(valid) / len(names) if names else 0.0,
        len(distinct) / len(valid) if valid else 0.0,
        len(new) / len(distinct) if distinct else 0.0,
    )


@design_scores.cases
def _():
    yield "the worked example", ["CC", "CO", None, "CC"], {"CO"}
    yield "all refused", [None, None], {"CC"}
    yield "no draws", [], {"CC"}
    yield "nothing known", ["CC", "CN", "CC"], set()
    yield "all known", ["CC", "CN", None], {"CC", "CN", "CF"}
    yield "one molecule, four times", ["CF"] * 4 + [None], {"CC"}
    yield "a part of a known one", ["CC", "CO", "c1ccccc1"], {"CCC", "C1CCCCC1", "CO"}
    yield "known ones repeated", ["CC", "CC", "CC", "CN", "CO", None, None], {"CC"}


@design_scores.usual
def design_scores(names, known):
    valid = [name for name in names if name is not None]
    distinct = set(valid)
    pairs = (valid, names), (distinct, valid), (distinct - known, distinct)
    return tuple(len(part) / max(len(whole), 1) for part, whole in pairs)


design_scores.slip("if name is not None", "if True", "refused ones counted").says(
    "`None` was counted as a molecule. It means that the judge refused the draw."
)
design_scores.slip("(distinct, valid)", "(distinct, names)", "unique of all").says(
    "uniqueness is a share of the valid draws, not of all draws."
)
design_scores.slip("known, distinct)", "known, valid)", "new of valid").says(
    "novelty is a share of the different molecules, not of the valid draws."
)
design_scores.slip("known, distinct)", "known, names)", "new of all").says(
    "novelty is a share of the different molecules, not of all draws."
)
design_scores.slip("distinct - known", "distinct & known", "known for new").says(
    "this is the share of known molecules. Novelty is the share of the others."
)


@design_scores.mistake("repeats", "novelty counts a molecule as often as it was drawn. Each counts once.")
def _(names, known):
    valid = [name for name in names if name is not None]
    distinct, new = set(valid), [name for name in valid if name not in known]
    pairs = (valid, names), (distinct, valid), (new, valid)
    return tuple(len(part) / max(len(whole), 1) for part, whole in pairs)


@design_scores.mistake("nothing divided", "a share of nothing is 0: guard the divisions.")
def _(names, known):
    valid = [name for name in names if name is not None]
    distinct = set(valid)
    return len(valid) / len(names), len(distinct) / len(valid), len(distinct - known) / len(distinct)
