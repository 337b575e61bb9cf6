"""How much room a cache takes, and arrays that grow into it."""

import mlx.core as mx

#: Tokens a cache grows by at least.
STEP = 256

#: A cache that is full grows by this part of itself, so that the copying of all growth together
#: stays within so many times the cache.
GROWTH_SHARE = 8


def capacity(held: int, needed: int, reserved: int) -> int:
    """Tokens to make room for, when `needed` no longer fit; `reserved` is what was announced."""
    if needed <= reserved:
        return _round_up(reserved)
    return _round_up(max(needed, held + held // GROWTH_SHARE if held else 0))


def _round_up(tokens: int) -> int:
    return -(-tokens // STEP) * STEP


def grown(array: mx.array | None, like: mx.array, held: int, room: int) -> mx.array:
    """The first `held` tokens (axis 2) of `array`, with room for `room`; others are zeros."""
    batch, heads, _, width = like.shape
    if array is None or held == 0:
        return mx.zeros((batch, heads, room, width), like.dtype)
    spare = mx.zeros((batch, heads, room - held, width), like.dtype)
    return mx.concatenate([array[:, :, :held], spare], axis=2)


def write(array: mx.array, new: mx.array, at: int) -> None:
    """Puts `new` into `array` from token `at` on, without a copy unless its memory is shared."""
    array[:, :, at : at + new.shape[2]] = new


def shared(array: mx.array) -> mx.array:
    """A second handle on the same memory; the first write to either copies it."""
    return array[:]
