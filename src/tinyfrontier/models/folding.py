"""A network that folds a chain from an alignment: pairs, triangles, moves in local frames, confidence.

After AlphaFold 2 (Jumper et al., 2021, https://doi.org/10.1038/s41586-021-03819-2), much reduced. Knows no data.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LETTERS = 8
REACH = 8  # steps along the chain that have a channel of their own
CHANNELS = LETTERS**2 + 4 * LETTERS + 2 * REACH + 1 + 2
BINS = 18  # of distances, one Angstrom each: below 4, 4 to 5, ..., 20 and more
UNIT = 10.0  # Angstrom, in which moves are counted


def information(letters: Tensor) -> Tensor:
    """Mutual information (..., length, length) of columns of alignments (..., depth, length), less what is common.

    With the average product correction of Dunn et al., 2008 (https://doi.org/10.1093/bioinformatics/btm604).
    """
    depth, length = letters.shape[-2:]
    hot = F.one_hot(letters, LETTERS).float().flatten(-2)  # (..., depth, length * letters)
    joint = (hot.mT @ hot / depth).unflatten(-1, (length, -1)).unflatten(-3, (length, -1))
    single = hot.mean(-2).unflatten(-1, (length, -1))
    own, both = torch.xlogy(single, single).sum(-1), torch.xlogy(joint, joint).sum((-3, -1))
    others = 1 - torch.eye(length)
    shared = (both - own[..., :, None] - own[..., None, :]) * others  # (..., length, length)
    mean = shared.sum(-1) / (length - 1)
    whole = mean.mean(-1)[..., None, None]
    common = mean[..., :, None] * mean[..., None, :] / whole.clamp(min=1e-9)
    return (shared - common) * others


def pair_features(letters: Tensor) -> Tensor:
    """What the network reads: (n, length, length, CHANNELS) from alignments (n, depth, length), the target first."""
    n, depth, length = letters.shape
    hot = F.one_hot(letters, LETTERS).float()
    mean = hot.mean(1)
    off = (hot - mean[:, None]).flatten(2)
    together = (off.mT @ off / depth).unflatten(2, (length, -1)).unflatten(1, (length, -1))
    together = 5 * together.transpose(2, 3).flatten(3)  # (n, length, length, 64)
    own = torch.cat([hot[:, 0], mean], -1)
    sides = [own.unsqueeze(axis).expand(n, length, length, -1) for axis in (2, 1)]
    steps = (torch.arange(length)[:, None] - torch.arange(length)).clamp(-REACH, REACH) + REACH
    along = F.one_hot(steps, 2 * REACH + 1).float().expand(n, -1, -1, -1)
    shared = 10 * information(letters)[..., None]
    return torch.cat([together, *sides, along, shared, torch.full_like(shared, depth).log() / 5], -1)


def between(places: Tensor) -> Tensor:
    """Distances (..., length, length) of places (..., length, 3)."""
    return ((places[..., :, None, :] - places[..., None, :, :]).square().sum(-1) + 1e-8).sqrt()


def bins_of(distances: Tensor) -> Tensor:
    """Numbers of the bins of distances, 0 to BINS - 1."""
    return (distances - 3).floor().clamp(0, BINS - 1).long()


def scaled(distances: Tensor) -> Tensor:
    """Places (..., length, 3) whose distances come near the given ones: classical scaling. The hand is chance."""
    inner = distances.square()
    inner = inner - inner.mean(-1, keepdim=True)
    inner = (inner.mean(-2, keepdim=True) - inner) / 2
    values, vectors = torch.linalg.eigh((inner + inner.mT) / 2)
    return vectors[..., -3:] * values[..., None, -3:].clamp(min=1e-6).sqrt()


@torch.no_grad()
def relaxed(places: Tensor, wanted: Tensor, steps: int = 15) -> Tensor:
    """Places (n, length, 3) after pairs have pulled and pushed towards wanted distances, near ones most."""
    weight = (1 - torch.eye(wanted.shape[-1])) / wanted.clamp(min=3).square()
    weight = weight / weight.sum(-1, keepdim=True)
    for _ in range(steps):
        now = between(places)
        pull = weight * (wanted / now - 1) / 2
        places = places + (pull[..., None] * (places[..., :, None, :] - places[..., None, :, :])).sum(-2)
    return places


def winding(places: Tensor) -> Tensor:
    """How three bonds in a row wind, (..., length - 3): above 0 to the right, below 0 to the left."""
    bonds = F.normalize(places[..., 1:, :] - places[..., :-1, :], dim=-1)
    return (torch.linalg.cross(bonds[..., :-2, :], bonds[..., 1:-1, :]) * bonds[..., 2:, :]).sum(-1)


def frames_of(places: Tensor) -> Tensor:
    """Right-handed frames (..., length, 3, 3), axes as columns, spanned by a residue and its two neighbours.

    The first and the last residue have their neighbour's.
    """
    bonds = F.normalize(places[..., 1:, :] - places[..., :-1, :], dim=-1)
    first = bonds[..., 1:, :]
    third = F.normalize(torch.linalg.cross(bonds[..., :-1, :], first), dim=-1)
    inner = torch.stack([first, torch.linalg.cross(third, first), third], dim=-1)
    return torch.cat([inner[..., :1, :, :], inner, inner[..., -1:, :, :]], dim=-3)


def seen_from(frames: Tensor, places: Tensor) -> Tensor:
    """Every residue as every frame sees it: (..., length, length, 3), the viewer first."""
    return (places[..., None, :, :] - places[..., :, None, :]) @ frames


def frame_error(places: Tensor, truth: Tensor, most: float = 20.0) -> Tensor:
    """Mean distance, at most `most`, between residues as guessed and true frames see them: (...), Angstrom."""
    off = seen_from(frames_of(places), places) - seen_from(frames_of(truth), truth)
    return (off.square().sum(-1) + 1e-4).sqrt().clamp(max=most).mean((-1, -2))


def lddt(places: Tensor, truth: Tensor) -> Tensor:
    """Local distance difference test of each residue (..., length), 0 to 1 (Mariani et al., 2013)."""
    said, true = between(places), between(truth)
    near = (true < 15) & ~torch.eye(true.shape[-1], dtype=torch.bool)
    off = (said - true).abs()
    kept = sum((off < bound).to(off.dtype) for bound in (0.5, 1, 2, 4)) / 4
    return (kept * near).sum(-1) / near.sum(-1).clamp(min=1)


def triangle_update(a: Tensor, b: Tensor, incoming: bool = False) -> Tensor:
    """Sum over k of a[i, k] b[j, k], or of a[k, i] b[k, j]; all (..., length, length, channels)."""
    if incoming:
        a, b = a.transpose(-3, -2), b.transpose(-3, -2)
    return torch.einsum("...ikc,...jkc->...ijc", a, b)


class Triangle(nn.Module):
    """Each pair hears of the two other sides of all its triangles."""

    def __init__(self, width: int, incoming: bool) -> None:
        super().__init__()
        self.incoming = incoming
        self.norm, self.after = nn.LayerNorm(width), nn.LayerNorm(width // 2)
        self.sides, self.gates = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width // 2, width)

    def forward(self, z: Tensor) -> Tensor:
        """What is to be added to pairs (n, length, length, width)."""
        z = self.norm(z)
        open_sides, open_leave = self.gates(z).sigmoid().chunk(2, dim=-1)
        a, b = (open_sides * self.sides(z)).chunk(2, dim=-1)
        return open_leave * self.leave(self.after(triangle_update(a, b, self.incoming)))


class Block(nn.Module):
    """Outgoing triangles, incoming triangles, and each pair alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        alone = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        self.parts = nn.ModuleList([Triangle(width, False), Triangle(width, True), nn.Sequential(*alone)])

    def forward(self, z: Tensor) -> Tensor:
        """Pairs (n, length, length, width) after the block."""
        for part in self.parts:
            z = z + part(z)
        return z


class Mover(nn.Module):
    """Every residue sees all others in its own frame and says where it wants to go."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.again = nn.Embedding(BINS, width)
        self.look = nn.Sequential(nn.Linear(2 * width + 5, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.wish = nn.Linear(width, 4)
        nn.init.zeros_(self.wish.weight)

    def forward(self, z: Tensor, expected: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """New places (n, length, 3) and what each residue heard (n, length, width)."""
        frames = frames_of(places).detach()
        seen, now = seen_from(frames, places) / UNIT, between(places)
        off = torch.stack([now, expected - now], -1) / UNIT
        heard = self.look(torch.cat([z, self.again(bins_of(now)), seen, off], -1))  # (n, length, length, width)
        wish = self.wish(heard)
        step = (wish[..., :3] + wish[..., 3:].tanh() * seen).mean(2)  # in the residue's own frame
        return places + UNIT * (frames @ step[..., None])[..., 0], heard.mean(2)


class Folder(nn.Module):
    """From pair features (n, length, length, CHANNELS) to places, confidence and distances."""

    def __init__(self, width: int = 32, blocks: int = 2) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(CHANNELS, width), nn.LayerNorm(width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.distances, self.winds, self.move = nn.Linear(width, BINS), nn.Linear(width, 2), Mover(width)
        self.trust = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, features: Tensor, turns: int = 4) -> dict:
        """A mapping: `path` (places after 0 to `turns` turns), `distances` (logits), `trust` (n, length), and the hand.

        `start` is the first shape, `winds` (n, length - 3) how its bonds should wind, `faith` (n,) the logit that its
        hand is right.
        """
        z = self.leave(self.blocks(self.enter(features)))
        distances = self.distances(z + z.transpose(1, 2))
        winds, weight = self.winds(z.diagonal(3, 1, 2).mT).unbind(-1)  # of the bonds between i and i + 3
        winds, weight = winds.tanh(), F.softplus(weight)
        expected = distances.softmax(-1).detach() @ (torch.arange(BINS) + 3.5)
        expected = expected * (1 - torch.eye(expected.shape[1]))
        start = relaxed(scaled(expected), expected)
        faith = (winding(start) * winds * weight).sum(1)
        path = [start * torch.where(faith < 0, -1.0, 1.0)[:, None, None]]
        for _ in range(turns):
            places, heard = self.move(z, expected, path[-1])
            path.append(places)
        own = torch.cat([heard, z.diagonal(0, 1, 2).mT], -1)
        trust = self.trust(own)[..., 0].sigmoid()
        return {"path": path, "distances": distances, "trust": trust, "start": start, "faith": faith, "winds": winds}


def soft_lddt(places: Tensor, truth: Tensor) -> Tensor:
    """An lDDT (...) with slopes: each bound is a smooth step (Abramson et al., 2024)."""
    said, true = between(places), between(truth)
    near = (true < 15) & ~torch.eye(true.shape[-1], dtype=torch.bool)
    kept = sum((bound - (said - true).abs()).sigmoid() for bound in (0.5, 1, 2, 4)) / 4
    return (kept * near).sum((-1, -2)) / near.sum((-1, -2))


def folding_loss(found: dict, truth: Tensor) -> Tensor:
    """What a `Folder` is trained on, with true places (n, length, 3): distances, hand, frames, bonds, own lDDT.

    Frames count only where the hand was guessed right: a mirror image cannot be mended by small moves.
    """
    places = found["path"][-1]
    bins = F.cross_entropy(found["distances"].permute(0, 3, 1, 2), bins_of(between(truth)))
    right = frame_error(found["start"], truth) < frame_error(-found["start"], truth)
    hand = F.binary_cross_entropy_with_logits(found["faith"], right.float())
    good = (right == (found["faith"] > 0)).float()
    errors = [(frame_error(each, truth) * good).sum() / good.sum().clamp(min=1) for each in found["path"][1:]]
    frames = (errors[-1] + sum(errors) / len(errors)) / UNIT
    bonds = ((places[:, 1:] - places[:, :-1]).norm(dim=-1) - 3.8).square().mean()
    trust = (found["trust"] - lddt(places.detach(), truth)).square().mean()
    winds = (found["winds"] - winding(truth)).square().mean()
    return 0.5 * bins + 0.3 * hand + winds + frames - 2 * soft_lddt(places, truth).mean() + 0.02 * bonds + 2 * trust
