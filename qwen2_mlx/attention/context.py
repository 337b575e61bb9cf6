"""What all layers of one forward pass share: masks, rotations, and who sees which keys."""

from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np

from qwen2_mlx.attention.positions import key_positions, logit_gain, pieces
from qwen2_mlx.attention.rope import Rope, Rotation
from qwen2_mlx.attention.sparse import Sparse
from qwen2_mlx.config import DualChunkConfig
from qwen2_mlx.errors import PromptError
from qwen2_mlx.kernels.use import wanted


@dataclass(frozen=True)
class RotatedSpan:
    """Keys `start` to `stop` and the rotation under which the queries see them."""

    start: int
    stop: int
    rotate: Rotation


@dataclass(frozen=True)
class RotatedPiece:
    """Queries `start` to `stop` of the pass, the spans they see, and a factor on their logits."""

    start: int
    stop: int
    spans: tuple[RotatedSpan, ...]
    gain: float


@dataclass(frozen=True)
class AttentionContext:
    """Built once a pass and handed to every layer.

    `turns`, for a pass of one token, are the cosines and sines, float32 (spans + 1, head_dim / 2), under
    which its queries see each span, and its key is kept. `sparse` is how long prompts are attended to.
    """

    mask: mx.array | str | None
    rotate_keys: Rotation
    pieces: tuple[RotatedPiece, ...]
    turns: tuple[mx.array, mx.array] | None = None
    sparse: Sparse | None = None


def attention_context(
    rope: Rope,
    dual_chunk: DualChunkConfig | None,
    time: int,
    offset: int | mx.array,
    prompt_length: int,
    mask: mx.array | str | None,
    sparse: Sparse | None = None,
) -> AttentionContext:
    """The context of `time` new tokens after `offset` cached ones.

    A batch whose rows have offsets of their own (an array) sees one chunk only: raises
    `PromptError` where its padded length `prompt_length` needs more.
    """
    if isinstance(offset, mx.array) or (isinstance(mask, mx.array) and dual_chunk):
        if dual_chunk and prompt_length > dual_chunk.chunk_length:
            raise PromptError(
                f"a batch may be {dual_chunk.chunk_length} tokens long with dual chunks and this one is"
                f" {prompt_length}; run long prompts one at a time"
            )
        dual_chunk = None  # the first chunk is plain
    if isinstance(offset, mx.array):
        rotate = rope.at_offsets(offset)
        return AttentionContext(
            mask, rotate, (RotatedPiece(0, time, (RotatedSpan(0, prompt_length, rotate),), 1.0),)
        )

    rotate_keys = rope.at(key_positions(offset, time, dual_chunk))
    gains = logit_gain(offset, time, prompt_length, dual_chunk)
    rotated = []
    for piece in pieces(offset, time, dual_chunk):
        gain, same = gains[piece.start : piece.stop], bool(np.ptp(gains[piece.start : piece.stop]) == 0)
        spans = []
        for span in piece.spans:
            own = span is piece.spans[-1] and piece.stop - piece.start == time and same
            rotate = rotate_keys if own else rope.at(span.positions, None if same else gain)
            spans.append(RotatedSpan(span.start, span.stop, rotate))
        rotated.append(RotatedPiece(piece.start, piece.stop, tuple(spans), float(gain[0]) if same else 1.0))
    turns = None
    if time == 1 and wanted("rotate_heads"):
        spans = next(pieces(offset, 1, dual_chunk)).spans
        seen_from = [int(span.positions[0]) for span in spans]
        turns = rope.turns([*seen_from, int(key_positions(offset, 1, dual_chunk)[0])])
    return AttentionContext(mask, rotate_keys, tuple(rotated), turns, sparse)


def prompt_length(cache: Any, time: int) -> int:
    """Tokens there will be after this pass, or at the end of the prompt if the cache was told."""
    if cache is None:
        return time
    held = getattr(cache, "_idx", cache.offset)  # mlx-lm's batch cache: its padded length
    return max(held + time, getattr(cache, "prompt_length", 0))
