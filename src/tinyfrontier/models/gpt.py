"""A decoder with GPT-2's architecture; and the few parts that it shares with the encoder in `bert.py`.

Learned positions, layer normalisation before each branch, GELU in its tanh form (Radford et al., 2019, "Language
Models are Unsupervised Multitask Learners"). `gpt2_state_dict` names the weights as the `transformers` library does.

Sizes in shapes: `batch` sequences of `tokens` tokens; `past` tokens stand in the cache; `width = heads * head_dim`.
Knows nothing about text, tokenisers or training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

# One (keys, values) pair a layer, each (batch, heads, past, head_dim).
Cache = tuple[tuple[Tensor, Tensor], ...]


@dataclass(frozen=True)
class GPTConfig:
    """Sizes of a `GPT`.

    Attributes:
        vocabulary: number of tokens that exist.
        context: longest sequence, in tokens.
        layers: number of blocks.
        heads: attention heads a block; must divide `width`.
        width: numbers that describe one token.
        dropout: share of activations dropped while training.
        tied: whether the output layer shares the token embedding's weights, as in GPT-2.
    """

    vocabulary: int
    context: int = 128
    layers: int = 2
    heads: int = 4
    width: int = 128
    dropout: float = 0.0
    tied: bool = True

    def __post_init__(self) -> None:
        check_sizes(self)


class Attention(nn.Module):
    """Causal multi-head self-attention with a cache (Vaswani et al., 2017, arXiv 1706.03762)."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Mix the tokens of `x` (batch, tokens, width), which follow those in `past`.

        Returns the mixture (batch, tokens, width) and the keys and values of past and present.
        """
        q, k, v = self._split(x, past)
        drop = self.dropout if self.training else 0.0
        visible = None if past is None else _causal_mask(q.shape[2], k.shape[2], x.device)
        mixed = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=visible, is_causal=past is None, dropout_p=drop
        )
        return self.out(mixed.transpose(1, 2).flatten(2)), (k, v)  # (batch, tokens, width)

    def maps(self, x: Tensor) -> Tensor:
        """The attention weights alone, (batch, heads, tokens, tokens); each row sums to 1."""
        q, k, _ = self._split(x, None)
        scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5  # (batch, heads, tokens, tokens)
        return scores.masked_fill(~_causal_mask(q.shape[2], k.shape[2], x.device), float("-inf")).softmax(-1)

    def _split(self, x: Tensor, past: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of `x`, and keys and values of `past` and `x`, each (batch, heads, tokens, head_dim)."""
        batch, tokens, width = x.shape
        heads = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # each (batch, heads, tokens, head_dim)
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        return q, k, v


class FeedForward(nn.Module):
    """Two linear layers with a GELU between, four times as wide inside, on each token by itself."""

    def __init__(self, width: int, gelu: str) -> None:
        super().__init__()
        self.into = nn.Linear(width, 4 * width)
        self.gelu = nn.GELU(approximate=gelu)
        self.out = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) -> (batch, tokens, width)."""
        return self.out(self.gelu(self.into(x)))


class Block(nn.Module):
    """Attention, then feed-forward, each reading a normalised copy and added to its own input."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=1e-5)
        self.attention = Attention(config.width, config.heads, config.dropout)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-5)
        self.feed = FeedForward(config.width, gelu="tanh")
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(batch, tokens, width) -> the same shape, and the attention's keys and values."""
        mixed, present = self.attention(self.norm1(x), past)
        x = x + self.drop(mixed)
        return x + self.drop(self.feed(self.norm2(x))), present

    def maps(self, x: Tensor) -> Tensor:
        """The attention weights at input `x`, (batch, heads, tokens, tokens)."""
        return self.attention.maps(self.norm1(x))


class GPT(nn.Module):
    """A decoder: from the tokens so far, a score for each possible next token.

    Weights start as in GPT-2: normal with deviation 0.02, smaller by the root of the number of branches where a
    branch is added to the stream.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.token = nn.Embedding(config.vocabulary, config.width)
        self.position = nn.Embedding(config.context, config.width)
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, eps=1e-5)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        initialise(self)
        for block in self.blocks:
            for layer in (block.attention.out, block.feed.out):
                nn.init.normal_(layer.weight, std=0.02 / (2 * config.layers) ** 0.5)
        if config.tied:
            self.head.weight = self.token.weight

    def forward(self, tokens: Tensor, cache: Cache | None = None) -> tuple[Tensor, Cache]:
        """Scores for the token after each of `tokens`.

        Args:
            tokens: integers, (batch, tokens), that follow the tokens in `cache`.
            cache: what an earlier call returned, or None to start.

        Returns:
            logits (batch, tokens, vocabulary), and the cache to continue from.

        Raises:
            ValueError: if `tokens` has the wrong shape, type or a value outside the vocabulary, if past and new
                tokens exceed the context, or if `cache` has the wrong number of layers.
        """
        x = self._embed(tokens, cache)
        new = []
        for index, block in enumerate(self.blocks):
            x, present = block(x, None if cache is None else cache[index])
            new.append(present)
        return self.head(self.norm(x)), tuple(new)

    def attention_maps(self, tokens: Tensor) -> Tensor:
        """Every layer's attention weights, (layers, batch, heads, tokens, tokens)."""
        x, maps = self._embed(tokens, None), []
        for block in self.blocks:
            maps.append(block.maps(x))
            x, _ = block(x)
        return torch.stack(maps)

    @torch.no_grad()
    def generate(
        self,
        tokens: Tensor,
        new_tokens: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """`tokens` (batch, tokens) and `new_tokens` more drawn after them, (batch, tokens + new_tokens).

        Args:
            tokens: integers to start from, at least one a row.
            new_tokens: how many to add.
            temperature: divides the logits; 0 takes the best token each time.
            top_k: draw among the k best tokens only, or None for all.
            generator: where the random numbers come from.

        Raises:
            ValueError: if an argument is out of range or the result would not fit the context.
        """
        if new_tokens < 1:
            raise ValueError(f"new_tokens must be at least 1, got {new_tokens}")
        if temperature < 0:
            raise ValueError(f"temperature must not be negative, got {temperature}")
        if top_k is not None and not 1 <= top_k <= self.config.vocabulary:
            raise ValueError(f"top_k must be between 1 and {self.config.vocabulary}, got {top_k}")
        if tokens.shape[-1] + new_tokens > self.config.context:
            raise ValueError(
                f"new_tokens: {tokens.shape[-1]} + {new_tokens} tokens exceed the context of {self.config.context}"
            )
        step, cache = tokens, None
        for _ in range(new_tokens):
            logits, cache = self(step, cache)
            last = logits[:, -1]  # (batch, vocabulary)
            if temperature == 0:
                step = last.argmax(-1, keepdim=True)
            else:
                if top_k is not None:
                    last = last.masked_fill(last < last.topk(top_k).values[:, -1:], float("-inf"))
                step = torch.multinomial((last / temperature).softmax(-1), 1, generator=generator)
            tokens = torch.cat([tokens, step], dim=1)
        return tokens

    def _embed(self, tokens: Tensor, cache: Cache | None) -> Tensor:
        """Token and position embeddings added, (batch, tokens, width)."""
        past = 0
        if cache is not None:
            if len(cache) != self.config.layers:
                raise ValueError(f"cache must hold {self.config.layers} layers, got {len(cache)}")
            past = cache[0][0].shape[2]
        check_tokens(tokens, self.config, past)
        places = torch.arange(past, past + tokens.shape[1], device=tokens.device)
        return self.drop(self.token(tokens) + self.position(places))


def gpt2_state_dict(model: GPT) -> dict[str, Tensor]:
    """The weights under the names of `transformers.GPT2LMHeadModel`, to `load_state_dict` there.

    That model's linear layers store (in, out), so their weights are transposed.
    """
    names = {"transformer.wte": model.token, "transformer.wpe": model.position, "transformer.ln_f": model.norm}
    state = {}
    for index, block in enumerate(model.blocks):
        prefix = f"transformer.h.{index}"
        names |= {f"{prefix}.ln_1": block.norm1, f"{prefix}.ln_2": block.norm2}
        for name, layer in (
            ("attn.c_attn", block.attention.qkv),
            ("attn.c_proj", block.attention.out),
            ("mlp.c_fc", block.feed.into),
            ("mlp.c_proj", block.feed.out),
        ):
            state[f"{prefix}.{name}.weight"] = layer.weight.detach().T.contiguous()
            state[f"{prefix}.{name}.bias"] = layer.bias.detach()
    return state | named(names) | {"lm_head.weight": model.head.weight.detach()}


def named(layers: dict[str, nn.Module]) -> dict[str, Tensor]:
    """The weights of layers under other names."""
    return {
        f"{name}.{part}": value.detach() for name, layer in layers.items() for part, value in layer.named_parameters()
    }


def initialise(model: nn.Module) -> None:
    """Start as GPT-2 and BERT do: normal with deviation 0.02, biases at 0."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Embedding):
            nn.init.normal_(layer.weight, std=0.02)
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _causal_mask(queries: int, keys: int, device: torch.device) -> Tensor:
    """True where a query may look: itself and everything before it, (queries, keys)."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def check_sizes(config: GPTConfig) -> None:
    """Refuse sizes that cannot be, by name; an encoder's too."""
    for name in (
        "vocabulary",
        "context",
        "layers",
        "heads",
        "width",
        *(["token_types"] * hasattr(config, "token_types")),
    ):
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a positive int, got {value!r}")
    if config.width % config.heads:
        raise ValueError(f"heads must divide width, got {config.heads} heads and width {config.width}")
    if not 0 <= config.dropout < 1:
        raise ValueError(f"dropout must be in [0, 1), got {config.dropout!r}")


def check_tokens(tokens: Tensor, config: GPTConfig, past: int = 0) -> None:
    """Refuse tokens of a wrong shape, type or value, and more of them than the context holds; an encoder's too."""
    if tokens.ndim != 2 or tokens.dtype not in (torch.int32, torch.int64) or tokens.shape[1] == 0:
        raise ValueError(f"tokens must be integers of shape (batch, tokens), got {tokens.dtype} {tuple(tokens.shape)}")
    if past + tokens.shape[1] > config.context:
        raise ValueError(f"tokens: {past + tokens.shape[1]} of them exceed the context of {config.context}")
    if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < config.vocabulary:
        raise ValueError(f"tokens must lie in [0, {config.vocabulary}), got {int(tokens.min())} to {int(tokens.max())}")
