"""Documents of the trained length that look, to the model, like parts of far longer ones.

Dual Chunk Attention never uses a relative position above its chunk size, so a model
meets nothing new in the single positions of a long document; new are their
arrangement (a fact that straddles two chunks, two facts in one place), the number of
keys in one softmax and the length factor. All three can be had inside the trained
length: the filler of a row is skipped in a few places, the tokens behind a gap stand
where they would stand had nothing been left out, and what was left out is counted
into the softmax by repeating the filler that is there. (Skipping positions is PoSE's
idea, Zhu et al. 2023; PoSE does it for positions that stay plain.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from transformers import AttentionInterface

ATTENTION = "stretched_dual_chunk"  # the name by which a transformers config asks for `attend`
MOST_GAPS = 4


@dataclass(frozen=True)
class DualChunk:
    """The settings of Dual Chunk Attention, under their names in a config."""

    chunk_size: int
    local_size: int
    original_max_position_embeddings: int


@dataclass(frozen=True)
class Layout:
    """Where the tokens of a batch stand.

    `positions` (rows, time) are those of keys, and of queries towards their own chunk. `succeeding`
    and `older` are cosine and sine, each (rows, 1, time, head size / 2), of the angle by which a query
    turns on towards the chunk before its own and towards older ones; `distance` (rows, 1, time, time)
    is the number of chunks between query and key. `bias` of the same shape is added to the logits.
    """

    positions: torch.Tensor
    succeeding: tuple[torch.Tensor, torch.Tensor]
    older: tuple[torch.Tensor, torch.Tensor]
    distance: torch.Tensor
    bias: torch.Tensor


def skip(rng: Random, is_filler: Sequence[bool], missing: int) -> list[int]:
    """A place for each token in a document that is `missing` tokens longer, with gaps in the filler only."""
    inside = [i for i in range(1, len(is_filler)) if is_filler[i - 1] and is_filler[i]]
    places = list(range(len(is_filler)))
    if not inside:
        return places
    gaps = sorted(rng.sample(inside, min(len(inside), rng.randint(1, MOST_GAPS))))
    ends = [*sorted(rng.randint(0, missing) for _ in gaps[1:]), missing]
    for start, skipped in zip(gaps, ends, strict=True):  # `ends` grow: later gaps outdo earlier ones
        places[start:] = range(start + skipped, len(places) + skipped)
    return places


def layout(
    config: DualChunk,
    inverse_frequencies: torch.Tensor,
    places: torch.Tensor,
    filler: torch.Tensor,
    stretch: float,
) -> Layout:
    """The layout of tokens at `places`; of `filler` (1 or 0), what is far away counts `stretch` times.

    Both are (rows, time); a key counted n times is one whose logits are greater by ln(n).
    """
    length = config.chunk_size - config.local_size
    chunks, positions = places // length, places % length

    def turn(goal: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        angle = ((goal - positions)[..., None] * inverse_frequencies)[:, None]
        return angle.cos().to(torch.bfloat16), angle.sin().to(torch.bfloat16)

    apart = places[:, :, None] - places[:, None, :]
    bias = filler[:, None, :] * (apart > config.local_size) * math.log(stretch)
    end = torch.full_like(positions, config.chunk_size)
    return Layout(
        positions,
        turn(torch.minimum(positions + length, end)),
        turn(end),
        (chunks[:, :, None] - chunks[:, None, :])[:, None],
        bias.masked_fill(apart < 0, -torch.inf)[:, None].to(torch.bfloat16),
    )


def length_factor(stretch: float) -> float:
    """What the logits are multiplied by at `stretch` times the trained length (YaRN's, squared)."""
    return max(1.0, 0.1 * math.log(stretch) + 1) ** 2


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    layout: Layout,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Dual Chunk Attention as a function for transformers; query and key are turned to `layout.positions`."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    query, keys = (query * scaling).to(value.dtype), key.transpose(-1, -2).to(value.dtype)
    scores = torch.where(
        layout.distance == 0,
        query @ keys,
        torch.where(
            layout.distance == 1, _turn(query, layout.succeeding) @ keys, _turn(query, layout.older) @ keys
        ),
    )
    weights = (scores + layout.bias).softmax(-1)
    return (weights.to(value.dtype) @ value).transpose(1, 2).contiguous(), None


def _turn(x: torch.Tensor, angle: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    (first, second), (cos, sin) = x.chunk(2, -1), angle
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


AttentionInterface.register(ATTENTION, attend)
