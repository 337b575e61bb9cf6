"""Quantises a model with calibration text, one decoder layer in memory at a time.

The texts' hidden states pass through the layers as they are quantised, so that each layer is
fitted to what the quantised layers below it give out. Between two layers the states are all
that has to be kept: with them a conversion that was interrupted goes on and writes the same
bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import mlx.core as mx
import numpy as np

from quant.calibrated.awq import AWQ
from quant.calibrated.gptq import GPTQ
from quant.calibrated.layer import Layer
from quant.calibrated.walk import Method, quantize
from quant.recipe import Recipe
from qwen2_mlx.attention.context import attention_context
from qwen2_mlx.attention.rope import Rope
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import CheckpointError

METHODS: dict[str, Callable[[], Method]] = {"gptq": GPTQ, "awq": AWQ}


class Calibrator:
    """Takes the decoder layers one after the other, from the first to the last.

    ```
    calibrator = Calibrator(config, recipe, texts)
    calibrator.start(embeddings_of)             # or calibrator.restore(state)
    for index in range(calibrator.layer, config.num_hidden_layers):
        tensors = calibrator.quantize_layer(index, floats_of(index))
    ```
    """

    def __init__(self, config: ModelConfig, recipe: Recipe, texts: Sequence[Sequence[int]]):
        """`texts` are token ids, each text a sequence of its own (see `texts.calibration_tokens`).

        Raises `ValueError` for a method that does not calibrate, or no texts.
        """
        if recipe.method not in METHODS:
            raise ValueError(f"method is {recipe.method!r}; choose one of {', '.join(METHODS)}")
        if not texts or not all(texts):
            raise ValueError("calibration needs texts, and none of them empty")
        self.config = config.with_rope("auto")
        self.recipe, self.layer = recipe, 0
        self._texts = [np.array(text, np.int32) for text in texts]
        self._method = METHODS[recipe.method]()
        self._states: list[mx.array] = []
        rope = Rope(self.config.rope, self.config.head_dim)
        self._contexts = cache(
            lambda time: attention_context(rope, self.config.dual_chunk, time, 0, time, None)
        )

    def start(self, embeddings_of: Callable[[np.ndarray], mx.array]) -> None:
        """Begins before the first layer. `embeddings_of` gives the rows (n, hidden) of ids int (n,)."""
        self.layer = 0
        self._states = []
        for text in self._texts:
            rows = embeddings_of(text)
            self._states.append(rows.astype(_computing_dtype(rows.dtype))[None])
            mx.eval(self._states[-1])

    def quantize_layer(self, index: int, tensors: Mapping[str, mx.array]) -> dict[str, mx.array]:
        """The output tensors of layer `index`, whose float parameters `tensors` holds under their full names.

        Matrices become `weight`, `scales` and `biases` as MLX packs them; norms, biases and
        whatever the policy leaves stay in floating point. The texts move on through the
        quantised layer; if anything is raised, they and the calibrator stay as they were.
        Raises `CheckpointError` for tensors that are missing or hold NaN or infinity.
        """
        if index != self.layer or not self._states:
            raise ValueError(f"layer {index} was given, layer {self.layer} is next, after start or restore")
        for name, tensor in tensors.items():
            if not mx.isfinite(tensor).all().item():
                raise CheckpointError(f"{name} holds NaN or infinity; download the source again")
        layer = Layer(self.config, self.recipe, index, tensors, self._states[0].dtype)
        states = quantize(layer, self._states, self._contexts, self._method)
        outputs = layer.outputs()
        mx.eval(outputs)
        self._states, self.layer = states, index + 1
        return outputs

    def state(self) -> dict[str, mx.array]:
        """What `restore` needs to go on after the last finished layer: hidden states, lengths, layer."""
        return {
            "states": mx.concatenate([x[0] for x in self._states]),
            "lengths": mx.array([x.shape[1] for x in self._states], mx.int32),
            "layer": mx.array([self.layer], mx.int32),
        }

    def restore(self, state: Mapping[str, mx.array]) -> None:
        """Takes up a `state` of the same texts. Raises `CheckpointError` if it is of others, or damaged."""
        lengths = [len(text) for text in self._texts]
        expected = (sum(lengths), self.config.hidden_size)
        try:
            states, layer = state["states"], int(np.array(state["layer"]).item())
            fits = states.shape == expected and np.array(state["lengths"]).tolist() == lengths
            fits = fits and states.dtype in (mx.float32, mx.bfloat16)
        except (KeyError, ValueError):
            fits, layer, states = False, 0, mx.zeros(0)
        if not fits or not 0 <= layer <= self.config.num_hidden_layers:
            raise CheckpointError("the saved calibration is damaged or of other texts; begin anew")
        ends = np.cumsum(lengths)
        self._states = [states[end - length : end][None] for end, length in zip(ends, lengths, strict=True)]
        mx.eval(self._states)
        self.layer = layer


def _computing_dtype(stored: mx.Dtype) -> mx.Dtype:
    """float32 on a CPU and for float32 weights; else bfloat16, in which no layer of the family overflows."""
    on_cpu = mx.default_device().type == mx.DeviceType.cpu
    return mx.float32 if on_cpu or stored == mx.float32 else mx.bfloat16
