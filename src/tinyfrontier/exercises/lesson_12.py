"""Exercises of lesson 12: masking, filling in, and the loss on hidden patches."""

import torch

from .form import exercise


@exercise(
    returns="kept (batch, keep, width), hidden (batch, patches), restore (batch, patches)",
    points=2,
    # the last axis, which is the default, is axis 1
    equivalent_mutants=(
        "noise.argsort(dim=1) -> noise.argsort() in order = noise.argsort(dim=1)",
        "order.argsort(dim=1) -> order.argsort() in restore = order.argsort(dim=1)",
    ),
)
def random_masking(tokens, noise, keep):
    """Sorts once and writes each patch's place where it belongs."""
    batch, patches, _ = tokens.shape
    order = noise.sort(dim=1).indices
    rows, places = torch.arange(batch).unsqueeze(1), torch.arange(patches).expand(batch, -1)
    restore = torch.zeros(batch, patches, dtype=torch.int64).scatter_(1, order, places)
    hidden = torch.ones(batch, patches).scatter_(1, order[:, :keep], 0.0)
    return tokens[rows, order[:, :keep]], hidden, restore


@random_masking.cases
def _():
    def drawn(batch, patches, width, seed):
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(batch, patches, width, generator=generator), torch.rand(batch, patches, generator=generator)

    yield "the worked example", torch.tensor([[[1.0], [2.0], [3.0]]]), torch.tensor([[0.9, 0.1, 0.5]]), 1
    yield "a quarter of a digit", *drawn(3, 16, 5, 0), 4
    yield "one image, odd sizes", *drawn(1, 7, 3, 1), 3
    yield "nothing hidden", *drawn(2, 6, 4, 2), 6
    yield "one patch kept", *drawn(4, 9, 2, 3), 1
    yield "width 1", *drawn(2, 5, 1, 4), 2
    yield "one patch hidden", *drawn(2, 4, 3, 5), 3


@random_masking.usual
def random_masking(tokens, noise, keep):
    order = noise.argsort(dim=1)
    restore = order.argsort(dim=1)
    kept = tokens.gather(1, order[:, :keep, None].expand(-1, -1, tokens.shape[2]))
    return kept, (restore >= keep).float(), restore


random_masking.slip("= noise.argsort(dim=1)", "= (-noise).argsort(dim=1)", "the highest kept").says(
    "patches with the highest noise are kept. Sort the other way."
)
random_masking.slip(
    "order[:, :keep, None]", "order[:, :keep].sort(dim=1).values[..., None]", "kept in image order"
).says("the right patches are kept, but in the image's order. The one with the lowest noise comes first.")
random_masking.slip(
    "(restore >= keep).float()",
    "(torch.arange(noise.shape[1]) >= keep).float().expand_as(noise)",
    "hidden in sorted order",
    "`hidden` speaks about sorted places: its zeros always stand in front. Bring it into image order.",
)
random_masking.slip(".float(), restore", ".float(), order", "the order instead of its inverse").says(
    "`restore` says which patch stands at each place. Asked is the reverse: the place of each patch."
)
random_masking.slip("order[:, :keep, None]", "restore[:, :keep, None]", "the inverse for keeping").says(
    "tokens were taken by their place in the sorted row. To keep, you need the patches' own numbers."
)
random_masking.slip("restore >= keep", "restore < keep", "ones where kept", "`hidden` is upside down: 1 means hidden.")
random_masking.slip("noise.argsort", "noise[:1].expand_as(noise).argsort", "one order for all").says(
    "every image hides the same patches as the first. Each row of noise is for its own image."
)
random_masking.slip("restore >= keep", "restore > keep", "one hidden too few").says(
    "one patch too few is marked as hidden. Places count from 0, so the kept ones are 0 to `keep` - 1."
)
random_masking.slip("restore >= keep", "restore >= keep - 1", "one hidden too many").says(
    "one patch too many is marked as hidden. Places count from 0, so the kept ones are 0 to `keep` - 1."
)
random_masking.slip("= noise.argsort(dim=1)", "= noise.argsort(dim=0)", "sorted across images").says(
    "the noise was sorted down the batch, across images. Each row is one image: sort along the patches."
)
random_masking.slip("restore >= keep", "order >= keep", "hidden by the order").says(
    "`hidden` compares the numbers of patches, not their places in the sorted row."
)
random_masking.slip(
    "tokens.gather(1, order[:, :keep, None].expand(-1, -1, tokens.shape[2]))", "tokens[:, :keep]", "the first kept"
).says("`kept` holds the first patches of each image, whatever their noise. Take those that the sorting names.")
random_masking.slip(":keep, None]", "-keep:, None]", "the end of the order").says(
    "`kept` is taken from the end of the sorted row, where the noise is highest. Take its beginning."
)


@exercise(
    returns="float tensor (batch, patches, width)",
    points=2,
    # mask tokens beyond the last place are never fetched
    equivalent_mutants=(
        "restore.shape[1] - keep -> restore.shape[1] + keep in "
        "masks = mask_token.expand(batch, restore.shape[1] - keep, width)",
        "restore.shape[1] - keep -> restore.shape[1] in "
        "masks = mask_token.expand(batch, restore.shape[1] - keep, width)",
    ),
)
def fill_in(kept, mask_token, restore):
    """Chooses, place by place, between a kept token and the mask."""
    keep = kept.shape[1]
    images = [
        [kept[i, place] if place < keep else mask_token for place in row] for i, row in enumerate(restore.tolist())
    ]
    return torch.stack([torch.stack(image) for image in images])


@fill_in.cases
def _():
    def drawn(batch, patches, width, keep, seed):
        generator = torch.Generator().manual_seed(seed)
        restore = torch.rand(batch, patches, generator=generator).argsort(dim=1)
        kept, mask = torch.randn(batch, keep, width, generator=generator), torch.randn(width, generator=generator)
        return kept, mask, restore

    yield "the worked example", torch.tensor([[[7.0]]]), torch.zeros(1), torch.tensor([[2, 0, 1]])
    yield "a quarter of a digit", *drawn(3, 16, 5, 4, 0)
    yield "one image, odd sizes", *drawn(1, 7, 3, 2, 1)
    yield "nothing hidden", *drawn(2, 6, 4, 6, 2)
    yield "one patch seen", *drawn(4, 5, 2, 1, 3)
    yield "one patch hidden, as many images as patches", *drawn(4, 4, 3, 3, 4)


@fill_in.usual
def fill_in(kept, mask_token, restore):
    batch, keep, width = kept.shape
    masks = mask_token.expand(batch, restore.shape[1] - keep, width)
    return torch.cat([kept, masks], dim=1).gather(1, restore.unsqueeze(2).expand(-1, -1, width))


fill_in.slip(".gather(1, restore.unsqueeze(2).expand(-1, -1, width))", "", "left in sorted order").says(
    "all tokens are there, but the kept ones still stand in front. `restore` was not used."
)
fill_in.slip("restore.unsqueeze", "restore.argsort(dim=1).unsqueeze", "shuffled the wrong way").says(
    "the tokens were moved by the inverse of `restore`. It already says, for each place, where to look."
)
fill_in.slip("[kept, masks]", "[masks, kept]", "masks in front").says(
    "in sorted order the kept tokens come first, then the masks."
)
fill_in.slip("mask_token.expand", "torch.zeros_like(mask_token).expand", "zeros for the mask token").says(
    "hidden places are zero. They should hold the mask token, which the network learns."
)
fill_in.slip("restore.unsqueeze", "restore[:1].expand_as(restore).unsqueeze", "one order for all").says(
    "the first image is right; the others were put together by its `restore`."
)
fill_in.slip("mask_token.expand", "kept.mean(dim=(0, 1)).expand", "the mean of what is seen").says(
    "hidden places hold the mean of the kept tokens. They should hold the mask token."
)


@exercise(returns="tensor with one number", points=1, constants=("target",))
def masked_mse(painted, target, hidden):
    errors = (painted - target)[hidden.bool()]  # (hidden patches, pixels)
    return errors.pow(2).mean()


@masked_mse.cases
def _():
    def drawn(shape, hidden, seed, scale=1.0):
        generator = torch.Generator().manual_seed(seed)
        painted, target = (scale * torch.randn(shape, generator=generator) for _ in range(2))
        return painted, target, torch.tensor(hidden)

    worked = torch.tensor([[[1.0], [5.0]]]), torch.tensor([[[0.0], [3.0]]]), torch.tensor([[0.0, 1.0]])
    yield "the worked example", *worked
    yield "two images", *drawn((2, 4, 3), [[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0]], 0)
    yield "an image with nothing hidden", *drawn((2, 3, 5), [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]], 1)
    yield "everything hidden", *drawn((1, 6, 2), [[1.0] * 6], 2)
    yield "large errors", *drawn((3, 2, 4), [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], 3, scale=100.0)
    yield "as many pixels as patches", *drawn((3, 3, 3), [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]], 4)


@masked_mse.usual
def masked_mse(painted, target, hidden):
    error = (painted - target).square().mean(dim=-1)  # (batch, patches)
    return (error * hidden).sum() / hidden.sum()


masked_mse.slip("(error * hidden).sum() / hidden.sum()", "error.mean()", "visible patches too").says(
    "the mean runs over all patches, visible ones too; copying those is no achievement."
)
masked_mse.slip("(error * hidden).sum() / hidden.sum()", "(error * hidden).mean()", "divided by all patches").says(
    "visible patches add nothing to the sum, but they are still counted. Divide by the hidden ones."
)
masked_mse.slip(
    "(error * hidden).sum() / hidden.sum()",
    "(error * (1 - hidden)).sum() / (1 - hidden).sum().clamp(min=1)",
    "visible only",
    "this is the error on visible patches; 1 means hidden.",
)
masked_mse.slip("mean(dim=-1)", "sum(dim=-1)", "pixels added up").says(
    "the pixels of a patch are added up. The formula takes their mean."
)
masked_mse.slip("square()", "abs()", "absolute error", "the error is absolute, not squared.")
masked_mse.slip(
    "(error * hidden).sum() / hidden.sum()",
    "((error * hidden).sum(1) / hidden.sum(1).clamp(min=1)).mean()",
    "image by image",
    "each image was averaged on its own first. All hidden patches of the batch weigh the same.",
)
masked_mse.slip(" / hidden.sum()", "", "never divided", "the errors of hidden patches are added up, not averaged.")
masked_mse.slip(" / hidden.sum()", " / len(hidden)", "divided by the images").says(
    "the sum is divided by the number of images. Divide by the number of hidden patches."
)
masked_mse.slip(".sum() / hidden.sum()", ".sum(1) / hidden.sum(1)", "one loss an image").says(
    "each image has a loss of its own. One number is asked for, over the hidden patches of all images."
)
