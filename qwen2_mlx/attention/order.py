"""The order in which MLX computes what does not depend on each other.

Left alone it starts on several such things at once, and their memory adds up.
"""

from collections.abc import Sequence

import mlx.core as mx


def after(x: mx.array, done: Sequence[mx.array]) -> mx.array:
    """`x`, computed only once `done` is."""
    return mx.depends(x, list(done)) if done else x
