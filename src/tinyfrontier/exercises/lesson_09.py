"""Exercises of lesson 09: Bradley-Terry, reward to go, PPO's clip, DPO. References, cases, known mistakes."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .engine import Case, Exercise, Mistake


def bradley_terry_loss(better, worse):
    gap = better - worse
    return F.binary_cross_entropy_with_logits(gap, torch.ones_like(gap))


def bradley_terry_cases():
    generator = torch.Generator().manual_seed(1)

    def draw(count, size=1.0):
        return size * torch.randn(count, generator=generator)

    return [
        Case("seven pairs", (draw(7), draw(7))),
        Case("one pair, 2 against 1", (torch.tensor([2.0]), torch.tensor([1.0]))),
        Case("undecided", (torch.full((3,), -4.0), torch.full((3,), -4.0))),
        Case("very wrong: a gap of -200", (torch.tensor([-100.0, 1.0]), torch.tensor([100.0, 0.0]))),
        Case("very right", (draw(4, 0.1) + 60, draw(4, 0.1))),
        Case("wide scores", (draw(33, 5.0), draw(33, 5.0))),
    ]


def _swapped(better, worse):
    return bradley_terry_loss(worse, better)


def _no_logarithm(better, worse):
    return -(better - worse).sigmoid().mean()


def _overflows(better, worse):
    return -(better - worse).sigmoid().log().mean()


def _summed(better, worse):
    return bradley_terry_loss(better, worse) * len(better)


def _mean_first(better, worse):
    return F.softplus(worse.mean() - better.mean())


def _log_gap(better, worse):
    return -(better - worse).mean()


def _not_negated(better, worse):
    return -bradley_terry_loss(better, worse)


def _each_alone(better, worse):
    return (F.softplus(-better) + F.softplus(worse)).mean()


def reward_to_go(score, log_probs, reference, beta):
    columns, still_to_pay = [], torch.zeros_like(score)
    for place in reversed(range(log_probs.shape[1])):
        still_to_pay = still_to_pay + beta * (log_probs[:, place] - reference[:, place])
        columns.append(score - still_to_pay)
    return torch.stack(columns[::-1], dim=1)


def reward_to_go_cases():
    generator = torch.Generator().manual_seed(2)

    def draw(batch, tokens, beta):
        score = torch.randn(batch, generator=generator)
        return score, *(-3 * torch.rand(batch, tokens, generator=generator) for _ in range(2)), beta

    worked = (torch.tensor([1.0]), torch.tensor([[-1.0, -2.0, -0.5]]), torch.tensor([[-1.2, -2.0, -0.9]]), 0.5)
    return [
        Case("the worked example", worked),
        Case("4 texts of 6 words, beta 0.1", draw(4, 6, 0.1)),
        Case("3 texts of 3 words: rows and columns look alike", draw(3, 3, 0.7)),
        Case("no leash", draw(2, 5, 0.0)),
        Case("one text of one word", draw(1, 1, 2.0)),
        Case("a strong leash", draw(5, 12, 10.0)),
    ]


def _ratio(log_probs, reference):
    return log_probs - reference


def _leash_reversed(score, log_probs, reference, beta):
    return reward_to_go(score, reference, log_probs, beta)


def _only_here(score, log_probs, reference, beta):
    return score[:, None] - beta * _ratio(log_probs, reference)


def _past_instead(score, log_probs, reference, beta):
    return score[:, None] - beta * _ratio(log_probs, reference).cumsum(dim=1)


def _whole_text(score, log_probs, reference, beta):
    return score[:, None] - beta * _ratio(log_probs, reference).sum(dim=1, keepdim=True).expand_as(log_probs)


def _from_the_next(score, log_probs, reference, beta):
    return reward_to_go(score, log_probs, reference, beta) + beta * _ratio(log_probs, reference)


def _no_reference(score, log_probs, reference, beta):
    return reward_to_go(score, log_probs, torch.zeros_like(reference), beta)


def _beta_forgotten(score, log_probs, reference, beta):
    return reward_to_go(score, log_probs, reference, 1.0)


def _score_at_every_word(score, log_probs, reference, beta):
    left = torch.arange(log_probs.shape[1], 0, -1)
    return reward_to_go(score, log_probs, reference, beta) + score[:, None] * (left - 1)


def ppo_loss(log_probs, old, advantage, clip=0.2):
    ratio = (log_probs - old).exp()
    # a good token earns at most (1 + clip) times its advantage, a bad one costs at least (1 - clip) times
    limit = torch.where(advantage >= 0, ratio.clamp(max=1 + clip), ratio.clamp(min=1 - clip))
    return -(limit * advantage).mean()


def ppo_cases():
    generator = torch.Generator().manual_seed(3)

    def draw(batch, tokens, moved):
        old = -2 * torch.rand(batch, tokens, generator=generator) - 1
        new = old + moved * torch.randn(batch, tokens, generator=generator)
        return new, old, torch.randn(batch, tokens, generator=generator)

    def one(new, old, advantage):
        return torch.tensor([[new]]).log(), torch.tensor([[old]]).log(), torch.tensor([[advantage]])

    return [
        Case("nothing has moved", draw(2, 3, 0.0)),
        Case("a good word, 0.4 -> 0.6", one(0.6, 0.4, 2.0)),
        Case("a bad word, 0.4 -> 0.6", one(0.6, 0.4, -2.0)),
        Case("a good word, 0.4 -> 0.2", one(0.2, 0.4, 2.0)),
        Case("a bad word, 0.4 -> 0.2", one(0.2, 0.4, -2.0)),
        Case("4 texts of 5 words", draw(4, 5, 0.3)),
        Case("clip 0.05", draw(3, 7, 0.5), {"clip": 0.05}),
        Case("clip 0.5, far away", (*draw(6, 2, 2.0), 0.5)),
    ]


def _parts(log_probs, old, advantage, clip):
    ratio = (log_probs - old).exp()
    return ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage


def _never_clipped(log_probs, old, advantage, clip=0.2):
    return -_parts(log_probs, old, advantage, clip)[0].mean()


def _always_clipped(log_probs, old, advantage, clip=0.2):
    return -_parts(log_probs, old, advantage, clip)[1].mean()


def _maximum(log_probs, old, advantage, clip=0.2):
    return -torch.max(*_parts(log_probs, old, advantage, clip)).mean()


def _ppo_not_negated(log_probs, old, advantage, clip=0.2):
    return -ppo_loss(log_probs, old, advantage, clip)


def _upside_down(log_probs, old, advantage, clip=0.2):
    return ppo_loss(old, log_probs, advantage, clip)


def _no_exponential(log_probs, old, advantage, clip=0.2):
    ratio = log_probs - old
    return -torch.min(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()


def _logs_divided(log_probs, old, advantage, clip=0.2):
    ratio = log_probs / old
    return -torch.min(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()


def _clipped_around_zero(log_probs, old, advantage, clip=0.2):
    ratio = (log_probs - old).exp()
    return -torch.min(ratio * advantage, ratio.clamp(-clip, clip) * advantage).mean()


def _ppo_summed(log_probs, old, advantage, clip=0.2):
    return ppo_loss(log_probs, old, advantage, clip) * advantage.numel()


def dpo_loss(better, worse, better_reference, worse_reference, beta):
    implicit = [beta * (mine - theirs) for mine, theirs in ((better, better_reference), (worse, worse_reference))]
    return bradley_terry_loss(*implicit)


def dpo_cases():
    generator = torch.Generator().manual_seed(4)

    def draw(count, beta, moved=1.0):
        reference = [-20 * torch.rand(count, generator=generator) - 5 for _ in range(2)]
        policy = [text + moved * torch.randn(count, generator=generator) for text in reference]
        return *policy, *reference, beta

    worked = (torch.tensor([-10.0]), torch.tensor([-14.0]), torch.tensor([-12.0]), torch.tensor([-13.0]), 0.5)
    return [
        Case("the worked example", worked),
        Case("nothing has moved: log 2", draw(4, 0.1, moved=0.0)),
        Case("six pairs, beta 0.1", draw(6, 0.1)),
        Case("five pairs, beta 1", draw(5, 1.0, moved=3.0)),
        Case("very wrong: must not overflow", (worked[1] - 400, worked[0], worked[2], worked[3], 1.0)),
        Case("one pair, beta 2", draw(1, 2.0)),
    ]


def _gap(better, worse, better_reference, worse_reference):
    return (better - better_reference) - (worse - worse_reference)


def _reference_forgotten(better, worse, better_reference, worse_reference, beta):
    return bradley_terry_loss(beta * better, beta * worse)


def _reference_added(better, worse, better_reference, worse_reference, beta):
    return dpo_loss(better, worse, -better_reference, -worse_reference, beta)


def _pair_swapped(better, worse, better_reference, worse_reference, beta):
    return dpo_loss(worse, better, worse_reference, better_reference, beta)


def _beta_outside(better, worse, better_reference, worse_reference, beta):
    return beta * dpo_loss(better, worse, better_reference, worse_reference, 1.0)


def _beta_left_out(better, worse, better_reference, worse_reference, beta):
    return dpo_loss(better, worse, better_reference, worse_reference, 1.0)


def _beta_on_policy_only(better, worse, better_reference, worse_reference, beta):
    return bradley_terry_loss(beta * better - better_reference, beta * worse - worse_reference)


def _divided_by_beta(better, worse, better_reference, worse_reference, beta):
    return dpo_loss(better, worse, better_reference, worse_reference, 1 / beta)


def _no_sigmoid(better, worse, better_reference, worse_reference, beta):
    return -beta * _gap(better, worse, better_reference, worse_reference).mean()


def _dpo_summed(better, worse, better_reference, worse_reference, beta):
    return dpo_loss(better, worse, better_reference, worse_reference, beta) * len(better)


EXERCISES = (
    Exercise(
        name="bradley_terry_loss",
        reference=bradley_terry_loss,
        cases=bradley_terry_cases,
        returns="float tensor with one number",
        points=1,
        mistakes=(
            Mistake(
                "the pair swapped",
                _swapped,
                "this loss is small when the *worse* text scores higher. Look at the order of the difference.",
            ),
            Mistake("no logarithm", _no_logarithm, "the probability itself is averaged. A loss wants its logarithm."),
            Mistake(
                "overflow",
                _overflows,
                "right for small gaps, but at a gap of -200 the sigmoid rounds to 0 and its logarithm is minus "
                "infinity. The library has the logarithm of the sigmoid in one function.",
            ),
            Mistake("summed", _summed, "the losses of the pairs are added up. Average them."),
            Mistake(
                "averaged before the sigmoid",
                _mean_first,
                "the gaps were averaged first and one sigmoid taken. Each pair has a probability of its own.",
            ),
            Mistake(
                "no sigmoid",
                _log_gap,
                "the gap itself is the loss, so it can be won without end by blowing up the scores.",
            ),
            Mistake("not negated", _not_negated, "the logarithm of a probability is negative; a loss is positive."),
            Mistake(
                "each text alone",
                _each_alone,
                "each text gets a sigmoid of its own. A preference speaks about the difference of the two.",
            ),
        ),
    ),
    Exercise(
        name="reward_to_go",
        reference=reward_to_go,
        cases=reward_to_go_cases,
        returns="float tensor (batch, tokens)",
        points=2,
        mistakes=(
            Mistake(
                "the leash pushes",
                _leash_reversed,
                "the policy earns something for leaving the reference. The log-ratio has the wrong sign somewhere.",
            ),
            Mistake("only this word", _only_here, "each place pays for its own word only. What comes later costs too."),
            Mistake(
                "the past instead of the future",
                _past_instead,
                "each place pays for the words up to it. The past cannot be changed: sum from the place to the end.",
            ),
            Mistake(
                "the whole text everywhere",
                _whole_text,
                "every place pays for the whole text. A place answers for itself and for what follows.",
            ),
            Mistake(
                "from the next word on",
                _from_the_next,
                "the sum begins one place too late: a word's own log-ratio belongs to it.",
            ),
            Mistake(
                "no reference",
                _no_reference,
                "this punishes likely words, whatever the reference thinks of them. Compare with the reference.",
            ),
            Mistake("beta forgotten", _beta_forgotten, "the log-ratios are not weighted: where is beta?"),
            Mistake(
                "the score at every word",
                _score_at_every_word,
                "the score is counted once for every word that follows. The judge reads the text once, at its end.",
            ),
        ),
    ),
    Exercise(
        name="ppo_loss",
        reference=ppo_loss,
        cases=ppo_cases,
        returns="float tensor with one number",
        points=2,
        mistakes=(
            Mistake("never clipped", _never_clipped, "the ratio is free: nothing stops it from running away."),
            Mistake(
                "always clipped",
                _always_clipped,
                "the clipped product alone. A bad word that became likelier could then never be pushed back: "
                "take the smaller of both products.",
            ),
            Mistake("maximum", _maximum, "the larger of the two products is taken. The objective is a lower bound."),
            Mistake("not negated", _ppo_not_negated, "this is the objective, to be maximised. A loss is minimised."),
            Mistake("ratio upside down", _upside_down, "the ratio is old over new. The new policy stands on top."),
            Mistake(
                "no exponential",
                _no_exponential,
                "the ratio of two probabilities is not the difference of their logarithms, but its exponential.",
            ),
            Mistake("logarithms divided", _logs_divided, "log-probabilities were divided. Subtract them first."),
            Mistake(
                "clipped around zero",
                _clipped_around_zero,
                "the ratio is clipped around 0. A policy that has not moved has ratio 1.",
            ),
            Mistake("summed", _ppo_summed, "the words are added up. Average over all of them."),
        ),
    ),
    Exercise(
        name="dpo_loss",
        reference=dpo_loss,
        cases=dpo_cases,
        returns="float tensor with one number",
        points=2,
        mistakes=(
            Mistake(
                "no reference",
                _reference_forgotten,
                "the reference is not used, so nothing keeps the policy near it. The implicit reward is a log-ratio.",
            ),
            Mistake(
                "reference added",
                _reference_added,
                "the log-probabilities of the reference are added. A log-ratio subtracts them.",
            ),
            Mistake("the pair swapped", _pair_swapped, "this teaches the worse text. Look at the order of the pair."),
            Mistake(
                "beta outside",
                _beta_outside,
                "beta multiplies the loss, which only changes the step size. It belongs inside the sigmoid.",
            ),
            Mistake("beta left out", _beta_left_out, "beta is not used: it scales the implicit reward."),
            Mistake(
                "beta on the policy only",
                _beta_on_policy_only,
                "beta multiplies the policy's log-probabilities, but not the reference's. Subtract first.",
            ),
            Mistake(
                "divided by beta",
                _divided_by_beta,
                "the log-ratio is divided by beta. Solve the closed form for the reward once more.",
            ),
            Mistake(
                "no sigmoid",
                _no_sigmoid,
                "the gap itself is the loss, so a pair that is already right pulls as hard as a wrong one.",
            ),
            Mistake("summed", _dpo_summed, "the losses of the pairs are added up. Average them."),
        ),
    ),
)
