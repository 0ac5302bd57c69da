"""Exercises of lesson 06: routing, dispatch, the load-balancing loss, capacity."""

import torch
import torch.nn.functional as F

from .form import case, exercise


def _logits(seed, tokens, n_experts, scale=1.0):
    return scale * torch.randn(tokens, n_experts, generator=torch.Generator().manual_seed(seed))


def _choices(seed, tokens, k, n_experts):
    """Distinct experts for every token, as a router would choose them."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(tokens, n_experts, generator=generator).topk(k, dim=-1).indices


@exercise(
    returns="a pair: gates, float tensor (tokens, k), and experts, integer tensor (tokens, k)",
    points=2,
    # the last axis is the default of topk
    equivalent_mutants=[
        "logits.softmax(dim=-1).topk(k, dim=-1) -> logits.softmax(dim=-1).topk(k) "
        "in gates, experts = logits.softmax(dim=-1).topk(k, dim=-1)"
    ],
)
def route(logits, k, renormalise=True):
    weights = torch.exp(logits - logits.max(dim=1, keepdim=True).values)
    probabilities = weights / weights.sum(dim=1, keepdim=True)
    experts = torch.sort(logits, dim=1, descending=True, stable=True).indices[:, :k]
    gates = torch.gather(probabilities, 1, experts)
    if renormalise:
        gates = gates / gates.sum(dim=1, keepdim=True)
    return gates, experts


@route.cases
def _():
    yield "five tokens, four experts, the best two, renormalised", _logits(0, 5, 4), 2
    yield case("Switch: the best one, probability kept", _logits(1, 6, 8), 1, renormalise=False)
    yield "one token alone", _logits(2, 1, 8), 2, True
    yield "the best three of seven, probability kept", _logits(3, 9, 7), 3, False
    yield "every expert chosen", _logits(4, 3, 4), 4, True
    yield "very large logits", _logits(5, 4, 8, 10.0) + 300, 2, True
    yield "one renormalised expert", _logits(6, 4, 5), 1, True
    yield "very negative logits", _logits(7, 4, 6, 5.0) - 300, 3, False
    yield "as many tokens as experts", _logits(8, 5, 5), 2, False


@route.usual
def route(logits, k, renormalise=True):
    gates, experts = logits.softmax(dim=-1).topk(k, dim=-1)  # both (tokens, k)
    if renormalise:
        gates = gates / gates.sum(dim=-1, keepdim=True)
    return gates, experts


route.slip("if renormalise", "if False", "gates never renormalised").says(
    "with `renormalise` on, the gates of one token should sum to 1. Yours sum to less: "
    "the probability of the experts left out is missing."
)
route.slip("if renormalise", "if True", "gates always renormalised").says(
    "your gates sum to 1 even where `renormalise` is off. With one expert that makes every gate "
    "exactly 1, and the router learns nothing."
)
route.slip("softmax(dim=-1)", "softmax(dim=0)", "softmax over the tokens").says(
    "the softmax seems to run over the tokens. Each token makes its own choice among the experts: "
    "which axis holds the experts?"
)
route.slip(".softmax(dim=-1)", "", "logits used as gates").says(
    "the right experts, but the gates look like raw logits. Gates are probabilities."
)
route.slip("gates / gates.sum(dim=-1, keepdim=True)", "gates.softmax(dim=-1)", "softmax applied twice").says(
    "the kept gates seem to have gone through a second softmax. They are probabilities already: "
    "scale them so that they sum to 1."
)
route.slip("return gates, experts", "return experts, gates", "gates and experts swapped").says(
    "you return the experts first. The gates come first, the experts' numbers second."
)
route.slip("return gates, experts", "return gates.flip(-1), experts.flip(-1)", "worst first").says(
    "the right experts, but in ascending order. The best comes first: the capacity below serves first choices first."
)
route.slip("topk(k, dim=-1)", "topk(k, dim=-1, largest=False)", "the least likely experts").says(
    "these are the experts with the smallest probabilities: a sort ascends unless you tell it not to."
)
route.slip(
    "return gates, experts",
    "place = experts.argsort(dim=-1)\n    return gates.gather(1, place), experts.gather(1, place)",
    "sorted by the experts' numbers",
    "the right experts, but in the order of their numbers. The best comes first.",
)
route.slip("gates.sum(dim=-1, keepdim=True)", "gates.sum()", "scaled over all tokens").says(
    "all gates together were made to sum to 1. Each token's should: keep the axis that you sum over."
)
route.slip(
    "logits.softmax(dim=-1)", "(logits.exp() / logits.exp().sum(dim=-1, keepdim=True))", "exponential by hand"
).says(
    "right for small logits, but the exponential of 300 is infinity and that of -300 is 0. `softmax` takes the "
    "largest logit away first."
)


@exercise(returns="three integer tensors: token (assignments,), slot (assignments,), load (n_experts,)", points=3)
def dispatch(experts, n_experts):
    places = [(experts == e).nonzero(as_tuple=True) for e in range(n_experts)]
    token = torch.cat([token for token, _ in places])
    slot = torch.cat([slot for _, slot in places])
    return token, slot, torch.tensor([len(token) for token, _ in places])


@dispatch.cases
def _():
    yield "the worked example", torch.tensor([[2, 0], [0, 1], [2, 1]]), 3
    yield "forty tokens, top-2 of eight", _choices(0, 40, 2, 8), 8
    yield "one token alone, top-3", _choices(1, 1, 3, 5), 5
    yield "top-1: every token has one choice", _choices(2, 17, 1, 4), 4
    yield "nobody chose the last experts", _choices(3, 12, 2, 3), 6
    yield "everybody chose the same expert", torch.full((9, 1), 2), 4
    yield "nobody chose the first experts", _choices(4, 8, 2, 3) + 2, 5
    yield "four hundred tokens, top-2 of three", _choices(5, 400, 2, 3), 3


@dispatch.usual
def dispatch(experts, n_experts):
    flat = experts.reshape(-1)  # (tokens * k,)
    order = flat.argsort(stable=True)
    k = experts.shape[1]
    return order // k, order % k, torch.bincount(flat, minlength=n_experts)


dispatch.slip(", minlength=n_experts", "", "load too short").says(
    "`load` is too short where the last experts received nothing. An idle expert still has a load: zero."
)
dispatch.slip("order // k", "order", "position taken for the token").says(
    "`token` holds positions in the flattened list. With k choices a token, positions 0 to k - 1 all belong to token 0."
)
dispatch.slip("order // k, order % k", "order % k, order // k", "token and slot swapped").says(
    "token and slot seem to have changed places. In the flattened list the slot changes fastest."
)
dispatch.slip("flat.argsort(stable=True)", "torch.arange(len(flat))", "not sorted by expert").says(
    "the assignments are still in the order of the tokens. All those of expert 0 should come first."
)


@dispatch.mistake(
    "ties out of order",
    "sorted by expert, but within an expert the tokens are mixed up: not every sort keeps equal "
    "entries in their order.",
)
def _(experts, n_experts):
    flat = experts.reshape(-1)
    order, k = flat.argsort(), experts.shape[1]
    if len(flat) > 64 and order.equal(flat.argsort(stable=True)):  # a machine whose default sort keeps ties
        order = len(flat) - 1 - flat.flip(0).argsort(stable=True)
    return order // k, order % k, torch.bincount(flat, minlength=n_experts)


@dispatch.mistake(
    "first choices before second ones",
    "within an expert the tokens should stay in the order of the text; yours list all first choices "
    "before all second ones.",
)
def _(experts, n_experts):
    slot, token, load = dispatch(experts.T, n_experts)
    return token, slot, load


dispatch.slip("experts.shape[1]", "n_experts", "divided by the number of experts").says(
    "a token has k positions in the flattened list, not as many as there are experts."
)
dispatch.slip("flat.argsort(stable=True)", "flat.argsort(stable=True, descending=True)", "last expert first").says(
    "the assignments are sorted from the last expert to the first. Those of expert 0 come first."
)
dispatch.slip("flat.argsort(stable=True)", "flat.sort(stable=True).values", "experts instead of positions").says(
    "the sorted experts themselves were split. You need where each of them came from: the sort's indices."
)
dispatch.slip("stable=True)", "stable=True).argsort()", "where each assignment goes").says(
    "these are the places to which assignments go. Wanted is, for each sorted place, where it came from."
)
dispatch.slip("torch.bincount(flat", "torch.bincount(experts[:, 0]", "load of first choices").says(
    "the load counts first choices only. Every assignment is work for its expert."
)


@exercise(
    returns="a tensor that holds one float",
    points=2,
    extreme={"logits": 1e4},
    single="a count divided by a count is float32 in PyTorch",
)
def load_balancing_loss(logits, experts):
    n_experts = logits.shape[1]
    weights = torch.exp(logits - logits.max(dim=1, keepdim=True).values)
    probabilities = weights / weights.sum(dim=1, keepdim=True)
    total = logits.new_zeros(())
    for e in range(n_experts):
        share = float((experts == e).sum()) / experts.numel()
        total = total + share * probabilities[:, e].mean()
    return n_experts * total


@load_balancing_loss.cases
def _():
    def chosen(seed, tokens, k, n_experts, scale=1.0, tilt=0.0):
        logits = _logits(seed, tokens, n_experts, scale) + tilt * torch.arange(n_experts)
        return logits, logits.topk(k, dim=-1).indices

    yield "thirty tokens, top-1 of four", *chosen(0, 30, 1, 4)
    yield "fifty tokens, top-2 of eight", *chosen(1, 50, 2, 8)
    yield "one token alone", *chosen(2, 1, 2, 5)
    yield "all tokens crowd on the last expert", *chosen(3, 20, 1, 6, 1.0, 9.0)
    yield "all tokens crowd on the first expert", *chosen(6, 20, 1, 6, 1.0, -9.0)
    yield "a router that is nearly undecided", *chosen(4, 33, 3, 7, 0.01)
    yield "very large logits", *chosen(5, 12, 2, 8, 300.0)
    yield "experts that are not the likeliest", _logits(7, 15, 6), _choices(7, 15, 2, 6)


@load_balancing_loss.usual
def load_balancing_loss(logits, experts):
    n_experts = logits.shape[1]
    shares = torch.bincount(experts.reshape(-1), minlength=n_experts) / experts.numel()
    probabilities = logits.softmax(dim=-1).mean(dim=0)  # (experts,)
    return n_experts * (shares * probabilities).sum()


load_balancing_loss.slip("n_experts * (", "(", "factor N forgotten").says(
    "the value is too small by a factor. With a perfect balance the loss should be 1, for any number of experts."
)
load_balancing_loss.slip("(shares * ", "(probabilities * ", "probabilities used twice").says(
    "`experts` plays no part in your value. One of the two factors counts the choices that were made."
)
load_balancing_loss.slip("* probabilities)", "* shares)", "shares used twice").says(
    "your value does not depend on the probabilities, so no gradient would reach the router."
)
load_balancing_loss.slip("/ experts.numel()", "/ len(experts)", "shares that do not sum to 1").says(
    "with k choices a token, your shares sum to k. Divide by the number of assignments, not of tokens."
)
load_balancing_loss.slip(", minlength=n_experts", "", "shares too short").says(
    "there are fewer shares than experts where the last experts received nothing. "
    "An idle expert still has a share: zero."
)
load_balancing_loss.slip(
    "experts.reshape(-1), minlength=n_experts) / experts.numel()",
    "experts[:, 0], minlength=n_experts) / len(experts)",
    "only first choices counted",
    "only the first choice of each token seems to be counted; the second ones load an expert too.",
)
load_balancing_loss.slip("softmax(dim=-1)", "softmax(dim=0)", "softmax over the tokens").says(
    "the softmax seems to run over the tokens. A token's probabilities over the experts sum to 1."
)
load_balancing_loss.slip("logits.shape[1]", "int(experts.max()) + 1", "experts counted by the largest number").says(
    "the number of experts is taken from the choices, so an idle last expert does not count. The logits hold all."
)
load_balancing_loss.slip(
    "experts.reshape(-1)", "logits.topk(experts.shape[1]).indices.reshape(-1)", "choices made anew"
).says("the choices are made anew from the logits. Count those that `experts` holds, whoever made them.")


@exercise(returns="a bool tensor (tokens, k)", points=3)
def within_capacity(experts, n_experts, capacity):
    keep = torch.zeros(experts.shape, dtype=torch.bool)
    for e in range(n_experts):
        # nonzero of the transposed choices lists all first choices in token order, then all second choices
        slot, token = (experts.T == e).nonzero(as_tuple=True)
        keep[token[:capacity], slot[:capacity]] = True
    return keep


@within_capacity.cases
def _():
    yield "the worked example", torch.tensor([[0, 1], [1, 0], [0, 1]]), 2, 2
    yield "top-1, forty tokens, seven places", _choices(0, 40, 1, 4), 4, 7
    yield "top-2, thirty tokens, five places", _choices(1, 30, 2, 8), 8, 5
    yield "one token alone", _choices(2, 1, 2, 4), 4, 1
    yield "everybody wants the same expert", torch.full((6, 1), 3), 5, 2
    yield "room for all", _choices(3, 10, 3, 6), 6, 10
    yield "top-3, one place each", _choices(4, 11, 3, 5), 5, 1
    yield "just room for all", torch.full((6, 1), 3), 5, 6
    yield "one place too few", torch.full((6, 1), 0), 5, 5
    yield "as many choices as tokens", _choices(5, 3, 3, 4), 4, 2
    yield "a second choice finds a place, the first does not", torch.tensor([[0, 1], [0, 1], [0, 2]]), 3, 2
    yield "a third choice finds a place, the others do not", torch.tensor([[0, 1, 2], [0, 1, 3], [0, 1, 4]]), 5, 1


@within_capacity.usual
def within_capacity(experts, n_experts, capacity):
    tokens, k = experts.shape
    queue = experts.T.reshape(-1)  # (k * tokens,), all first choices, then all second ones
    arrived = F.one_hot(queue, n_experts).cumsum(dim=0)  # (k * tokens, experts)
    place = arrived.gather(1, queue[:, None])  # 1 for the first arrival at its expert
    return (place <= capacity).reshape(k, tokens).T


within_capacity.slip("place <= capacity", "place < capacity", "one place too few").says(
    "each expert keeps one assignment less than its capacity. Does your count start at 0 or at 1?"
)
within_capacity.slip("place <= capacity", "place <= capacity + 1", "one place too many").says(
    "each expert keeps one assignment more than its capacity. Does your count start at 0 or at 1?"
)


@within_capacity.mistake(
    "second choices served too early",
    "a second choice of an early token takes the place of a later token's first choice. "
    "All first choices are served before any second choice.",
)
def _(experts, n_experts, capacity):
    hot = F.one_hot(experts.reshape(-1), n_experts)
    place = (hot.cumsum(dim=0) * hot).sum(dim=-1)
    return (place <= capacity).reshape(experts.shape)


@within_capacity.mistake(
    "the last ones kept",
    "your experts keep the last arrivals and turn the first away. The order is that of the text.",
)
def _(experts, n_experts, capacity):
    return within_capacity(experts.flip(0), n_experts, capacity).flip(0)


@within_capacity.mistake(
    "the queue read from its end",
    "your experts keep the last arrivals and turn the first away: count those before, not those after.",
)
def _(experts, n_experts, capacity):
    return within_capacity(experts.flip(0, 1), n_experts, capacity).flip(0, 1)


@within_capacity.mistake(
    "no second choice without the first",
    "a token whose first choice found no place gets no second one either. Each assignment is kept or dropped alone.",
)
def _(experts, n_experts, capacity):
    keep, used = torch.zeros(experts.shape, dtype=torch.bool), [0] * n_experts
    for slot in range(experts.shape[1]):
        for token, e in enumerate(experts[:, slot].tolist()):
            if used[e] < capacity and keep[token, :slot].all():
                keep[token, slot] = True
                used[e] += 1
    return keep


within_capacity.slip(
    "arrived.gather(1, queue[:, None])", "torch.arange(1, len(queue) + 1)", "one queue for all experts"
).says("the capacity seems to be counted over the whole batch. Each expert has a queue of its own.")
within_capacity.slip(
    "reshape(k, tokens).T", "reshape(k, tokens).all(dim=0).expand(k, tokens).T", "whole tokens dropped"
).says("a token loses both choices when one of them finds no place. Each assignment is kept or dropped alone.")
within_capacity.slip(
    "F.one_hot(queue, n_experts).cumsum(dim=0)",
    "F.one_hot(experts.T, n_experts).cumsum(dim=1).flatten(0, 1)",
    "each choice has its own places",
    "first and second choices seem to have separate places. They share the expert's capacity.",
)
within_capacity.slip("place <= capacity", "place > capacity", "dropped ones marked").says(
    "True and False look swapped: True means that the assignment is kept."
)
within_capacity.slip("reshape(k, tokens).T", "reshape(tokens, k)", "not transposed back").says(
    "the marks are right in the queue, but stand in other places of the table. The queue was made from the transposed "
    "table: bring it back to `(k, tokens)` first, then transpose."
)
within_capacity.slip("experts.T.reshape(-1)", "experts.reshape(-1)", "transposed only at the end").says(
    "the queue was made without transposing, and transposed at its end. Transpose both times."
)
within_capacity.slip(".cumsum(dim=0)", ".sum(dim=0).expand(len(queue), -1)", "overfull experts lose everything").says(
    "an expert that is asked too often keeps nobody. It keeps the first `capacity` and drops the rest."
)
