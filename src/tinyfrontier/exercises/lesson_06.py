"""Exercises of lesson 06, Mixture of experts: references, cases and known mistakes. Needs torch alone."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from .engine import Case, Exercise, Mistake

__all__ = ["EXERCISES", "F", "math", "torch"]


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _logits(seed: int, tokens: int, n_experts: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(tokens, n_experts, generator=_generator(seed))


def _choices(seed: int, tokens: int, k: int, n_experts: int) -> torch.Tensor:
    """Distinct experts for every token, as a router would choose them."""
    return torch.rand(tokens, n_experts, generator=_generator(seed)).topk(k, dim=-1).indices


# --- route ---


def route(logits, k, renormalise=True):
    weights = torch.exp(logits - logits.max(dim=1, keepdim=True).values)
    probabilities = weights / weights.sum(dim=1, keepdim=True)
    experts = torch.sort(logits, dim=1, descending=True, stable=True).indices[:, :k]
    gates = torch.gather(probabilities, 1, experts)
    if renormalise:
        gates = gates / gates.sum(dim=1, keepdim=True)
    return gates, experts


def _route_never_renormalised(logits, k, renormalise=True):
    return logits.softmax(dim=-1).topk(k, dim=-1)


def _route_always_renormalised(logits, k, renormalise=True):
    gates, experts = logits.softmax(dim=-1).topk(k, dim=-1)
    return gates / gates.sum(dim=-1, keepdim=True), experts


def _route_softmax_over_tokens(logits, k, renormalise=True):
    gates, experts = logits.softmax(dim=0).topk(k, dim=-1)
    return (gates / gates.sum(dim=-1, keepdim=True) if renormalise else gates), experts


def _route_logits_as_gates(logits, k, renormalise=True):
    gates, experts = logits.topk(k, dim=-1)
    return (gates / gates.sum(dim=-1, keepdim=True) if renormalise else gates), experts


def _route_softmax_of_kept_probabilities(logits, k, renormalise=True):
    gates, experts = logits.softmax(dim=-1).topk(k, dim=-1)
    return (gates.softmax(dim=-1) if renormalise else gates), experts


def _route_swapped(logits, k, renormalise=True):
    return tuple(reversed(route(logits, k, renormalise)))


def _route_cases():
    return [
        Case("five tokens, four experts, the best two, renormalised", (_logits(0, 5, 4), 2)),
        Case("Switch: the best one, probability kept", (_logits(1, 6, 8), 1), {"renormalise": False}),
        Case("one token alone", (_logits(2, 1, 8), 2, True)),
        Case("the best three of seven, probability kept", (_logits(3, 9, 7), 3, False)),
        Case("every expert chosen", (_logits(4, 3, 4), 4, True)),
        Case("very large logits", (_logits(5, 4, 8, 10.0) + 300, 2, True)),
        Case("one renormalised expert", (_logits(6, 4, 5), 1, True)),
    ]


# --- dispatch ---


def dispatch(experts, n_experts):
    places = [(experts == e).nonzero(as_tuple=True) for e in range(n_experts)]
    token = torch.cat([token for token, _ in places])
    slot = torch.cat([slot for _, slot in places])
    return token, slot, torch.tensor([len(token) for token, _ in places])


def _dispatch_load_too_short(experts, n_experts):
    token, slot, _ = dispatch(experts, n_experts)
    return token, slot, torch.bincount(experts.reshape(-1))


def _dispatch_token_not_divided(experts, n_experts):
    order = experts.reshape(-1).argsort(stable=True)
    return order, order % experts.shape[1], torch.bincount(experts.reshape(-1), minlength=n_experts)


def _dispatch_token_and_slot_swapped(experts, n_experts):
    token, slot, load = dispatch(experts, n_experts)
    return slot, token, load


def _dispatch_not_sorted(experts, n_experts):
    order = torch.arange(experts.numel())
    k = experts.shape[1]
    return order // k, order % k, torch.bincount(experts.reshape(-1), minlength=n_experts)


def _dispatch_ties_mixed(experts, n_experts):
    flat = experts.reshape(-1)
    order, k = flat.argsort(), experts.shape[1]
    if len(flat) > 64 and order.equal(flat.argsort(stable=True)):  # a machine whose default sort keeps ties
        order = len(flat) - 1 - flat.flip(0).argsort(stable=True)
    return order // k, order % k, torch.bincount(flat, minlength=n_experts)


def _dispatch_first_choices_first(experts, n_experts):
    order = experts.T.reshape(-1).argsort(stable=True)
    tokens = experts.shape[0]
    return order % tokens, order // tokens, torch.bincount(experts.reshape(-1), minlength=n_experts)


def _dispatch_divided_by_experts(experts, n_experts):
    order = experts.reshape(-1).argsort(stable=True)
    load = torch.bincount(experts.reshape(-1), minlength=n_experts)
    return order // n_experts, order % n_experts, load


def _dispatch_cases():
    return [
        Case("the worked example", (torch.tensor([[2, 0], [0, 1], [2, 1]]), 3)),
        Case("forty tokens, top-2 of eight", (_choices(0, 40, 2, 8), 8)),
        Case("one token alone, top-3", (_choices(1, 1, 3, 5), 5)),
        Case("top-1: every token has one choice", (_choices(2, 17, 1, 4), 4)),
        Case("nobody chose the last experts", (_choices(3, 12, 2, 3), 6)),
        Case("everybody chose the same expert", (torch.full((9, 1), 2), 4)),
    ]


# --- load_balancing_loss ---


def load_balancing_loss(logits, experts):
    n_experts = logits.shape[1]
    weights = torch.exp(logits - logits.max(dim=1, keepdim=True).values)
    probabilities = weights / weights.sum(dim=1, keepdim=True)
    total = logits.new_zeros(())
    for e in range(n_experts):
        share = float((experts == e).sum()) / experts.numel()
        total = total + share * probabilities[:, e].mean()
    return n_experts * total


def _shares(logits, experts):
    return torch.bincount(experts.reshape(-1), minlength=logits.shape[-1]) / experts.numel()


def _loss_without_n(logits, experts):
    return (_shares(logits, experts) * logits.softmax(dim=-1).mean(dim=0)).sum()


def _loss_probabilities_squared(logits, experts):
    mean = logits.softmax(dim=-1).mean(dim=0)
    return logits.shape[-1] * (mean * mean).sum()


def _loss_shares_squared(logits, experts):
    shares = _shares(logits, experts)
    return logits.shape[-1] * (shares * shares).sum()


def _loss_counts_per_token(logits, experts):
    per_token = torch.bincount(experts.reshape(-1), minlength=logits.shape[-1]) / len(experts)
    return logits.shape[-1] * (per_token * logits.softmax(dim=-1).mean(dim=0)).sum()


def _loss_first_choice_only(logits, experts):
    shares = torch.bincount(experts[:, 0], minlength=logits.shape[-1]) / len(experts)
    return logits.shape[-1] * (shares * logits.softmax(dim=-1).mean(dim=0)).sum()


def _loss_shares_too_short(logits, experts):
    shares = torch.bincount(experts.reshape(-1)) / experts.numel()
    return logits.shape[-1] * (shares * logits.softmax(dim=-1).mean(dim=0)).sum()


def _loss_softmax_over_tokens(logits, experts):
    return logits.shape[-1] * (_shares(logits, experts) * logits.softmax(dim=0).mean(dim=0)).sum()


def _balance_case(label, seed, tokens, k, n_experts, scale=1.0, tilt=0.0):
    logits = _logits(seed, tokens, n_experts, scale) + tilt * torch.arange(n_experts)
    return Case(label, (logits, logits.topk(k, dim=-1).indices))


def _loss_cases():
    return [
        _balance_case("thirty tokens, top-1 of four", 0, 30, 1, 4),
        _balance_case("fifty tokens, top-2 of eight", 1, 50, 2, 8),
        _balance_case("one token alone", 2, 1, 2, 5),
        _balance_case("all tokens crowd on the last expert", 3, 20, 1, 6, 1.0, 9.0),
        _balance_case("all tokens crowd on the first expert", 6, 20, 1, 6, 1.0, -9.0),
        _balance_case("a router that is nearly undecided", 4, 33, 3, 7, 0.01),
        _balance_case("very large logits", 5, 12, 2, 8, 300.0),
    ]


# --- within_capacity ---


def within_capacity(experts, n_experts, capacity):
    keep = torch.zeros(experts.shape, dtype=torch.bool)
    for e in range(n_experts):
        # nonzero of the transposed choices lists all first choices in token order, then all second choices
        slot, token = (experts.T == e).nonzero(as_tuple=True)
        keep[token[:capacity], slot[:capacity]] = True
    return keep


def _capacity_one_short(experts, n_experts, capacity):
    return within_capacity(experts, n_experts, capacity - 1)


def _capacity_one_too_many(experts, n_experts, capacity):
    return within_capacity(experts, n_experts, capacity + 1)


def _capacity_token_by_token(experts, n_experts, capacity):
    hot = F.one_hot(experts.reshape(-1), n_experts)
    place = (hot.cumsum(dim=0) * hot).sum(dim=-1)
    return (place <= capacity).reshape(experts.shape)


def _capacity_last_kept(experts, n_experts, capacity):
    return within_capacity(experts.flip(0), n_experts, capacity).flip(0)


def _capacity_of_the_batch(experts, n_experts, capacity):
    place = torch.arange(experts.numel()).reshape(experts.shape[1], experts.shape[0]).T
    return place < capacity


def _capacity_whole_token(experts, n_experts, capacity):
    keep = within_capacity(experts, n_experts, capacity)
    return keep.all(dim=1, keepdim=True).expand(keep.shape)


def _capacity_each_choice_alone(experts, n_experts, capacity):
    columns = [within_capacity(column[:, None], n_experts, capacity) for column in experts.T]
    return torch.cat(columns, dim=1)


def _capacity_dropped_marked(experts, n_experts, capacity):
    return ~within_capacity(experts, n_experts, capacity)


def _capacity_cases():
    return [
        Case("the worked example", (torch.tensor([[0, 1], [1, 0], [0, 1]]), 2, 2)),
        Case("top-1, forty tokens, seven places", (_choices(0, 40, 1, 4), 4, 7)),
        Case("top-2, thirty tokens, five places", (_choices(1, 30, 2, 8), 8, 5)),
        Case("one token alone", (_choices(2, 1, 2, 4), 4, 1)),
        Case("everybody wants the same expert", (torch.full((6, 1), 3), 5, 2)),
        Case("room for all", (_choices(3, 10, 3, 6), 6, 10)),
        Case("top-3, one place each", (_choices(4, 11, 3, 5), 5, 1)),
    ]


EXERCISES = (
    Exercise(
        name="route",
        reference=route,
        cases=_route_cases,
        mistakes=(
            Mistake(
                "gates never renormalised",
                _route_never_renormalised,
                "with `renormalise` on, the gates of one token should sum to 1. Yours sum to less: "
                "the probability of the experts left out is missing.",
            ),
            Mistake(
                "gates always renormalised",
                _route_always_renormalised,
                "your gates sum to 1 even where `renormalise` is off. With one expert that makes every gate "
                "exactly 1, and the router learns nothing.",
            ),
            Mistake(
                "softmax over the tokens",
                _route_softmax_over_tokens,
                "the softmax seems to run over the tokens. Each token makes its own choice among "
                "the experts: "
                "which axis holds the experts?",
            ),
            Mistake(
                "logits used as gates",
                _route_logits_as_gates,
                "the right experts, but the gates look like raw logits. Gates are probabilities.",
            ),
            Mistake(
                "softmax applied twice",
                _route_softmax_of_kept_probabilities,
                "the kept gates seem to have gone through a second softmax. They are probabilities already: "
                "scale them so that they sum to 1.",
            ),
            Mistake(
                "gates and experts swapped",
                _route_swapped,
                "you return the experts first. The gates come first, the experts' numbers second.",
            ),
        ),
        equivalent_mutants=(
            # the last axis is the default of topk
            "logits.softmax(dim=-1).topk(k, dim=-1) -> logits.softmax(dim=-1).topk(k) "
            "in gates, experts = logits.softmax(dim=-1).topk(k, dim=-1)",
        ),
        returns="a pair: gates, float tensor (tokens, k), and experts, integer tensor (tokens, k)",
        points=2,
    ),
    Exercise(
        name="dispatch",
        reference=dispatch,
        cases=_dispatch_cases,
        mistakes=(
            Mistake(
                "load too short",
                _dispatch_load_too_short,
                "`load` is too short where the last experts received nothing. An idle expert still has a load: zero.",
            ),
            Mistake(
                "position taken for the token",
                _dispatch_token_not_divided,
                "`token` holds positions in the flattened list. With k choices a token, positions 0 to k - 1 "
                "all belong to token 0.",
            ),
            Mistake(
                "token and slot swapped",
                _dispatch_token_and_slot_swapped,
                "token and slot seem to have changed places. In the flattened list the slot changes fastest.",
            ),
            Mistake(
                "not sorted by expert",
                _dispatch_not_sorted,
                "the assignments are still in the order of the tokens. All those of expert 0 should come first.",
            ),
            Mistake(
                "ties out of order",
                _dispatch_ties_mixed,
                "sorted by expert, but within an expert the tokens are mixed up: not every sort keeps equal "
                "entries in their order.",
            ),
            Mistake(
                "first choices before second ones",
                _dispatch_first_choices_first,
                "within an expert the tokens should stay in the order of the text; yours list "
                "all first choices "
                "before all second ones.",
            ),
            Mistake(
                "divided by the number of experts",
                _dispatch_divided_by_experts,
                "a token has k positions in the flattened list, not as many as there are experts.",
            ),
        ),
        returns="three integer tensors: token (assignments,), slot (assignments,), load (n_experts,)",
        points=3,
    ),
    Exercise(
        name="load_balancing_loss",
        reference=load_balancing_loss,
        cases=_loss_cases,
        mistakes=(
            Mistake(
                "factor N forgotten",
                _loss_without_n,
                "the value is too small by a factor. With a perfect balance the loss should be "
                "1, for any number of experts.",
            ),
            Mistake(
                "probabilities used twice",
                _loss_probabilities_squared,
                "`experts` plays no part in your value. One of the two factors counts the choices that were made.",
            ),
            Mistake(
                "shares used twice",
                _loss_shares_squared,
                "your value does not depend on the probabilities, so no gradient would reach the router.",
            ),
            Mistake(
                "shares that do not sum to 1",
                _loss_counts_per_token,
                "with k choices a token, your shares sum to k. Divide by the number of assignments, not of tokens.",
            ),
            Mistake(
                "shares too short",
                _loss_shares_too_short,
                "there are fewer shares than experts where the last experts received nothing. "
                "An idle expert still has a share: zero.",
            ),
            Mistake(
                "only first choices counted",
                _loss_first_choice_only,
                "only the first choice of each token seems to be counted; the second ones load an expert too.",
            ),
            Mistake(
                "softmax over the tokens",
                _loss_softmax_over_tokens,
                "the softmax seems to run over the tokens. A token's probabilities over the experts sum to 1.",
            ),
        ),
        returns="a tensor that holds one float",
        points=2,
    ),
    Exercise(
        name="within_capacity",
        reference=within_capacity,
        cases=_capacity_cases,
        mistakes=(
            Mistake(
                "one place too few",
                _capacity_one_short,
                "each expert keeps one assignment less than its capacity. Does your count start at 0 or at 1?",
            ),
            Mistake(
                "one place too many",
                _capacity_one_too_many,
                "each expert keeps one assignment more than its capacity. Does your count start at 0 or at 1?",
            ),
            Mistake(
                "second choices served too early",
                _capacity_token_by_token,
                "a second choice of an early token takes the place of a later token's first choice. "
                "All first choices are served before any second choice.",
            ),
            Mistake(
                "the last ones kept",
                _capacity_last_kept,
                "your experts keep the last arrivals and turn the first away. The order is that of the text.",
            ),
            Mistake(
                "one queue for all experts",
                _capacity_of_the_batch,
                "the capacity seems to be counted over the whole batch. Each expert has a queue of its own.",
            ),
            Mistake(
                "whole tokens dropped",
                _capacity_whole_token,
                "a token loses both choices when one of them finds no place. Each assignment is kept or dropped alone.",
            ),
            Mistake(
                "each choice has its own places",
                _capacity_each_choice_alone,
                "first and second choices seem to have separate places. They share the expert's capacity.",
            ),
            Mistake(
                "dropped ones marked",
                _capacity_dropped_marked,
                "True and False look swapped: True means that the assignment is kept.",
            ),
        ),
        returns="a bool tensor (tokens, k)",
        points=3,
    ),
)
