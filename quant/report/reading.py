"""A model reads a window: its logits piece by piece, and what its layers make of a few positions."""

from collections.abc import Iterator, Sequence

import mlx.core as mx
import numpy as np

from qwen2_mlx.models import Model

#: Positions whose logits are computed at once; they take 78 MB for the family's vocabulary.
_ROWS = 128

#: Positions of a window whose states are kept after every layer.
TRACED = 4


class Reader:
    """A model with unfused or fused projections and the ids of its vocabulary that are no token."""

    def __init__(self, model: Model, spare: Sequence[int] = ()):
        self.model = model
        self._mask: mx.array | None = None
        if spare:
            mask = np.zeros(model.args.vocab_size, np.float32)
            mask[list(spare)] = -np.inf
            self._mask = mx.array(mask)

    def embed(self, tokens: Sequence[int]) -> mx.array:
        """The input of the first layer, (1, time, hidden)."""
        return self.model.model.embed_tokens(mx.array(list(tokens))[None])

    def through(self, states: mx.array, first: int, stop: int) -> Iterator[mx.array]:
        """The states (1, time, hidden) after each of the layers from `first` on, one at a time."""
        context = self.model.model.context(states.shape[1], None)
        for layer in self.model.layers[first:stop]:
            states = layer(states, context, None)
            mx.eval(states)
            yield states

    def logits(self, states: mx.array) -> Iterator[tuple[slice, mx.array]]:
        """Logits (positions, vocabulary) of all positions but the last, which predicts nothing."""
        time = states.shape[1] - 1
        for start in range(0, time, _ROWS):
            piece = slice(start, min(start + _ROWS, time))
            normed = self.model.model.norm(states[0, piece])
            head = (
                self.model.model.embed_tokens.as_linear
                if self.model.args.tie_word_embeddings
                else self.model.lm_head
            )
            logits = head(normed)
            yield piece, logits if self._mask is None else logits + self._mask.astype(logits.dtype)


def traced(states: mx.array) -> np.ndarray:
    """States (1, time, hidden) at a few evenly spaced positions, the last among them, float32."""
    time = states.shape[1]
    rows = [time * (index + 1) // TRACED - 1 for index in range(TRACED)]
    return np.array(states[0, mx.array(rows)].astype(mx.float32))
