"""Attention of a piece of a prompt in one layer: MLX's, mlx-lm's over a quantised cache, and ours."""

from app.bench.kernels.decode import STATE, Token
from app.bench.kernels.work import Work

#: Queries of a piece, as prompts are read.
PIECE = 2048

#: mlx-lm's quantised attention: scale, scores, three for the mask, its use, softmax, mixture; and how often
#: that writes or reads all scores.
_STAGES, _SCORE_PASSES = 8, 6


def prefill_attention(token: Token) -> list[Work]:
    """The last `PIECE` of `token.keys` tokens. MLX's own cannot read codes, mlx-lm's keeps all scores."""
    config = token.config
    time = min(PIECE, token.keys)
    pairs = time * (token.keys - time) + time * (time + 1) / 2  # under the causal mask
    flops = 4.0 * pairs * token.heads * config.head_dim
    states = 2 * STATE * time * token.heads * config.head_dim  # queries and results
    half = Token(config, token.keys).attention_bytes()
    scores = _SCORE_PASSES * STATE * token.heads * time * token.keys
    every = 4.0 * time * token.keys * token.heads * config.head_dim  # masked pairs are computed too
    rows = [Work("MLX, 16 bits, one span", 1, half + states, flops)]
    if token.kv:
        rows.append(
            Work(f"mlx-lm, {token.kv} bits", _STAGES, token.attention_bytes() + states + scores, every)
        )
    spans = "one span" if token.spans == 1 else f"{token.spans} spans"
    name = f"ours, {token.kv or 16} bits, {spans}"
    return [*rows, Work(name, 1, token.attention_bytes() + states * (1 + token.spans) / 2, flops)]
