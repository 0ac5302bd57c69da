"""Exercises of lesson 12: masking, filling in, and the loss on hidden patches."""

import torch

from .engine import Case, Exercise, Mistake


def random_masking(tokens, noise, keep):
    """Sorts once and writes each patch's place where it belongs."""
    batch, patches, _ = tokens.shape
    order = noise.sort(dim=1).indices
    rows, places = torch.arange(batch).unsqueeze(1), torch.arange(patches).expand(batch, -1)
    restore = torch.zeros(batch, patches, dtype=torch.int64).scatter_(1, order, places)
    hidden = torch.ones(batch, patches).scatter_(1, order[:, :keep], 0.0)
    return tokens[rows, order[:, :keep]], hidden, restore


def _drawn(batch, patches, width, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, patches, width, generator=generator), torch.rand(batch, patches, generator=generator)


def masking_cases():
    return [
        Case("the worked example", (torch.tensor([[[1.0], [2.0], [3.0]]]), torch.tensor([[0.9, 0.1, 0.5]]), 1)),
        Case("a quarter of a digit", (*_drawn(3, 16, 5, 0), 4)),
        Case("one image, odd sizes", (*_drawn(1, 7, 3, 1), 3)),
        Case("nothing hidden", (*_drawn(2, 6, 4, 2), 6)),
        Case("one patch kept", (*_drawn(4, 9, 2, 3), 1)),
        Case("width 1", (*_drawn(2, 5, 1, 4), 2)),
    ]


def _sorted(tokens, noise, keep):
    order = noise.argsort(dim=1)
    return order, order.argsort(dim=1)


def _take(tokens, index):
    return tokens.gather(1, index.unsqueeze(-1).expand(-1, -1, tokens.shape[2]))


def _highest_kept(tokens, noise, keep):
    return random_masking(tokens, -noise, keep)


def _image_order(tokens, noise, keep):
    order, restore = _sorted(tokens, noise, keep)
    return _take(tokens, order[:, :keep].sort(dim=1).values), (restore >= keep).float(), restore


def _mask_in_sorted_order(tokens, noise, keep):
    order, restore = _sorted(tokens, noise, keep)
    hidden = (torch.arange(noise.shape[1]) >= keep).float().expand_as(noise)
    return _take(tokens, order[:, :keep]), hidden, restore


def _order_as_restore(tokens, noise, keep):
    order, restore = _sorted(tokens, noise, keep)
    return _take(tokens, order[:, :keep]), (restore >= keep).float(), order


def _kept_by_restore(tokens, noise, keep):
    _, restore = _sorted(tokens, noise, keep)
    return _take(tokens, restore[:, :keep]), (restore >= keep).float(), restore


def _ones_where_kept(tokens, noise, keep):
    kept, hidden, restore = random_masking(tokens, noise, keep)
    return kept, 1 - hidden, restore


def _one_order_for_all(tokens, noise, keep):
    return random_masking(tokens, noise[:1].expand_as(noise), keep)


def fill_in(kept, mask_token, restore):
    """Chooses, place by place, between a kept token and the mask."""
    keep = kept.shape[1]
    there = kept[torch.arange(len(kept)).unsqueeze(1), restore.clamp(max=keep - 1)]  # (batch, patches, width)
    return torch.where((restore < keep).unsqueeze(-1), there, mask_token)


def filling_cases():
    def case(label, batch, patches, width, keep, seed):
        generator = torch.Generator().manual_seed(seed)
        restore = torch.rand(batch, patches, generator=generator).argsort(dim=1)
        kept, mask = torch.randn(batch, keep, width, generator=generator), torch.randn(width, generator=generator)
        return Case(label, (kept, mask, restore))

    return [
        Case("the worked example", (torch.tensor([[[7.0]]]), torch.zeros(1), torch.tensor([[2, 0, 1]]))),
        case("a quarter of a digit", 3, 16, 5, 4, 0),
        case("one image, odd sizes", 1, 7, 3, 2, 1),
        case("nothing hidden", 2, 6, 4, 6, 2),
        case("one patch seen", 4, 5, 2, 1, 3),
    ]


def _joined(kept, mask_token, restore):
    batch, keep, width = kept.shape
    return torch.cat([kept, mask_token.expand(batch, restore.shape[1] - keep, width)], dim=1)


def _left_sorted(kept, mask_token, restore):
    return _joined(kept, mask_token, restore)


def _wrong_way(kept, mask_token, restore):
    return _take(_joined(kept, mask_token, restore), restore.argsort(dim=1))


def _masks_in_front(kept, mask_token, restore):
    batch, keep, width = kept.shape
    masks = mask_token.expand(batch, restore.shape[1] - keep, width)
    return _take(torch.cat([masks, kept], dim=1), restore)


def _zeros_for_masks(kept, mask_token, restore):
    return fill_in(kept, torch.zeros_like(mask_token), restore)


def _first_order(kept, mask_token, restore):
    return fill_in(kept, mask_token, restore[:1].expand_as(restore))


def masked_mse(painted, target, hidden):
    errors = (painted - target)[hidden.bool()]  # (hidden patches, pixels)
    return errors.pow(2).mean()


def loss_cases():
    def case(label, shape, hidden, seed, scale=1.0):
        generator = torch.Generator().manual_seed(seed)
        painted, target = (scale * torch.randn(shape, generator=generator) for _ in range(2))
        return Case(label, (painted, target, torch.tensor(hidden)))

    return [
        Case(
            "the worked example",
            (torch.tensor([[[1.0], [5.0]]]), torch.tensor([[[0.0], [3.0]]]), torch.tensor([[0.0, 1.0]])),
        ),
        case("two images", (2, 4, 3), [[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0]], 0),
        case("an image with nothing hidden", (2, 3, 5), [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]], 1),
        case("everything hidden", (1, 6, 2), [[1.0] * 6], 2),
        case("large errors", (3, 2, 4), [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], 3, scale=100.0),
    ]


def _everywhere(painted, target, hidden):
    return (painted - target).square().mean()


def _mean_of_products(painted, target, hidden):
    return ((painted - target).square().mean(-1) * hidden).mean()


def _visible_only(painted, target, hidden):
    error = (painted - target).square().mean(-1)
    return (error * (1 - hidden)).sum() / (1 - hidden).sum().clamp(min=1)


def _pixels_added(painted, target, hidden):
    return ((painted - target).square().sum(-1) * hidden).sum() / hidden.sum()


def _absolute(painted, target, hidden):
    return ((painted - target).abs().mean(-1) * hidden).sum() / hidden.sum()


def _image_by_image(painted, target, hidden):
    error = (painted - target).square().mean(-1)
    return ((error * hidden).sum(1) / hidden.sum(1).clamp(min=1)).mean()


EXERCISES = (
    Exercise(
        name="random_masking",
        reference=random_masking,
        cases=masking_cases,
        returns="kept (batch, keep, width), hidden (batch, patches), restore (batch, patches)",
        # the last axis, which is the default, is axis 1
        equivalent_mutants=(
            "noise.argsort(dim=1) -> noise.argsort() in order = noise.argsort(dim=1)",
            "order.argsort(dim=1) -> order.argsort() in restore = order.argsort(dim=1)",
        ),
        points=2,
        mistakes=(
            Mistake("the highest kept", _highest_kept, "patches with the highest noise are kept. Sort the other way."),
            Mistake(
                "kept in image order",
                _image_order,
                "the right patches are kept, but in the image's order. The one with the lowest noise comes first.",
            ),
            Mistake(
                "hidden in sorted order",
                _mask_in_sorted_order,
                "`hidden` speaks about sorted places: its zeros always stand in front. Bring it into image order.",
            ),
            Mistake(
                "the order instead of its inverse",
                _order_as_restore,
                "`restore` says which patch stands at each place. Asked is the reverse: the place of each patch.",
            ),
            Mistake(
                "the inverse for keeping",
                _kept_by_restore,
                "tokens were taken by their place in the sorted row. To keep, you need the patches' own numbers.",
            ),
            Mistake("ones where kept", _ones_where_kept, "`hidden` is upside down: 1 means hidden."),
            Mistake(
                "one order for all",
                _one_order_for_all,
                "every image hides the same patches as the first. Each row of noise is for its own image.",
            ),
        ),
    ),
    Exercise(
        name="fill_in",
        reference=fill_in,
        cases=filling_cases,
        returns="float tensor (batch, patches, width)",
        # mask tokens beyond the last place are never fetched
        equivalent_mutants=(
            "restore.shape[1] - keep -> restore.shape[1] + keep in "
            "masks = mask_token.expand(batch, restore.shape[1] - keep, width)",
            "restore.shape[1] - keep -> restore.shape[1] in "
            "masks = mask_token.expand(batch, restore.shape[1] - keep, width)",
        ),
        points=2,
        mistakes=(
            Mistake(
                "left in sorted order",
                _left_sorted,
                "all tokens are there, but the kept ones still stand in front. `restore` was not used.",
            ),
            Mistake(
                "shuffled the wrong way",
                _wrong_way,
                "the tokens were moved by the inverse of `restore`. It already says, for each place, where to look.",
            ),
            Mistake("masks in front", _masks_in_front, "in sorted order the kept tokens come first, then the masks."),
            Mistake(
                "zeros for the mask token",
                _zeros_for_masks,
                "hidden places are zero. They should hold the mask token, which the network learns.",
            ),
            Mistake(
                "one order for all",
                _first_order,
                "the first image is right; the others were put together by its `restore`.",
            ),
        ),
    ),
    Exercise(
        name="masked_mse",
        reference=masked_mse,
        cases=loss_cases,
        returns="tensor with one number",
        points=1,
        mistakes=(
            Mistake(
                "visible patches too",
                _everywhere,
                "the mean runs over all patches, visible ones too; copying those is no achievement.",
            ),
            Mistake(
                "divided by all patches",
                _mean_of_products,
                "visible patches add nothing to the sum, but they are still counted. Divide by the hidden ones.",
            ),
            Mistake("visible only", _visible_only, "this is the error on visible patches; 1 means hidden."),
            Mistake(
                "pixels added up",
                _pixels_added,
                "the pixels of a patch are added up. The formula takes their mean.",
            ),
            Mistake("absolute error", _absolute, "the error is absolute, not squared."),
            Mistake(
                "image by image",
                _image_by_image,
                "each image was averaged on its own first. All hidden patches of the batch weigh the same.",
            ),
        ),
    ),
)
