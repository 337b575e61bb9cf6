"""From which position a query looks at which key.

Without dual chunks that is its place in the text. Dual Chunk Attention (arXiv 2402.17463)
cuts the text into chunks and never lets a query look farther than the model was trained
for: at its own chunk it looks from its place in the chunk, at the chunk before from
beyond that chunk's end, at all older ones from one far position. This is the form of the
authors' code, which clamps at `chunk_size`; the paper's equations clamp one lower.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qwen2_mlx.config import DualChunkConfig


@dataclass(frozen=True)
class Span:
    """Keys `start` to `stop`, and the positions from which the queries look at them, int (queries,)."""

    start: int
    stop: int
    positions: np.ndarray


@dataclass(frozen=True)
class Piece:
    """Queries `start` to `stop` of one call and the spans of keys they see, in order.

    Only the last span is causal; every query sees the others whole.
    """

    start: int
    stop: int
    spans: tuple[Span, ...]


def key_positions(offset: int, time: int, dual_chunk: DualChunkConfig | None) -> np.ndarray:
    """Positions at which tokens `offset` to `offset + time` are cached, int (time,)."""
    positions = np.arange(offset, offset + time)
    return positions % dual_chunk.chunk_length if dual_chunk else positions


def pieces(offset: int, time: int, dual_chunk: DualChunkConfig | None) -> Iterator[Piece]:
    """The calls' tokens `offset` to `offset + time`, split where a chunk ends."""
    if dual_chunk is None:
        yield Piece(0, time, (Span(0, offset + time, np.arange(offset, offset + time)),))
        return
    first, end = offset, offset + time
    while first < end:
        chunk = first // dual_chunk.chunk_length
        last = min(end, (chunk + 1) * dual_chunk.chunk_length)
        yield Piece(first - offset, last - offset, _spans(first, last, chunk, dual_chunk))
        first = last


def _spans(first: int, last: int, chunk: int, dual_chunk: DualChunkConfig) -> tuple[Span, ...]:
    """What tokens `first` to `last`, all of one chunk, see: older chunks, the previous one, their own."""
    length, farthest = dual_chunk.chunk_length, dual_chunk.chunk_size
    begin = chunk * length
    inside = np.arange(first, last) - begin
    previous = np.minimum(length + inside, farthest)
    older = np.full_like(inside, min(2 * length - 1, farthest))
    own = Span(begin, last, inside)
    if chunk == 0:
        return (own,)
    if chunk == 1:
        return Span(0, begin, previous), own
    if np.array_equal(previous, older):  # past the window both look from the farthest position
        return Span(0, begin, older), own
    return Span(0, begin - length, older), Span(begin - length, begin, previous), own


def logit_gain(offset: int, time: int, prompt_length: int, dual_chunk: DualChunkConfig | None) -> np.ndarray:
    """The factor on the attention logits of each token, float64 (time,).

    The square of f(n) = max(1, 0.1 ln(n / L) + 1), YaRN's temperature (arXiv 2309.00071, eq. 22;
    Qwen2.5-1M report, section 5.1), L being the trained length. n is the token's own position
    under the policy `position`; under `prompt` the length of the whole prompt for each of its
    tokens, and for those after it their own position.
    """
    if dual_chunk is None or dual_chunk.length_factor == "off":
        return np.ones(time)
    trained = dual_chunk.original_max_position_embeddings
    if not trained or max(prompt_length, offset + time) <= trained:
        return np.ones(time)
    lengths = np.arange(offset, offset + time) + 1
    if dual_chunk.length_factor == "prompt":
        lengths = np.maximum(lengths, prompt_length)
    return np.maximum(1.0, 0.1 * (np.log(lengths) - math.log(trained)) + 1) ** 2
