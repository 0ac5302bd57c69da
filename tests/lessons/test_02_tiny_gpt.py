"""Lesson 02's own GPT against transformers' and the course's, its cache, its scores and its sampling."""

import math

import pytest
import torch
import torch.nn.functional as F

from tinyfrontier.authoring import definitions


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(2)


def shaken(lesson, seed=0, **sizes):
    """A GPT of odd sizes with random weights everywhere, so that no branch is zero."""
    torch.manual_seed(seed)
    model = lesson.GPT(**({"vocabulary": 53, "context": 24, "layers": 2, "heads": 3, "width": 24} | sizes)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return model


SIZES = [
    pytest.param({}, 3, 24, id="full-context"),
    pytest.param({"layers": 1, "heads": 1, "width": 6}, 1, 1, id="one-token"),
    pytest.param({"layers": 3, "heads": 4, "width": 32, "context": 17}, 2, 13, id="three-blocks"),
]


@pytest.mark.parametrize(("sizes", "batch", "tokens"), SIZES)
def test_logits_and_gradients_equal_the_library(lesson, sizes, batch, tokens):
    """With the same weights, logits and the gradients of every weight equal transformers.GPT2LMHeadModel's."""
    mine = shaken(lesson, **sizes).double()
    library = lesson.published(mine).double()
    library.load_state_dict(lesson.gpt2_state_dict(mine))
    some = torch.randint(53, (batch, tokens))
    ours, theirs = mine(some)[0], library(some).logits
    assert (ours - theirs).abs().max() < 1e-10
    weight = torch.randn_like(ours)
    (ours * weight).sum().backward()
    (theirs * weight).sum().backward()
    with torch.no_grad():
        for parameter in mine.parameters():
            parameter.copy_(parameter.grad)
    for name, gradient in lesson.gpt2_state_dict(mine).items():
        assert (gradient - library.get_parameter(name).grad).abs().max() < 1e-8, name


def test_the_shipped_weights_give_the_same_logits(lesson):
    """The lesson's class with the shipped weights says what the course's own GPT says."""
    shipped, _ = lesson.load_gpt()
    mine = lesson.copy_of(shipped)
    some = torch.randint(shipped.config.vocabulary, (2, 31))
    with torch.no_grad():
        assert (mine(some)[0] - shipped(some)[0]).abs().max() < 1e-4


@pytest.mark.parametrize("cuts", [[1] * 12, [5, 7], [1, 4, 1, 6], [12]])
def test_reading_in_pieces_changes_nothing(lesson, cuts):
    """However a text is cut, the cache makes the logits the same as in one pass."""
    model, some = shaken(lesson), torch.randint(53, (2, 12))
    cache, parts = None, []
    with torch.no_grad():
        for piece in some.split(cuts, dim=1):
            logits, cache = model(piece, cache)
            parts.append(logits)
        assert (torch.cat(parts, dim=1) - model(some)[0]).abs().max() < 1e-4
    assert all(key.shape == value.shape == (2, 3, 12, 8) for key, value in cache)


def test_the_future_changes_nothing(lesson):
    """A later token leaves all earlier logits as they were."""
    model, some = shaken(lesson), torch.randint(52, (1, 12))
    changed = some.clone()
    changed[:, 7] += 1
    before, after = model(some)[0], model(changed)[0]
    assert (before[:, :7] - after[:, :7]).abs().max() < 1e-5
    assert (before[:, 7:] - after[:, 7:]).abs().max() > 1e-3


@pytest.mark.parametrize("settings", [{"temperature": 0}, {"seed": 1}, {"top_k": 5, "top_p": 0.8, "temperature": 1.3}])
def test_the_cache_writes_the_same_tokens(lesson, settings):
    """Greedy, drawn and filtered: with and without the cache the same tokens come out."""
    model, start = shaken(lesson), torch.tensor([[3, 9]])
    texts = [lesson.generate(model, start, 20, lesson.sampler(**settings), cached) for cached in (True, False)]
    assert torch.equal(*texts)
    assert texts[0].shape == (1, 22)
    assert torch.equal(texts[0][:, :2], start)


@pytest.mark.parametrize("length", [5, 8, 9, 12, 13, 30, 31])
def test_reading_in_windows_covers_every_token_once(lesson, length):
    """`read` gives one row a token, each with at least half a context of past where the text has it."""

    class Echo:
        """Says at each place which token stands there and how many it has seen."""

        context = 8

        def __call__(self, tokens):
            seen = torch.arange(1, tokens.shape[1] + 1).expand_as(tokens)
            return torch.stack([tokens, seen], dim=-1).float(), None

    rows = lesson.read(Echo(), torch.arange(length))
    assert rows[:, 0].tolist() == list(range(length))
    assert (rows[:, 1] >= torch.arange(1, length + 1).clamp(max=5)).all()


def test_even_odds_cost_the_logarithm_of_the_vocabulary(lesson):
    """Without knowledge a token costs log2 of the vocabulary, divided among its bytes."""
    bits = lesson.bits_per_byte(torch.zeros(11, 32), torch.arange(11), "é" * 10)
    assert bits == pytest.approx(5 * 10 / 20)


SMOOTHINGS = ["Witten-Bell", "Kneser-Ney"]


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", [1, 2, 4])
def test_ngram_probabilities_add_up_to_one(lesson, order, smoothing):
    """The bets on all 256 next bytes add up to 1, in seen and unseen contexts."""
    for past in (b"abc", b"zzz", b""):
        total = 0.0
        for byte in range(256):
            costs = lesson.ngram_costs(b"abcabdabcabe", past + bytes([byte]), order, smoothing)
            assert costs.shape == (order, len(past) + 1)
            total += 2 ** -costs[-1, -1]
        assert total == pytest.approx(1)


def obvious_bet(train, h, x, smoothing, longest=True):
    """The bet on byte x after context h, by the formulas, counting anew each time."""
    spots = range(len(train))
    if smoothing == "Witten-Bell" or longest:
        after = [train[i + len(h)] for i in spots if train[i : i + len(h)] == h and i + len(h) < len(train)]
    else:
        pairs = {train[i : i + len(h) + 2] for i in spots if train[i + 1 : i + 1 + len(h)] == h}
        after = [pair[-1] for pair in pairs if len(pair) == len(h) + 2]
    shorter = obvious_bet(train, h[1:], x, smoothing, longest=False) if h else 1 / 256
    if not after:
        return shorter
    kinds, count = len(set(after)), after.count(x)
    if smoothing == "Witten-Bell":
        return (count + kinds * shorter) / (len(after) + kinds)
    return (max(count - 0.75, 0) + 0.75 * kinds * shorter) / len(after)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_ngrams_bet_as_the_formulas_say(lesson, smoothing):
    """Every cost at every order equals the formulas, worked out by counting anew for each byte."""
    train, test = b"the theory of the thing is the other thing there", b"then the other thong"
    costs = lesson.ngram_costs(train, test, 5, smoothing)
    for order in range(1, 6):
        for end, x in enumerate(test):
            h = test[max(0, end - order + 1) : end]
            # near the beginning there is no longer context: the shorter one speaks as it does for longer ones
            bet = obvious_bet(train, h, x, smoothing, longest=len(h) == order - 1)
            assert costs[order - 1, end] == pytest.approx(-math.log2(bet)), (order, end)


def test_kneser_ney_bets_better_than_witten_bell(lesson):
    """On held-out text of the course, Kneser-Ney's best order costs at least a tenth of a bit less."""
    corpus = lesson.text_corpus()
    best = [lesson.ngram_costs(corpus.train, corpus.test, 7, name).mean(axis=1).min() for name in SMOOTHINGS]
    assert best[1] < best[0] - 0.1


def test_bpe_by_hand_agrees_with_the_library(lesson):
    """The first joined pair is the most frequent one, and the text stays the same."""
    letters = list("the theory of the thing is the other thing")
    pair, times = lesson.most_common_pair(letters)
    joined = lesson.join(letters, pair)
    assert (pair, times) == (("t", "h"), 7)
    assert "".join(joined) == "".join(letters)
    assert len(joined) == len(letters) - times


def test_the_tokenizer_writes_any_text(lesson):
    """Text with characters that it never saw comes back unchanged."""
    tokenizer = lesson.learn_bpe("the theory of the thing " * 200)
    for text in ("thing", " 语言 déjà\tvu\n", ""):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


@pytest.mark.parametrize("top_k", [None, 1, 7])
@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9, 1.0])
def test_filtered_logits_agree_with_the_library(lesson, top_k, top_p):
    """Top-k then top-p keep what transformers' warpers keep, with the old values."""
    from transformers.generation.logits_process import TopKLogitsWarper, TopPLogitsWarper

    torch.manual_seed(3)
    logits = 3 * torch.randn(6, 40)
    theirs = logits if top_k is None else TopKLogitsWarper(top_k)(None, logits)
    theirs = theirs if top_p == 1 else TopPLogitsWarper(top_p)(None, theirs)
    assert torch.equal(lesson.filter_logits(logits, top_k, top_p), theirs)


def test_temperature_zero_is_the_limit(lesson):
    """Temperature 0 takes the best token, as a very low temperature does."""
    logits = torch.randn(1, 30)
    assert lesson.sampler(0)(logits).item() == lesson.sampler(1e-3)(logits).item() == logits.argmax().item()


def test_the_fresh_model_knows_nothing(lesson):
    """Before training the loss is close to that of even odds."""
    torch.manual_seed(0)
    loss = lesson.next_token_loss(lesson.GPT(), torch.randint(lesson.VOCAB, (4, 33)))
    assert abs(loss.item() - math.log(lesson.VOCAB)) < 0.3


@pytest.mark.parametrize(("past", "new"), [(0, 5), (3, 1), (4, 3)])
def test_cached_attention_equals_the_end_of_causal_attention(lesson, past, new):
    """Attention on a cache gives the last rows of the library's causal attention over everything, and its gradients."""
    torch.manual_seed(past)
    query, key, value = (torch.randn(2, 3, past + new, 4, requires_grad=True) for _ in range(3))
    cache = (key[:, :, :past], value[:, :, :past]) if past else None
    ours, kept = lesson.cached_attention(query[:, :, past:], key[:, :, past:], value[:, :, past:], cache)
    theirs = F.scaled_dot_product_attention(query, key, value, is_causal=True)[:, :, past:]
    assert (ours - theirs).abs().max() < 1e-6
    assert torch.equal(kept[0], key)
    assert torch.equal(kept[1], value)
    left = torch.autograd.grad(ours.square().sum(), (query, key, value))
    right = torch.autograd.grad(theirs.square().sum(), (query, key, value))
    assert max((a - b).abs().max() for a, b in zip(left, right, strict=True)) < 1e-5
