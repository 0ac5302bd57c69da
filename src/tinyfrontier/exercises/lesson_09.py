"""Exercises of lesson 09: Bradley-Terry, reward to go, PPO's clip, DPO."""

import torch
import torch.nn.functional as F

from .form import case, exercise


@exercise(returns="float tensor with one number", points=1, extreme={"better": 1e4})
def bradley_terry_loss(better, worse):
    gap = better - worse
    return F.binary_cross_entropy_with_logits(gap, torch.ones_like(gap))


@bradley_terry_loss.cases
def _():
    generator = torch.Generator().manual_seed(1)

    def draw(count, size=1.0):
        return size * torch.randn(count, generator=generator)

    yield "seven pairs", draw(7), draw(7)
    yield "one pair, 2 against 1", torch.tensor([2.0]), torch.tensor([1.0])
    yield "undecided", torch.full((3,), -4.0), torch.full((3,), -4.0)
    yield "very wrong: a gap of -200", torch.tensor([-100.0, 1.0]), torch.tensor([100.0, 0.0])
    yield "very right", draw(4, 0.1) + 60, draw(4, 0.1)
    yield "wide scores", draw(33, 5.0), draw(33, 5.0)


@bradley_terry_loss.usual
def bradley_terry_loss(better, worse):
    return -F.logsigmoid(better - worse).mean()


bradley_terry_loss.slip("better - worse", "worse - better", "the pair swapped").says(
    "this loss is small when the *worse* text scores higher. Look at the order of the difference."
)
bradley_terry_loss.slip("F.logsigmoid(better - worse)", "(better - worse).sigmoid()", "no logarithm").says(
    "the probability itself is averaged. A loss wants its logarithm."
)
bradley_terry_loss.slip("F.logsigmoid(better - worse)", "(better - worse).sigmoid().log()", "overflow").says(
    "right for small gaps, but at a gap of -200 the sigmoid rounds to 0 and its logarithm is minus "
    "infinity. The library has the logarithm of the sigmoid in one function."
)
bradley_terry_loss.slip("mean()", "sum()", "summed", "the losses of the pairs are added up. Average them.")
bradley_terry_loss.slip(
    "(better - worse).mean()", "(better.mean() - worse.mean())", "averaged before the sigmoid"
).says("the gaps were averaged first and one sigmoid taken. Each pair has a probability of its own.")
bradley_terry_loss.slip("F.logsigmoid", "", "no sigmoid").says(
    "the gap itself is the loss, so it can be won without end by blowing up the scores."
)
bradley_terry_loss.slip("-F", "F", "not negated").says(
    "the logarithm of a probability is negative; a loss is positive."
)
bradley_terry_loss.slip(
    "F.logsigmoid(better - worse)", "(F.logsigmoid(better) + F.logsigmoid(-worse))", "each text alone"
).says("each text gets a sigmoid of its own. A preference speaks about the difference of the two.")


@exercise(
    returns="float tensor (batch, tokens)",
    points=2,
    no_gradient="the reward to go weighs gradients, and none flows through it",
)
def reward_to_go(score, log_probs, reference, beta):
    columns, still_to_pay = [], torch.zeros_like(score)
    for place in reversed(range(log_probs.shape[1])):
        still_to_pay = still_to_pay + beta * (log_probs[:, place] - reference[:, place])
        columns.append(score - still_to_pay)
    return torch.stack(columns[::-1], dim=1)


@reward_to_go.cases
def _():
    generator = torch.Generator().manual_seed(2)

    def draw(batch, tokens, beta):
        score = torch.randn(batch, generator=generator)
        return score, *(-3 * torch.rand(batch, tokens, generator=generator) for _ in range(2)), beta

    worked = torch.tensor([1.0]), torch.tensor([[-1.0, -2.0, -0.5]]), torch.tensor([[-1.2, -2.0, -0.9]]), 0.5
    yield "the worked example", *worked
    yield "4 texts of 6 words, beta 0.1", *draw(4, 6, 0.1)
    yield "3 texts of 3 words: rows and columns look alike", *draw(3, 3, 0.7)
    yield "no leash", *draw(2, 5, 0.0)
    yield "one text of one word", *draw(1, 1, 2.0)
    yield "a strong leash", *draw(5, 12, 10.0)


@reward_to_go.usual
def reward_to_go(score, log_probs, reference, beta):
    penalty = beta * (log_probs - reference)  # (batch, tokens)
    ahead = penalty.flip(1).cumsum(1).flip(1)  # of this word and all later ones
    return score[:, None] - ahead


reward_to_go.slip("log_probs - reference", "reference - log_probs", "the leash pushes").says(
    "the policy earns something for leaving the reference. The log-ratio has the wrong sign somewhere."
)
reward_to_go.slip(".flip(1).cumsum(1).flip(1)", "", "only this word").says(
    "each place pays for its own word only. What comes later costs too."
)
reward_to_go.slip(".flip(1).cumsum(1).flip(1)", ".cumsum(1)", "the past instead of the future").says(
    "each place pays for the words up to it. The past cannot be changed: sum from the place to the end."
)
reward_to_go.slip(
    "penalty.flip(1).cumsum(1).flip(1)",
    "penalty.sum(1, keepdim=True).expand_as(penalty)",
    "the whole text everywhere",
    "every place pays for the whole text. A place answers for itself and for what follows.",
)
reward_to_go.slip(".flip(1)  #", ".flip(1) - penalty  #", "from the next word on").says(
    "the sum begins one place too late: a word's own log-ratio belongs to it."
)
reward_to_go.slip("(log_probs - reference)", "log_probs", "no reference").says(
    "this punishes likely words, whatever the reference thinks of them. Compare with the reference."
)
reward_to_go.slip("beta * ", "", "beta forgotten", "the log-ratios are not weighted: where is beta?")
reward_to_go.slip(
    "score[:, None]", "score[:, None] * torch.arange(ahead.shape[1], 0, -1)", "the score at every word"
).says("the score is counted once for every word that follows. The judge reads the text once, at its end.")


@exercise(returns="float tensor with one number", points=2, constants=("old", "advantage"))
def ppo_loss(log_probs, old, advantage, clip=0.2):
    ratio = (log_probs - old).exp()
    # a good token earns at most (1 + clip) times its advantage, a bad one costs at least (1 - clip) times
    limit = torch.where(advantage >= 0, ratio.clamp(max=1 + clip), ratio.clamp(min=1 - clip))
    return -(limit * advantage).mean()


@ppo_loss.cases
def _():
    generator = torch.Generator().manual_seed(3)

    def draw(batch, tokens, moved):
        old = -2 * torch.rand(batch, tokens, generator=generator) - 1
        new = old + moved * torch.randn(batch, tokens, generator=generator)
        return new, old, torch.randn(batch, tokens, generator=generator)

    def one(new, old, advantage):
        return torch.tensor([[new]]).log(), torch.tensor([[old]]).log(), torch.tensor([[advantage]])

    yield "nothing has moved", *draw(2, 3, 0.0)
    yield "a good word, 0.4 -> 0.6", *one(0.6, 0.4, 2.0)
    yield "a bad word, 0.4 -> 0.6", *one(0.6, 0.4, -2.0)
    yield "a good word, 0.4 -> 0.2", *one(0.2, 0.4, 2.0)
    yield "a bad word, 0.4 -> 0.2", *one(0.2, 0.4, -2.0)
    yield "4 texts of 5 words", *draw(4, 5, 0.3)
    yield case("clip 0.05", *draw(3, 7, 0.5), clip=0.05)
    yield "clip 0.5, far away", *draw(6, 2, 2.0), 0.5


@ppo_loss.usual
def ppo_loss(log_probs, old, advantage, clip=0.2):
    ratio = (log_probs - old).exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return -torch.min(ratio * advantage, clipped * advantage).mean()


ppo_loss.slip("torch.min(ratio * advantage, clipped * advantage)", "(ratio * advantage)", "never clipped").says(
    "the ratio is free: nothing stops it from running away."
)
ppo_loss.slip("torch.min(ratio * advantage, clipped * advantage)", "(clipped * advantage)", "always clipped").says(
    "the clipped product alone. A bad word that became likelier could then never be pushed back: "
    "take the smaller of both products."
)
ppo_loss.slip("torch.min", "torch.max", "maximum").says(
    "the larger of the two products is taken. The objective is a lower bound."
)
ppo_loss.slip("-torch", "torch", "not negated", "this is the objective, to be maximised. A loss is minimised.")
ppo_loss.slip("log_probs - old", "old - log_probs", "ratio upside down").says(
    "the ratio is old over new. The new policy stands on top."
)
ppo_loss.slip(".exp()", "", "no exponential").says(
    "the ratio of two probabilities is not the difference of their logarithms, but its exponential."
)
ppo_loss.slip("(log_probs - old).exp()", "log_probs / old", "logarithms divided").says(
    "log-probabilities were divided. Subtract them first."
)
ppo_loss.slip("1 - clip, 1 + clip", "-clip, clip", "clipped around zero").says(
    "the ratio is clipped around 0. A policy that has not moved has ratio 1."
)
ppo_loss.slip(
    "torch.min(ratio * advantage, clipped * advantage)", "(torch.min(ratio, clipped) * advantage)", "smaller ratio"
).says("the smaller *ratio* is taken, whatever the advantage. Multiply both first, then take the smaller product.")
ppo_loss.slip(
    "ratio.clamp(1 - clip, 1 + clip)", "(log_probs - old).clamp(-clip, clip).exp()", "logarithm clipped"
).says("the difference of the logarithms is clipped. It is the ratio that stays within 1 - clip and 1 + clip.")
ppo_loss.slip("clipped * advantage)", "(ratio * advantage).clamp(1 - clip, 1 + clip))", "product clipped").says(
    "ratio times advantage is clipped. Clip the ratio alone, then multiply."
)
ppo_loss.slip("clamp(1 - clip, 1 + clip)", "clamp(max=1 + clip)", "clipped above only").says(
    "the ratio is clipped above only. A bad word that has become rare enough has had its share, too."
)
ppo_loss.slip("1 - clip, 1 + clip", "0.8, 1.2", "clip unused").says(
    "with clip = 0.2 your numbers are right; at other values the argument `clip` has no effect."
)
ppo_loss.slip("mean()", "sum()", "summed", "the words are added up. Average over all of them.")


@exercise(
    returns="float tensor with one number",
    points=2,
    extreme={"better": 1e4},
    constants=("better_reference", "worse_reference"),
)
def dpo_loss(better, worse, better_reference, worse_reference, beta):
    implicit = [beta * (mine - theirs) for mine, theirs in ((better, better_reference), (worse, worse_reference))]
    return bradley_terry_loss(*implicit)


@dpo_loss.cases
def _():
    generator = torch.Generator().manual_seed(4)

    def draw(count, beta, moved=1.0):
        reference = [-20 * torch.rand(count, generator=generator) - 5 for _ in range(2)]
        policy = [text + moved * torch.randn(count, generator=generator) for text in reference]
        return *policy, *reference, beta

    worked = torch.tensor([-10.0]), torch.tensor([-14.0]), torch.tensor([-12.0]), torch.tensor([-13.0]), 0.5
    yield "the worked example", *worked
    yield "nothing has moved: log 2", *draw(4, 0.1, moved=0.0)
    yield "six pairs, beta 0.1", *draw(6, 0.1)
    yield "five pairs, beta 1", *draw(5, 1.0, moved=3.0)
    yield "very wrong: must not overflow", worked[1] - 400, worked[0], worked[2], worked[3], 1.0
    yield "one pair, beta 2", *draw(1, 2.0)


@dpo_loss.usual
def dpo_loss(better, worse, better_reference, worse_reference, beta):
    gap = (better - better_reference) - (worse - worse_reference)  # of the log-ratios
    return -F.logsigmoid(beta * gap).mean()


dpo_loss.slip("(better - better_reference) - (worse - worse_reference)", "better - worse", "no reference").says(
    "the reference is not used, so nothing keeps the policy near it. The implicit reward is a log-ratio."
)
dpo_loss.slip(
    "(better - better_reference) - (worse - worse_reference)",
    "(better + better_reference) - (worse + worse_reference)",
    "reference added",
    "the log-probabilities of the reference are added. A log-ratio subtracts them.",
)
dpo_loss.slip("beta * gap", "-beta * gap", "the pair swapped").says(
    "this teaches the worse text. Look at the order of the pair."
)
dpo_loss.slip("-F.logsigmoid(beta * gap)", "-beta * F.logsigmoid(gap)", "beta outside").says(
    "beta multiplies the loss, which only changes the step size. It belongs inside the sigmoid."
)
dpo_loss.slip("beta * gap", "gap", "beta left out", "beta is not used: it scales the implicit reward.")
dpo_loss.slip(
    "beta * gap",
    "beta * (better - worse) - (better_reference - worse_reference)",
    "beta on the policy only",
    "beta multiplies the policy's log-probabilities, but not the reference's. Subtract first.",
)
dpo_loss.slip("beta * gap", "gap / beta", "divided by beta").says(
    "the log-ratio is divided by beta. Solve the closed form for the reward once more."
)
dpo_loss.slip("F.logsigmoid(beta * gap)", "(beta * gap)", "no sigmoid").says(
    "the gap itself is the loss, so a pair that is already right pulls as hard as a wrong one."
)
dpo_loss.slip("F.logsigmoid(beta * gap)", "(beta * gap).sigmoid().log()", "overflow").says(
    "right for small gaps, but at large ones the sigmoid rounds to 0 and its logarithm is minus infinity. The library "
    "has the logarithm of the sigmoid in one function."
)
dpo_loss.slip("mean()", "sum()", "summed", "the losses of the pairs are added up. Average them.")
