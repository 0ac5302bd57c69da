"""An encoder with BERT's architecture.

Token types, layer normalisation after each branch, a head for masked words and one for the next sentence (Devlin et
al., 2018, arXiv 1810.04805). `bert_state_dict` names the weights as the `transformers` library does.

Sizes in shapes: `batch` sequences of `tokens` tokens; `width = heads * head_dim`. Knows nothing about text, tokenisers
or training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .gpt import FeedForward, check_sizes, check_tokens, initialise, named


@dataclass(frozen=True)
class BERTConfig:
    """Sizes of a `BERT`; the names mean the same as in `gpt.GPTConfig`.

    Attributes:
        vocabulary: number of tokens that exist.
        context: longest sequence, in tokens.
        layers: number of blocks.
        heads: attention heads a block; must divide `width`.
        width: numbers that describe one token.
        dropout: share of activations dropped while training.
        token_types: kinds of segments (two in BERT: the first and the second text).
    """

    vocabulary: int
    context: int = 128
    layers: int = 2
    heads: int = 4
    width: int = 128
    dropout: float = 0.0
    token_types: int = 2

    def __post_init__(self) -> None:
        check_sizes(self)


class Attention(nn.Module):
    """Multi-head self-attention that looks both ways (Vaswani et al., 2017, arXiv 1706.03762)."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Mix the tokens of `x` (batch, tokens, width).

        `mask`, broadcast to (batch, heads, tokens, tokens), is True where a query may look. Returns the mixture
        (batch, tokens, width) and the keys and values.
        """
        q, k, v = self._split(x)
        drop = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=drop)
        return self.out(mixed.transpose(1, 2).flatten(2)), (k, v)

    def maps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The attention weights alone, (batch, heads, tokens, tokens); each row sums to 1."""
        q, k, _ = self._split(x)
        scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5  # (batch, heads, tokens, tokens)
        return (scores if mask is None else scores.masked_fill(~mask, float("-inf"))).softmax(-1)

    def _split(self, x: Tensor) -> Tensor:
        """Queries, keys and values, (3, batch, heads, tokens, head_dim)."""
        batch, tokens, width = x.shape
        return self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)


class Block(nn.Module):
    """Attention, then feed-forward, each added to its own input and normalised."""

    def __init__(self, config: BERTConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=1e-12)
        self.attention = Attention(config.width, config.heads, config.dropout)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-12)
        self.feed = FeedForward(config.width, gelu="none")
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(batch, tokens, width) -> the same shape."""
        x = self.norm1(x + self.drop(self.attention(x, mask)[0]))
        return self.norm2(x + self.drop(self.feed(x)))

    def maps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The attention weights at input `x`, (batch, heads, tokens, tokens)."""
        return self.attention.maps(x, mask)


class BERT(nn.Module):
    """An encoder: each token described in the light of all the others, and the two heads that pre-train it."""

    def __init__(self, config: BERTConfig) -> None:
        super().__init__()
        self.config = config
        self.token = nn.Embedding(config.vocabulary, config.width)
        self.position = nn.Embedding(config.context, config.width)
        self.token_type = nn.Embedding(config.token_types, config.width)
        self.norm = nn.LayerNorm(config.width, eps=1e-12)
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.pooler = nn.Linear(config.width, config.width)
        self.next_sentence = nn.Linear(config.width, 2)
        self.transform = nn.Linear(config.width, config.width)
        self.transform_norm = nn.LayerNorm(config.width, eps=1e-12)
        self.word_bias = nn.Parameter(torch.zeros(config.vocabulary))
        initialise(self)

    def forward(self, tokens: Tensor, token_types: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Describe each token in its context.

        Args:
            tokens: integers, (batch, tokens).
            token_types: which text each token belongs to, (batch, tokens); None means the first for all.
            mask: True at real tokens and False at padding, (batch, tokens); None means no padding.

        Returns:
            The last layer's vectors, (batch, tokens, width).

        Raises:
            ValueError: if an argument has the wrong shape or type, or a value out of range.
        """
        x, visible = self._embed(tokens, token_types, mask)
        for block in self.blocks:
            x = block(x, visible)
        return x

    def word_logits(self, hidden: Tensor) -> Tensor:
        """Scores for the word at each place, the MLM head: (..., width) -> (..., vocabulary)."""
        x = self.transform_norm(functional.gelu(self.transform(hidden)))
        return functional.linear(x, self.token.weight, self.word_bias)

    def pool(self, hidden: Tensor) -> Tensor:
        """One vector for the whole sequence, from its first token: (batch, tokens, width) -> (batch, width)."""
        return torch.tanh(self.pooler(hidden[:, 0]))

    def next_sentence_logits(self, hidden: Tensor) -> Tensor:
        """Scores for "the second text follows the first" (0) and "it does not" (1): (batch, 2)."""
        return self.next_sentence(self.pool(hidden))

    def attention_maps(self, tokens: Tensor, token_types: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Every layer's attention weights, (layers, batch, heads, tokens, tokens)."""
        x, visible = self._embed(tokens, token_types, mask)
        maps = []
        for block in self.blocks:
            maps.append(block.maps(x, visible))
            x = block(x, visible)
        return torch.stack(maps)

    def _embed(self, tokens: Tensor, token_types: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The embeddings added and normalised, (batch, tokens, width), and the mask over keys."""
        check_tokens(tokens, self.config)
        for name, value in (("token_types", token_types), ("mask", mask)):
            if value is not None and value.shape != tokens.shape:
                raise ValueError(
                    f"{name} must have the shape of tokens {tuple(tokens.shape)}, got {tuple(value.shape)}"
                )
        if token_types is None:
            token_types = torch.zeros_like(tokens)
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.token(tokens) + self.token_type(token_types) + self.position(places)
        visible = None if mask is None else mask.bool()[:, None, None, :]  # (batch, 1, 1, tokens)
        return self.drop(self.norm(x)), visible


def bert_state_dict(model: BERT) -> dict[str, Tensor]:
    """The weights under the names of `transformers.BertForPreTraining`, to `load_state_dict` there.

    `BertForMaskedLM` has the same names without the pooler and the next-sentence head: load with `strict=False`.
    """
    names = {
        "bert.embeddings.word_embeddings": model.token,
        "bert.embeddings.position_embeddings": model.position,
        "bert.embeddings.token_type_embeddings": model.token_type,
        "bert.embeddings.LayerNorm": model.norm,
        "bert.pooler.dense": model.pooler,
        "cls.predictions.transform.dense": model.transform,
        "cls.predictions.transform.LayerNorm": model.transform_norm,
        "cls.seq_relationship": model.next_sentence,
    }
    state = {}
    for index, block in enumerate(model.blocks):
        prefix = f"bert.encoder.layer.{index}"
        names |= {
            f"{prefix}.attention.output.dense": block.attention.out,
            f"{prefix}.attention.output.LayerNorm": block.norm1,
            f"{prefix}.intermediate.dense": block.feed.into,
            f"{prefix}.output.dense": block.feed.out,
            f"{prefix}.output.LayerNorm": block.norm2,
        }
        for part in ("weight", "bias"):
            thirds = getattr(block.attention.qkv, part).detach().chunk(3)
            for name, third in zip(("query", "key", "value"), thirds):
                state[f"{prefix}.attention.self.{name}.{part}"] = third
    return (
        state
        | named(names)
        | {
            "cls.predictions.bias": model.word_bias.detach(),
            "cls.predictions.decoder.weight": model.token.weight.detach(),
            "cls.predictions.decoder.bias": model.word_bias.detach(),
        }
    )
