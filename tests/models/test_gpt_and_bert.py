"""The decoder and the encoder: equal to the reference library, causal, and the same with and without a cache."""

import pytest
import torch

from parity import assert_same_as_library
from tinyfrontier.models import BERT, GPT, BERTConfig, GPTConfig, bert_state_dict, gpt2_state_dict

SIZES = {"vocabulary": 61, "context": 20, "layers": 3, "heads": 4, "width": 32}


def gpt(**changes) -> GPT:
    torch.manual_seed(0)
    model = GPT(GPTConfig(**SIZES | changes)).eval()
    return stirred(model)


def bert(**changes) -> BERT:
    torch.manual_seed(0)
    return stirred(BERT(BERTConfig(**SIZES | changes)).eval())


def stirred(model):
    """Move every weight, biases and norms too, so that a forgotten one shows."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def tokens(batch: int = 3, length: int = 13, seed: int = 1) -> torch.Tensor:
    return torch.randint(SIZES["vocabulary"], (batch, length), generator=torch.Generator().manual_seed(seed))


def hugging_gpt2(model: GPT):
    from transformers.models.gpt2.configuration_gpt2 import GPT2Config
    from transformers.models.gpt2.modeling_gpt2 import GPT2LMHeadModel

    c = model.config
    theirs = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=c.vocabulary,
            n_positions=c.context,
            n_embd=c.width,
            n_layer=c.layers,
            n_head=c.heads,
            tie_word_embeddings=c.tied,
            bos_token_id=None,
            eos_token_id=None,
        )
    ).eval()
    theirs.load_state_dict(gpt2_state_dict(model))
    return theirs


def hugging_bert_config(model: BERT):
    from transformers.models.bert.configuration_bert import BertConfig

    c = model.config
    return BertConfig(
        vocab_size=c.vocabulary,
        max_position_embeddings=c.context,
        hidden_size=c.width,
        num_hidden_layers=c.layers,
        num_attention_heads=c.heads,
        intermediate_size=4 * c.width,
        type_vocab_size=c.token_types,
    )


@pytest.mark.parametrize("tied", [True, False])
def test_the_decoder_equals_gpt2(tied):
    """With the same weights, logits and gradients are those of transformers' GPT2LMHeadModel."""
    ours = gpt(tied=tied)
    theirs = hugging_gpt2(ours)
    x = tokens()
    mine, their = ours(x)[0], theirs(x).logits
    assert_same_as_library(mine, their, tolerance=1e-5)
    mine.square().mean().backward()
    their.square().mean().backward()
    gradient = theirs.transformer.h[1].attn.c_attn.weight.grad
    assert (ours.blocks[1].attention.qkv.weight.grad - gradient.T).abs().max() < 1e-5


def test_the_encoder_equals_bert_for_pre_training():
    """With the same weights, padding and two token types, both heads give what BertForPreTraining gives."""
    from transformers.models.bert.modeling_bert import BertForPreTraining

    ours = bert()
    theirs = BertForPreTraining(hugging_bert_config(ours)).eval()
    theirs.load_state_dict(bert_state_dict(ours))
    x, types, mask = tokens(), torch.zeros(3, 13, dtype=torch.long), torch.ones(3, 13, dtype=torch.long)
    types[:, 7:] = 1
    mask[1, 9:] = 0
    hidden = ours(x, types, mask)
    output = theirs(input_ids=x, token_type_ids=types, attention_mask=mask)
    real = mask.bool()
    leaves = [(ours.position.weight, theirs.bert.embeddings.position_embeddings.weight)]
    words, their_words = ours.word_logits(hidden)[real], output.prediction_logits[real]
    assert_same_as_library(words, their_words, tolerance=1e-5, gradients=leaves, gradient_tolerance=1e-3)
    order, their_order = ours.next_sentence_logits(hidden), output.seq_relationship_logits
    assert_same_as_library(order, their_order, tolerance=1e-5, gradients=leaves, gradient_tolerance=1e-3)


def test_the_encoder_equals_bert_for_masked_words():
    """BertForMaskedLM takes the same weights, less the pooler and the next-sentence head."""
    from transformers.models.bert.modeling_bert import BertForMaskedLM

    ours = bert()
    theirs = BertForMaskedLM(hugging_bert_config(ours)).eval()
    report = theirs.load_state_dict(bert_state_dict(ours), strict=False)
    assert not report.missing_keys
    assert all("pooler" in key or "seq_relationship" in key for key in report.unexpected_keys)
    assert_same_as_library(ours.word_logits(ours(tokens())), theirs(tokens()).logits, tolerance=1e-5)


def test_a_later_token_changes_no_earlier_logit():
    """The decoder is causal: a changed token moves its own and later logits, none before."""
    model, x = gpt(), tokens()
    changed = x.clone()
    changed[:, 8] = (changed[:, 8] + 1) % SIZES["vocabulary"]
    difference = (model(x)[0] - model(changed)[0]).abs().amax((0, 2))
    assert difference[:8].max() == 0
    assert difference[8:].min() > 1e-4


def test_padding_changes_nothing():
    """What stands in masked places does not reach the encoder's real tokens."""
    model, x = bert(), tokens()
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[:, 10:] = False
    changed = x.clone()
    changed[:, 10:] = 5
    assert torch.allclose(model(x, mask=mask)[:, :10], model(changed, mask=mask)[:, :10], atol=1e-6)
    assert torch.allclose(model(x, mask=mask)[:, :10], model(x[:, :10]), atol=1e-5)


@pytest.mark.parametrize("chunks", [[1] * 13, [5, 1, 7], [12, 1]])
def test_the_cache_gives_the_same_logits(chunks):
    """Fed in pieces with a cache, the decoder says what it says to the whole."""
    model, x = gpt(), tokens()
    whole, _ = model(x)
    cache, pieces = None, []
    for piece in x.split(chunks, dim=1):
        logits, cache = model(piece, cache)
        pieces.append(logits)
    assert (torch.cat(pieces, 1) - whole).abs().max() < 1e-5
    assert cache[0][0].shape == (3, 4, 13, 8)


@pytest.mark.parametrize("make", [gpt, bert])
def test_attention_maps_are_the_weights_that_were_used(make):
    """Maps are rows of probabilities, causal in the decoder; mixing values by them gives the block's mixture."""
    model, x = make(), tokens()
    maps = model.attention_maps(x)
    assert maps.shape == (3, 3, 4, 13, 13)
    assert torch.allclose(maps.sum(-1), torch.ones(3, 3, 4, 13), atol=1e-5)
    assert (maps.triu(1).abs().max() == 0) == isinstance(model, GPT)
    inputs = []
    model.blocks[0].attention.register_forward_hook(lambda layer, args, out: inputs.append((args[0], out)))
    model(x)
    seen, (mixture, (_, values)) = inputs[0]
    mixed = (maps[0] @ values).transpose(1, 2).flatten(2)
    assert torch.allclose(model.blocks[0].attention.out(mixed), mixture, atol=1e-5)
    assert seen.shape == (3, 13, 32)


def test_generation_is_greedy_at_zero_and_repeats_with_its_generator():
    """Temperature 0 and top_k 1 take the best token; the same generator draws the same tokens."""
    model, x = gpt(), tokens(length=4)
    greedy = model.generate(x, 6, temperature=0)
    again = x
    for _ in range(6):
        again = torch.cat([again, model(again)[0][:, -1].argmax(-1, keepdim=True)], 1)
    assert torch.equal(greedy, again)
    assert torch.equal(model.generate(x, 6, top_k=1), greedy)
    first, second = (model.generate(x, 6, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, model.generate(x, 6, generator=torch.Generator().manual_seed(4)))


def test_a_tied_head_shares_the_embedding():
    """Tying spends one table fewer."""
    count = {tied: sum(p.numel() for p in gpt(tied=tied).parameters()) for tied in (True, False)}
    assert count[False] - count[True] == SIZES["vocabulary"] * SIZES["width"]
    assert gpt().head.weight.data_ptr() != gpt(tied=False).token.weight.data_ptr()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 5}, "heads must divide width"),
        ({"layers": 0}, "layers must be a positive int"),
        ({"vocabulary": 2.0}, "vocabulary must be a positive int"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
    ],
)
@pytest.mark.parametrize("config", [GPTConfig, BERTConfig])
def test_impossible_sizes_are_named(config, changes, message):
    """Each size that cannot be is refused by name."""
    with pytest.raises(ValueError, match=message):
        config(**SIZES | changes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gpt()(tokens(length=21)), "tokens: 21 of them exceed the context of 20"),
        (lambda: gpt()(tokens().float()), "tokens must be integers"),
        (lambda: gpt()(tokens()[0]), "tokens must be integers of shape"),
        (lambda: gpt()(tokens() + 60), "tokens must lie in"),
        (lambda: gpt()(tokens(), gpt(layers=2)(tokens())[1]), "cache must hold 3 layers, got 2"),
        (lambda: gpt()(tokens(), gpt()(tokens())[1]), "tokens: 26 of them exceed"),
        (lambda: gpt().generate(tokens(), 8), "new_tokens: 13"),
        (lambda: gpt().generate(tokens(), 0), "new_tokens must be at least 1"),
        (lambda: gpt().generate(tokens(), 1, temperature=-1), "temperature must not be negative"),
        (lambda: gpt().generate(tokens(), 1, top_k=0), "top_k must be between 1 and 61"),
        (lambda: bert()(tokens(), tokens(length=12)), "token_types must have the shape of tokens"),
        (lambda: bert()(tokens(), None, tokens(batch=1)), "mask must have the shape of tokens"),
    ],
)
def test_bad_inputs_are_named(call, message):
    """Each input that does not fit is refused by the argument's name."""
    with pytest.raises(ValueError, match=message):
        call()
