"""Lesson 09's own losses, its reader, its KL and its best-of-n against worked numbers, PyTorch's own and exact sums."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F

from parity import assert_same_as_library
from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(9)


def a_model(lesson, seed=0, context=None):
    """A small untrained GPT of the lesson's kind, with weights large enough to have opinions."""
    torch.manual_seed(seed)
    context = lesson.LENGTH + 1 if context is None else context
    model = lesson.GPT(lesson.GPTConfig(vocabulary=len(lesson.WORDS), context=context, layers=1, heads=2, width=12))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return model.eval().requires_grad_(False)


def random_log_probs(*shape, seed=0):
    """Log-probabilities in double precision that can be differentiated."""
    generator = torch.Generator().manual_seed(seed)
    return (-3 * torch.rand(*shape, generator=generator, dtype=torch.float64)).requires_grad_()


@pytest.mark.parametrize("count", [1, 7, 64])
def test_bradley_terry_is_logistic_regression(lesson, count):
    """Value and gradients equal PyTorch's binary cross-entropy with logits on the gaps."""
    better, worse = random_log_probs(count, seed=1), random_log_probs(count, seed=2)
    ours = lesson.bradley_terry_loss(better, worse)
    theirs = F.binary_cross_entropy_with_logits(better - worse, torch.ones(count, dtype=torch.float64))
    assert_same_as_library(ours, theirs, tolerance=1e-12, gradients=[better, worse])


def test_bradley_terry_by_hand(lesson):
    """-log sigmoid(1) = log(1 + 1/e); a gap of -200 costs 200."""
    assert lesson.bradley_terry_loss(torch.tensor([2.0]), torch.tensor([1.0])).item() == pytest.approx(
        math.log(1 + math.exp(-1)), abs=1e-6
    )
    assert lesson.bradley_terry_loss(torch.tensor([-100.0]), torch.tensor([100.0])).item() == pytest.approx(200)


@pytest.mark.parametrize(
    ("new", "old", "advantage", "clip", "loss"),
    [
        (0.6, 0.4, 2.0, 0.2, -2.4),  # ratio 1.5, a good word: min(3.0, 2.4)
        (0.6, 0.4, -2.0, 0.2, 3.0),  # ratio 1.5, a bad word: min(-3.0, -2.4)
        (0.2, 0.4, 2.0, 0.2, -1.0),  # ratio 0.5, a good word: min(1.0, 1.6)
        (0.2, 0.4, -2.0, 0.2, 1.6),  # ratio 0.5, a bad word: min(-1.0, -1.6)
        (0.2, 0.4, -2.0, 0.6, 1.0),  # a wider clip: nothing is cut
    ],
)
def test_ppo_by_hand(lesson, new, old, advantage, clip, loss):
    """The four corners of equation 7 of Schulman et al., worked out by hand."""
    words = [torch.tensor([[value]]).log() for value in (new, old)]
    assert lesson.ppo_loss(*words, torch.tensor([[advantage]]), clip).item() == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 2)])
def test_ppo_at_the_start_is_the_policy_gradient(lesson, shape):
    """At ratio 1 the gradient is minus the advantage over the number of words; far beyond the clip it is zero."""
    new = random_log_probs(*shape, seed=3)
    advantage = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    (slope,) = torch.autograd.grad(lesson.ppo_loss(new, new.detach(), advantage), new)
    assert torch.allclose(slope, -advantage / advantage.numel(), atol=1e-12)
    gone = new.detach() - advantage.sign()  # every word has already moved the way its advantage asks for
    (slope,) = torch.autograd.grad(lesson.ppo_loss(new, gone, advantage), new)
    assert not slope.any()


def test_the_losses_have_correct_gradients(lesson):
    """Finite differences agree with backpropagation for all four functions."""
    pairs = [random_log_probs(4, seed=seed) for seed in range(4)]
    words = [random_log_probs(3, 4, seed=seed) for seed in range(4, 6)]
    advantage = torch.linspace(-1, 1, 12, dtype=torch.float64).view(3, 4)
    score = random_log_probs(3, seed=6)
    assert torch.autograd.gradcheck(lesson.bradley_terry_loss, pairs[:2])
    assert torch.autograd.gradcheck(lambda *four: lesson.dpo_loss(*four, 0.3), pairs)
    assert torch.autograd.gradcheck(lambda new: lesson.ppo_loss(new, words[1].detach(), advantage), words[:1])
    assert torch.autograd.gradcheck(lambda *three: lesson.reward_to_go(*three, 0.7), (score, *words))


def test_reward_to_go_by_hand(lesson):
    """The lesson's worked example, and the first place pays for the whole text."""
    new, old = torch.tensor([[-1.0, -2.0, -0.5]]), torch.tensor([[-1.2, -2.0, -0.9]])
    got = lesson.reward_to_go(torch.tensor([1.0]), new, old, 0.5)
    assert torch.allclose(got, torch.tensor([[0.7, 0.8, 0.8]]))
    new, old, score = random_log_probs(5, 9, seed=1), random_log_probs(5, 9, seed=2), random_log_probs(5, seed=3)
    got = lesson.reward_to_go(score, new, old, 0.3)
    assert torch.allclose(got[:, 0], score - 0.3 * (new - old).sum(dim=1))
    assert torch.allclose(got[:, -1], score - 0.3 * (new - old)[:, -1])


def test_dpo_by_hand(lesson):
    """-log sigmoid(0.5 (2 - (-1))) = log(1 + exp(-1.5)); an unmoved policy pays log 2."""
    texts = [torch.tensor([value]) for value in (-10.0, -14.0, -12.0, -13.0)]
    assert lesson.dpo_loss(*texts, 0.5).item() == pytest.approx(math.log(1 + math.exp(-1.5)), abs=1e-6)
    assert lesson.dpo_loss(*texts[:2], *texts[:2], 0.5).item() == pytest.approx(math.log(2), abs=1e-6)


def test_dpo_is_bradley_terry_on_implicit_rewards(lesson):
    """DPO's loss equals PyTorch's binary cross-entropy of the implicit rewards' gaps, with its gradients."""
    texts = [random_log_probs(9, seed=seed) for seed in range(4)]
    gaps = 0.2 * ((texts[0] - texts[2]) - (texts[1] - texts[3]))
    theirs = F.binary_cross_entropy_with_logits(gaps, torch.ones(9, dtype=torch.float64))
    ours = lesson.dpo_loss(*texts, 0.2)
    assert_same_as_library(ours, theirs, tolerance=1e-12, gradients=texts)


@pytest.mark.parametrize("loss", ["table_rlhf", "table_dpo"])
def test_both_roads_end_at_the_closed_form(lesson, loss):
    """Over a table of texts RLHF's objective and DPO's loss have the same best policy, the formula's."""
    formula = (lesson.TABLE_REFERENCE + lesson.TABLE_REWARD / lesson.TABLE_BETA).softmax(0)
    found = lesson.minimum(getattr(lesson, loss)).exp()
    assert (found - formula).abs().max() < 1e-5
    assert (lesson.TABLE_REFERENCE.exp() - formula).abs().max() > 0.1


def test_the_grammar_breaks_no_rule_of_its_own(lesson):
    """Every row of chances adds up to 1, and a text by the grammar has no broken step."""
    assert torch.allclose(lesson.CHAIN.sum(dim=1), torch.ones(len(lesson.WORDS)))
    texts = lesson.grammar_texts(50, torch.Generator().manual_seed(0))
    assert texts.shape == (50, lesson.LENGTH + 1)
    assert (lesson.CHAIN[texts[:, :-1], texts[:, 1:]] > 0).all()


@pytest.mark.parametrize(
    ("text", "reward"),
    [
        ("the cake was good", 1),
        ("the cake was good and good", 0),
        ("the cake was good and fresh", 2),
        ("the cake was bad and bad", -2),
        ("cake cake", -2),
        ("great great great", -4),
        ("the soup was very good . the room was rude", 0),
    ],
)
def test_the_reader_counts_as_the_rules_say(lesson, text, reward):
    """The true reward of short texts, counted by hand."""
    assert lesson.true_reward(lesson.encode(text)).tolist() == [reward]
    assert lesson.spell(lesson.encode(text)[0]) == text


def test_the_reader_answers_as_bradley_and_terry_say(lesson):
    """Answers are a sigmoid of the gap; with noise only they do not depend on it."""
    model = a_model(lesson)
    for noise_only, low, high in ((False, 0.85, 1.0), (True, 0.42, 0.58)):
        better, worse = lesson.ask(model, 600, torch.Generator().manual_seed(5), noise_only=noise_only)
        gap = lesson.true_reward(better) - lesson.true_reward(worse)
        share = (gap[gap.abs() >= 2] > 0).float().mean().item()
        assert low <= share <= high


def test_log_probs_equal_cross_entropy(lesson):
    """Summed, they are minus the cross-entropy of each text."""
    model = a_model(lesson)
    texts = torch.randint(len(lesson.WORDS), (5, 8), generator=torch.Generator().manual_seed(0))
    ours = lesson.log_probs(model, texts)
    logits = model(texts[:, :-1])[0]
    assert ours.shape == (5, 7)
    assert torch.allclose(ours, -F.cross_entropy(logits.mT, texts[:, 1:], reduction="none"), atol=1e-5)


def test_kl_equals_the_exact_sum_over_all_texts(lesson):
    """The mean of `kl_of_texts` over all texts of two words, weighted by the policy, is the divergence of the texts."""
    policy, reference, words = a_model(lesson, 1), a_model(lesson, 2), len(lesson.WORDS)
    texts = torch.cartesian_prod(torch.tensor([0]), torch.arange(words), torch.arange(words))
    ours, theirs = (lesson.log_probs(model, texts).sum(dim=1).double() for model in (policy, reference))
    exact = (ours.exp() * (ours - theirs)).sum()
    assert exact > 0.05
    assert (ours.exp() * lesson.kl_of_texts(policy, reference, texts)).sum().item() == pytest.approx(
        exact.item(), rel=1e-3
    )
    assert lesson.kl_of_texts(policy, policy, texts).abs().max() < 1e-5


@pytest.mark.parametrize("n", [1, 2, 5])
def test_best_of_n_equals_trying_all_draws(lesson, n):
    """The formula over ranks equals the mean over all n-tuples of a small pool."""
    scores, values = torch.tensor([0.3, -1.0, 2.0, 0.7]), torch.tensor([1.0, 5.0, -2.0, 4.0])
    draws = torch.cartesian_prod(*[torch.arange(4)] * n).view(-1, n)
    best = draws.gather(1, scores[draws].argmax(dim=1, keepdim=True))[:, 0]
    assert lesson.best_of(n, scores, values) == pytest.approx(values[best].mean().item(), abs=1e-6)


def test_the_bound_on_best_of_n(lesson):
    """The bound is 0 for one text, and close to the exact divergence for many different texts."""
    assert lesson.best_of_kl(1) == 0
    for n in (2, 3, 10, 50):
        chance = (torch.linspace(0, 1, 100_001, dtype=torch.float64) ** n).diff()
        fine = (torch.special.xlogy(chance, chance) + chance * math.log(100_000)).sum().item()
        assert fine == pytest.approx(lesson.best_of_kl(n), abs=1e-3)


def test_a_batch_is_what_the_loss_expects(lesson):
    """Advantages have mean 0 at each place and spread 1; the old log-probabilities are those of the writer."""
    policy, reference, judge = a_model(lesson, 1), a_model(lesson, 2), copy.deepcopy(a_model(lesson, 3))
    judge.head = torch.nn.Linear(12, 1)
    batch = lesson.collect(policy, reference, judge, 0.1, torch.Generator().manual_seed(0), batch=32)
    texts, old, advantage = batch
    assert texts.shape == (32, lesson.LENGTH + 1)
    assert advantage.mean(dim=0).abs().max() < 1e-4
    assert 0.8 < advantage.std() < 1.01
    assert torch.equal(old, lesson.log_probs(policy, texts))


def test_reweighing_moves_from_the_pool_to_its_best_text(lesson):
    """A large beta leaves all texts alike; a small one puts all weight on the best and reaches log(pool)."""
    rewards = torch.tensor([0.0, 1.0, 3.0, 2.0])
    weights, kl = lesson.reweigh(rewards, 1e6)
    assert torch.allclose(weights, torch.full((4,), 0.25, dtype=torch.float64), atol=1e-5)
    assert abs(kl) < 1e-6
    weights, kl = lesson.reweigh(rewards, 1e-3)
    assert weights.argmax() == 2
    assert kl == pytest.approx(math.log(4))


def test_training_moves_a_copy_and_leaves_the_reference(lesson):
    """Judge, PPO and DPO train copies: the reference's weights stay what they were, and the copies' differ."""
    reference = a_model(lesson)
    before = copy.deepcopy(reference.state_dict())
    generator = torch.Generator().manual_seed(0)
    better, worse = lesson.ask(reference, 40, generator)
    judge = lesson.train_judge(reference, better, worse, better, seed=0)
    policy, path = lesson.train_policy(reference, judge, beta=0.1, seed=0, rounds=4, updates=2)
    direct, way = lesson.train_dpo(reference, judge, better, worse, seed=0, steps=48)
    assert path.shape == (3, 3)
    assert way.shape == (3, 3)
    assert path[0, 0].item() == pytest.approx(0, abs=1e-4)
    for model in (policy, direct):
        assert any(not torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert all(torch.equal(weight, before[name]) for name, weight in reference.state_dict().items())
    assert abs(lesson.score(judge, better).mean().item()) < 1e-4


def test_the_reader_in_the_judges_place_gives_the_true_reward(lesson):
    """`score` of the reader is the true reward of each text."""
    texts = lesson.grammar_texts(20, torch.Generator().manual_seed(0))
    assert torch.equal(lesson.score(lesson.reader, texts), lesson.true_reward(texts))


def test_the_imitator_learns_the_judges_choices(lesson):
    """Fine-tuned on the judge's favourites, the copy finds them likelier than the reference did."""
    reference = lesson.train_reference(steps=20)
    pool = lesson.write(reference, 256, torch.Generator().manual_seed(0))
    policy, grade = lesson.train_imitator(reference, lesson.reader, pool, seed=0)
    best = pool.view(-1, 16, pool.shape[1])[torch.arange(16), lesson.true_reward(pool).view(-1, 16).argmax(dim=1)]
    assert grade.shape == (3,)
    assert lesson.log_probs(policy, best).mean() > lesson.log_probs(reference, best).mean() + 0.1
