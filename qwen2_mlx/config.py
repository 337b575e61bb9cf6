"""What a checkpoint's config.json says, checked and typed.

Both dialects are read: the classic keys (`rope_theta`, `rope_scaling`,
`torch_dtype`) and those of transformers 5 (`rope_parameters`, `dtype`). A key that
would change the computation and that this engine does not implement is an error
naming the key; keys that cannot change it are ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from qwen2_mlx.errors import ConfigError

#: Qwen2 and Qwen2.5 were trained at this length, base and instruct alike, whatever
#: `max_position_embeddings` says (Qwen2 report, section 3.2).
FAMILY_TRAINED_LENGTH = 32768

#: The hidden size from which on dense models keep their retrieval to four trained lengths.
HIDDEN_SIZE_OF_7B = 3584

MODEL_TYPES = ("qwen2", "qwen2_moe")
ROPE_TYPES = ("default", "yarn")
ROPE_MODES = ("auto", "plain", "yarn", "dca")

#: Which length sets Dual Chunk Attention's temperature: the whole prompt's, for each of its
#: rows (as the Qwen team's engine does), each row's own position, or none.
LENGTH_FACTORS = ("prompt", "position", "off")

#: Dual Chunk Attention that no config describes: its window is this part of the trained
#: length, as in the 1M models, and it is offered to this many trained lengths, the
#: farthest that was published for a 32K model (passkey at 1M, arXiv 2501.15383).
DERIVED_LOCAL_SHARE = 32
DERIVED_REACH = 32

#: Sizes and numbers beyond these are damage. Without the limits a config alone could make
#: the engine build layers until memory is full, or overflow the rotary arithmetic.
_LARGEST_SIZES = {
    "num_hidden_layers": 1024,
    "num_attention_heads": 4096,
    "num_key_value_heads": 4096,
    "head_dim": 4096,
    "num_experts": 1024,
}
_LARGEST_SIZE = 2**31 - 1  # what MLX can index
_SMALLEST_NUMBER, _LARGEST_NUMBER = 1e-15, 1e15

#: Keys whose other values would need code that does not exist here.
_ONLY_SUPPORTED = {
    "hidden_act": ("silu", "swish"),
    "qkv_bias": (True,),
    "use_mrope": (False, None),
    "partial_rotary_factor": (1, 1.0, None),
}


#: Rope settings that mean the same without a rope type.
_ROPE_BASICS = {"rope_theta", "partial_rotary_factor"}


@dataclass(frozen=True)
class YarnConfig:
    """YaRN context extension (arXiv 2309.00071) as `rope_scaling` states it."""

    factor: float
    original_max_position_embeddings: int
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    truncate: bool = True
    attention_factor: float | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None


@dataclass(frozen=True)
class RopeConfig:
    """Rotary embedding: base and, where configured, YaRN."""

    theta: float
    yarn: YarnConfig | None = None


@dataclass(frozen=True)
class DualChunkConfig:
    """Dual Chunk Attention (arXiv 2402.17463). Inside the first chunk it equals plain RoPE.

    `chunk_size` is the largest relative position, not the length of a chunk: that is
    `chunk_length`, in the paper's letters c, s = c - w and w = `local_size`. `reach` is the
    number of tokens it is offered for.
    """

    chunk_size: int
    local_size: int
    original_max_position_embeddings: int
    reach: int
    length_factor: str = "prompt"

    @property
    def chunk_length(self) -> int:
        return self.chunk_size - self.local_size


@dataclass(frozen=True)
class MoeConfig:
    """The sparse layers of `qwen2_moe`."""

    num_experts: int
    num_experts_per_tok: int
    moe_intermediate_size: int
    shared_expert_intermediate_size: int
    norm_topk_prob: bool
    decoder_sparse_step: int
    mlp_only_layers: tuple[int, ...]

    def is_sparse(self, layer: int) -> bool:
        """Whether layer `layer` (from 0) has experts rather than one dense MLP."""
        return layer not in self.mlp_only_layers and (layer + 1) % self.decoder_sparse_step == 0


@dataclass(frozen=True)
class ModelConfig:
    """One model of the family. Sizes are counts; `dtype` is the checkpoint's nominal type.

    `trained_length` is how many tokens the model saw in one piece during training.
    """

    model_type: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    rms_norm_eps: float
    tie_word_embeddings: bool
    rope: RopeConfig
    trained_length: int
    dual_chunk: DualChunkConfig | None = None
    moe: MoeConfig | None = None
    dtype: str | None = None
    quantization: Mapping[str, Any] | None = None
    eos_token_ids: tuple[int, ...] = ()

    @property
    def rope_mode(self) -> str:
        """How positions are encoded: plain, yarn or dca."""
        return "yarn" if self.rope.yarn else "dca" if self.dual_chunk else "plain"

    @property
    def context_length(self) -> int:
        """Tokens of prompt and answer together that the positions are meant for."""
        if self.rope.yarn:
            return int(self.rope.yarn.factor * self.rope.yarn.original_max_position_embeddings)
        return self.dual_chunk.reach if self.dual_chunk else self.trained_length

    @property
    def proven_length(self) -> int:
        """Tokens up to which published retrieval results of this size are good in this mode.

        Needle in a haystack of the Qwen2 report, figure 1: 128K for 7B and 72B, 64K for the mixture
        of experts, 32K below. A config with dual chunks of its own states what it was made for.
        """
        if self.rope_mode == "plain":
            return self.trained_length
        if self.dual_chunk and self.dual_chunk.reach == self.max_position_embeddings:
            return self.context_length
        times = 2 if self.moe else 4 if self.hidden_size >= HIDDEN_SIZE_OF_7B else 1
        return min(times * self.trained_length, self.context_length)

    def with_rope(self, mode: str, length_factor: str = "prompt") -> "ModelConfig":
        """This config with the position mode that a user asked for.

        `auto` is what the checkpoint says, and Dual Chunk Attention where it says nothing. A
        `dual_chunk_attention_config` outranks `rope_scaling`, whose frequencies must not be
        mixed with it. `yarn` adds the factor 4 of the model cards where none is configured.
        The result has either YaRN, or dual chunks, or neither.
        """
        if mode not in ROPE_MODES:
            raise ConfigError(f"rope mode {mode!r} is unknown; choose one of {', '.join(ROPE_MODES)}")
        if length_factor not in LENGTH_FACTORS:
            choices = ", ".join(LENGTH_FACTORS)
            raise ConfigError(f"length factor {length_factor!r} is unknown; choose one of {choices}")
        yarn, dual_chunk = self.rope.yarn, self.dual_chunk
        if mode == "auto":
            mode = "yarn" if yarn and not dual_chunk else "dca"
        if mode == "yarn" and yarn is None:
            yarn = YarnConfig(factor=4.0, original_max_position_embeddings=self.trained_length)
        if mode == "dca":
            dual_chunk = replace(dual_chunk or self._derived_dual_chunk(), length_factor=length_factor)
        return replace(
            self,
            rope=replace(self.rope, yarn=yarn if mode == "yarn" else None),
            dual_chunk=dual_chunk if mode == "dca" else None,
        )

    def _derived_dual_chunk(self) -> DualChunkConfig:
        length = self.trained_length
        local = max(1, length // DERIVED_LOCAL_SHARE)
        return DualChunkConfig(length, local, length, reach=DERIVED_REACH * length)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "ModelConfig":
        """Reads the contents of a config.json.

        Raises `ConfigError` for a foreign architecture, a missing or impossible size,
        or a setting that changes the computation and is not implemented.
        """
        if not isinstance(raw, Mapping):
            raise ConfigError("config.json must hold an object with the model's settings")
        model_type = raw.get("model_type")
        if model_type not in MODEL_TYPES:
            raise ConfigError(
                f"model_type {model_type!r} is not supported; supported: {', '.join(MODEL_TYPES)}"
            )
        _reject_unsupported(raw)
        layers = _size(raw, "num_hidden_layers")
        _reject_sliding_window(raw, layers)
        hidden, heads = _size(raw, "hidden_size"), _size(raw, "num_attention_heads")
        rope, dual_chunk = _rope(raw), _dual_chunk(raw)
        longest = _size(raw, "max_position_embeddings", FAMILY_TRAINED_LENGTH)
        config = cls(
            model_type=model_type,
            vocab_size=_size(raw, "vocab_size"),
            hidden_size=hidden,
            intermediate_size=_size(raw, "intermediate_size"),
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=_size(raw, "num_key_value_heads"),
            head_dim=_head_dim(raw, hidden, heads),
            max_position_embeddings=longest,
            rms_norm_eps=_number(raw, "rms_norm_eps", 1e-6),
            tie_word_embeddings=_flag(raw, "tie_word_embeddings", False),
            rope=rope,
            trained_length=_trained_length(rope, dual_chunk, longest),
            dual_chunk=dual_chunk,
            moe=_moe(raw) if model_type == "qwen2_moe" else None,
            dtype=_dtype(raw),
            quantization=_quantization(raw),
            eos_token_ids=token_ids(raw, "eos_token_id"),
        )
        if config.num_attention_heads % config.num_key_value_heads:
            raise ConfigError(
                f"num_attention_heads ({heads}) must be a multiple of num_key_value_heads"
                f" ({config.num_key_value_heads})"
            )
        return config


def _size(raw: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = raw.get(key, default)
    if value is None:
        raise ConfigError(f"{key} is missing from the config; a positive whole number is needed")
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{key} is {value!r}; a positive whole number is needed")
    largest = _LARGEST_SIZES.get(key, _LARGEST_SIZE)
    if value > largest:
        raise ConfigError(f"{key} is {value}; at most {largest} is supported")
    return value


def _number(raw: Mapping[str, Any], key: str, default: float | None = None) -> float:
    value = raw.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ConfigError(f"{key} is {value!r}; a positive number is needed")
    if not _SMALLEST_NUMBER <= value <= _LARGEST_NUMBER:
        raise ConfigError(f"{key} is {value!r}; {_SMALLEST_NUMBER} to {_LARGEST_NUMBER} is supported")
    return float(value)


def _object(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under `key`; an empty one where there is none."""
    value = raw.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise ConfigError(f"{key} is {value!r}; an object with settings is needed")
    return value or {}


def _flag(raw: Mapping[str, Any], key: str, default: bool) -> bool:
    value = raw.get(key, default)
    if not isinstance(value, bool):
        raise ConfigError(f"{key} is {value!r}; true or false is needed")
    return value


def _head_dim(raw: Mapping[str, Any], hidden: int, heads: int) -> int:
    if raw.get("head_dim") is None:
        if hidden % heads:
            raise ConfigError(f"hidden_size ({hidden}) must be a multiple of num_attention_heads ({heads})")
        raw = {"head_dim": hidden // heads}
    head_dim = _size(raw, "head_dim")
    if head_dim % 2:
        raise ConfigError(f"head_dim is {head_dim}; rotary embeddings need an even number")
    return head_dim


def _reject_unsupported(raw: Mapping[str, Any]) -> None:
    for key, supported in _ONLY_SUPPORTED.items():
        if key in raw and raw[key] not in supported:
            names = " or ".join(repr(value) for value in supported if value is not None)
            raise ConfigError(f"{key} is {raw[key]!r}; only {names} is supported")


def _reject_sliding_window(raw: Mapping[str, Any], layers: int) -> None:
    kinds = raw.get("layer_types") or []
    foreign = [kind for kind in kinds if kind != "full_attention"] if isinstance(kinds, list) else [kinds]
    if foreign:
        raise ConfigError(f"layer_types holds {foreign[0]!r}; only 'full_attention' is supported")
    full = raw.get("max_window_layers", 0)  # so many layers, from the first, keep full attention
    if raw.get("use_sliding_window") and not (isinstance(full, int) and full >= layers):
        raise ConfigError("use_sliding_window is true; only full attention (false) is supported")


def _rope(raw: Mapping[str, Any]) -> RopeConfig:
    """Base and YaRN from either dialect; both may stand side by side if they agree."""
    classic = _canonical(_object(raw, "rope_scaling"))
    modern = _canonical(_object(raw, "rope_parameters"))
    if "rope_theta" in raw:
        classic["rope_theta"] = raw["rope_theta"]
    for key in sorted(classic.keys() & modern.keys()):
        if classic[key] != modern[key]:
            raise ConfigError(
                f"rope_parameters and rope_scaling/rope_theta disagree on {key}; keep one of them"
            )
    settings = {"rope_theta": 10000.0, **classic, **modern}
    theta = _number(settings, "rope_theta")
    if theta <= 1:
        raise ConfigError(f"rope_theta is {theta!r}; a number above 1 is needed")
    _reject_unsupported(settings)
    kind = settings.get("rope_type", "default" if settings.keys() <= _ROPE_BASICS else None)
    if kind not in ROPE_TYPES:
        raise ConfigError(f"rope type {kind!r} is not supported; supported: {', '.join(ROPE_TYPES)}")
    return RopeConfig(theta, _yarn(settings) if kind == "yarn" else None)


def _canonical(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings under their newer spelling (`type` became `rope_type`)."""
    renamed = {("rope_type" if key == "type" else key): value for key, value in settings.items()}
    if {"type", "rope_type"} <= settings.keys() and settings["type"] != settings["rope_type"]:
        raise ConfigError("rope settings give type and rope_type different values; keep one of them")
    return renamed


def _yarn(settings: Mapping[str, Any]) -> YarnConfig:
    known = {*YarnConfig.__dataclass_fields__, "rope_theta", "rope_type", "partial_rotary_factor"}
    for key in settings.keys() - known:
        raise ConfigError(f"rope setting {key!r} is unknown for yarn; known: {', '.join(sorted(known))}")
    if settings.get("original_max_position_embeddings") is None:
        raise ConfigError(
            "rope settings of type yarn lack original_max_position_embeddings; add it (32768 for Qwen2)"
        )
    optional = {
        key: _number(settings, key)
        for key in ("attention_factor", "mscale", "mscale_all_dim")
        if settings.get(key) is not None
    }
    factor = _number(settings, "factor")
    if factor < 1:
        raise ConfigError(f"factor is {factor!r}; yarn needs a factor of at least 1")
    return YarnConfig(
        factor=factor,
        original_max_position_embeddings=_size(settings, "original_max_position_embeddings"),
        beta_fast=_number(settings, "beta_fast", 32.0),
        beta_slow=_number(settings, "beta_slow", 1.0),
        truncate=_flag(settings, "truncate", True),
        **optional,
    )


def _dual_chunk(raw: Mapping[str, Any]) -> DualChunkConfig | None:
    settings = _object(raw, "dual_chunk_attention_config")
    if not settings:
        return None
    # Defaults are those of the Qwen team's vLLM code. The sparse_* keys choose an
    # approximation for speed; exact attention needs none of them.
    chunk = _size(settings, "chunk_size", 8192)
    local = _size(settings, "local_size", 1024)
    if local >= chunk:
        raise ConfigError(f"local_size ({local}) must be smaller than chunk_size ({chunk})")
    key = "original_max_position_embeddings"
    original = _size(settings, key) if settings.get(key) else 0
    reach = max(chunk, _size(raw, "max_position_embeddings", FAMILY_TRAINED_LENGTH))
    return DualChunkConfig(chunk, local, original, reach)


def _trained_length(rope: RopeConfig, dual_chunk: DualChunkConfig | None, longest: int) -> int:
    if dual_chunk:
        return dual_chunk.original_max_position_embeddings or dual_chunk.chunk_size
    if rope.yarn:
        return rope.yarn.original_max_position_embeddings
    return min(longest, FAMILY_TRAINED_LENGTH)


def _moe(raw: Mapping[str, Any]) -> MoeConfig:
    dense_layers = raw.get("mlp_only_layers") or []
    if not isinstance(dense_layers, list) or not all(isinstance(layer, int) for layer in dense_layers):
        raise ConfigError(f"mlp_only_layers is {dense_layers!r}; a list of layer numbers is needed")
    moe = MoeConfig(
        num_experts=_size(raw, "num_experts"),
        num_experts_per_tok=_size(raw, "num_experts_per_tok"),
        moe_intermediate_size=_size(raw, "moe_intermediate_size"),
        shared_expert_intermediate_size=_size(raw, "shared_expert_intermediate_size"),
        norm_topk_prob=_flag(raw, "norm_topk_prob", False),
        decoder_sparse_step=_size(raw, "decoder_sparse_step", 1),
        mlp_only_layers=tuple(dense_layers),
    )
    if moe.num_experts_per_tok > moe.num_experts:
        raise ConfigError(
            f"num_experts_per_tok ({moe.num_experts_per_tok}) must not exceed num_experts ({moe.num_experts})"
        )
    return moe


def _dtype(raw: Mapping[str, Any]) -> str | None:
    named = {key: raw[key] for key in ("dtype", "torch_dtype") if raw.get(key) is not None}
    for key, value in named.items():
        if not isinstance(value, str):
            raise ConfigError(f"{key} is {value!r}; the name of a type such as 'bfloat16' is needed")
    if len(set(named.values())) > 1:
        raise ConfigError(f"dtype and torch_dtype disagree ({named}); keep one of them")
    return next(iter(named.values()), None)


def _quantization(raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """MLX's `quantization`; a foreign `quant_method` needs converting first."""
    own, foreign = _object(raw, "quantization"), _object(raw, "quantization_config")
    settings = own or foreign
    if not settings:
        return None
    if "quant_method" in settings and "bits" not in own:
        raise ConfigError(
            f"quantization_config has quant_method {settings['quant_method']!r};"
            " only MLX quantisation is supported"
        )
    for key in ("bits", "group_size"):
        _size(settings, key)
    return settings


def token_ids(raw: Mapping[str, Any], key: str) -> tuple[int, ...]:
    """The ids under `key`, which may be one, a list or missing. Raises `ConfigError`."""
    value = raw.get(key)
    values = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in values):
        raise ConfigError(f"{key} is {value!r}; a token id or a list of token ids is needed")
    return tuple(values)
