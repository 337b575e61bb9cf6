"""The lines of a kernel that read a cache's keys and values, in whatever form they are held.

They stand where a body says //BEGIN, //KEY and //VALUE. There `batch` and `kv_head` are known; a key is read
as `first[RUN]` and `second[RUN]`, the channels from `begin` of its two halves, which a rotation joins;
a value as `value[i]`, COUNT channels from `begin`. Codes are bytes: MLX packs them in words, lowest first.
"""

from dataclasses import dataclass
from typing import Any

import mlx.core as mx

from qwen2_mlx.attention.key_bias import KeyBias
from qwen2_mlx.attention.rope import TABLE_ROWS
from qwen2_mlx.attention.stores import DenseStore, QuantizedStore, Store
from qwen2_mlx.kernels.kernel import Parameter

_DENSE_BEGIN = """
    int64_t keys_at = batch * keys_strides[0] + kv_head * keys_strides[1];
    int64_t values_at = batch * values_strides[0] + kv_head * values_strides[1];
"""

_DENSE_KEY = """
                int64_t row = keys_at + key * keys_strides[2] + begin;
                for (int i = 0; i < RUN; i++) {
                    first[i] = float(keys[row + i]);
                    second[i] = float(keys[row + D / 2 + i]);
                }
"""

_DENSE_VALUE = """
                int64_t row = values_at + key * values_strides[2] + begin;
                for (int i = 0; i < COUNT; i++) {
                    value[i] = float(values[row + i]);
                }
"""

_QUANTIZED_BEGIN = """
    int64_t key_codes_at = batch * key_codes_strides[0] + kv_head * key_codes_strides[1];
    int64_t key_scales_at = batch * key_scales_strides[0] + kv_head * key_scales_strides[1];
    int64_t value_codes_at = batch * value_codes_strides[0] + kv_head * value_codes_strides[1];
    int64_t value_scales_at = batch * value_scales_strides[0] + kv_head * value_scales_strides[1];
"""

_QUANTIZED_KEY = """
                const device uint8_t* codes =
                    (const device uint8_t*)(key_codes + key_codes_at + key * key_codes_strides[2]);
                int64_t group = key_scales_at + key * key_scales_strides[2];
                float scale_1 = float(key_scales[group + begin / Q]);
                float scale_2 = float(key_scales[group + (D / 2 + begin) / Q]);
                float offset_1 = float(key_offsets[group + begin / Q]);
                float offset_2 = float(key_offsets[group + (D / 2 + begin) / Q]);
                for (int i = 0; i < RUN; i++) {
                    first[i] = scale_1 * float(codes[begin + i]) + offset_1;
                    second[i] = scale_2 * float(codes[D / 2 + begin + i]) + offset_2;
                }
"""

_QUANTIZED_VALUE = """
                const device uint8_t* codes =
                    (const device uint8_t*)(value_codes + value_codes_at + key * value_codes_strides[2]);
                int64_t group = value_scales_at + key * value_scales_strides[2] + begin / Q;
                float own_scale = float(value_scales[group]), own_offset = float(value_offsets[group]);
                for (int i = 0; i < COUNT; i++) {
                    int channel = begin + i;
                    int code = V == 8 ? codes[channel] : codes[channel / 2] >> (channel % 2 * 4) & 15;
                    value[i] = own_scale * float(code) + own_offset;
                }
"""

# The bias at position 256 h + l: turned to 256 h while h stays the same, then by l for each key.
_BIAS_BEGIN = """
    float turned_1[RUN], turned_2[RUN];
    int turned_to = -1;
"""

_BIAS_KEY = """
                int position = key % chunk;
                if (position / ROWS != turned_to) {
                    turned_to = position / ROWS;
                    for (int i = 0; i < RUN; i++) {
                        float cosine = far_cos[turned_to * (D / 2) + begin + i];
                        float sine = far_sin[turned_to * (D / 2) + begin + i];
                        float bias_1 = float(bias[kv_head * D + begin + i]);
                        float bias_2 = float(bias[kv_head * D + D / 2 + begin + i]);
                        turned_1[i] = bias_1 * cosine - bias_2 * sine;
                        turned_2[i] = bias_2 * cosine + bias_1 * sine;
                    }
                }
                for (int i = 0; i < RUN; i++) {
                    float cosine = near_cos[position % ROWS * (D / 2) + begin + i];
                    float sine = near_sin[position % ROWS * (D / 2) + begin + i];
                    first[i] += turned_1[i] * cosine - turned_2[i] * sine;
                    second[i] += turned_2[i] * cosine + turned_1[i] * sine;
                }
"""


@dataclass(frozen=True)
class Form:
    """The arrays of one way to hold keys and values, in the kernel's order, and the lines that read them."""

    name: str
    inputs: tuple[str, ...]
    begin: str
    key: str
    value: str

    def filled_into(self, body: str) -> str:
        """`body` with this form's lines in its three places."""
        lines = {"//BEGIN": self.begin, "//KEY": self.key, "//VALUE": self.value}
        for mark, text in lines.items():
            body = body.replace(mark, text.strip())
        return body


_CODES = ("key_codes", "key_scales", "key_offsets", "value_codes", "value_scales", "value_offsets")
_BIAS = ("bias", "near_cos", "near_sin", "far_cos", "far_sin", "chunk")

DENSE = Form("dense", ("keys", "values"), _DENSE_BEGIN, _DENSE_KEY, _DENSE_VALUE)
QUANTIZED = Form("quantized", _CODES, _QUANTIZED_BEGIN, _QUANTIZED_KEY, _QUANTIZED_VALUE)
BIASED = Form(
    "biased",
    (*_CODES, *_BIAS),
    _QUANTIZED_BEGIN + _BIAS_BEGIN,
    _QUANTIZED_KEY + _BIAS_KEY,
    _QUANTIZED_VALUE,
)
FORMS = (DENSE, QUANTIZED, BIASED)

#: Head dimensions: a lane takes whole channels of a value, and eight lanes those of a key.
HEAD_DIMS = (32, 64, 128)


def supports(store: Store, keys: int) -> bool:
    """Keys of 8 bits with values of 8 or 4, or unquantised ones, of a head dimension in `HEAD_DIMS`.

    The first `keys` of them must be there: caches that keep a window hold fewer than they have seen.
    """
    if isinstance(store, DenseStore):
        return store.keys.shape[2] >= keys and store.keys.shape[-1] in HEAD_DIMS
    return (
        isinstance(store, QuantizedStore)
        and store.keys.parts[0].shape[2] >= keys
        and store.keys.bits == 8
        and store.values.bits in (8, 4)
        and store.keys.group_size == store.values.group_size
        and store.keys.parts[0].shape[-1] * 4 in HEAD_DIMS
    )


def form_of(store: Store) -> Form:
    """How `store` holds keys and values."""
    if not isinstance(store, QuantizedStore):
        return DENSE
    return BIASED if store.key_bias else QUANTIZED


def template(store: Store) -> list[tuple[str, Parameter]]:
    """The parameters of the form's lines."""
    if not isinstance(store, QuantizedStore):
        return []
    rows = [("ROWS", TABLE_ROWS)] if store.key_bias else []
    return [("Q", store.keys.group_size), ("V", store.values.bits), *rows]


def inputs(store: Store, keys: int) -> list[Any]:
    """The arrays that the form names, where the first `keys` keys are read."""
    if isinstance(store, DenseStore):
        return [store.keys, store.values]
    assert isinstance(store, QuantizedStore)
    return [
        *store.keys.parts,
        *store.values.parts,
        *(_bias_inputs(store.key_bias, keys) if store.key_bias else ()),
    ]


def _bias_inputs(bias: KeyBias, keys: int) -> list[mx.array | int]:
    chunk = bias.dual_chunk.chunk_length if bias.dual_chunk else 2**31 - 1
    return [
        bias.bias,
        *bias.rope.near,
        *bias.rope.far(min(chunk, keys) - 1),
        chunk,
    ]
