"""What a config says about how its checkpoint was packed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qwen2_mlx.errors import ConfigError

METHODS = ("gptq", "awq")
IMPORT_DTYPES = ("float16", "float32", "bfloat16")

#: MLX has kernels for these; the official checkpoints have 128.
_GROUP_SIZES = (32, 64, 128)
_GPTQ_FORMATS = ("gptq", "gptq_v2")


@dataclass(frozen=True)
class PackedSettings:
    """`quantization_config`: method `gptq` or `awq`, bits a code, codes that share a scale.

    `symmetric` promises one zero for all groups, `act_order` columns in the order of their
    importance. `zero_offset` is what the format adds to a stored zero: 1 in GPTQ's first format.
    """

    method: str
    bits: int
    group_size: int
    symmetric: bool
    act_order: bool
    zero_offset: int


def read_settings(raw: Mapping[str, Any]) -> PackedSettings:
    """The settings in the `quantization_config` of the config `raw`.

    Raises `ConfigError` for a method, format or size that cannot be imported.
    """
    settings = raw.get("quantization_config")
    if not isinstance(settings, Mapping):
        raise ConfigError(f"quantization_config is {settings!r}; an object is needed")
    method = settings.get("quant_method")
    method = method.lower() if isinstance(method, str) else method
    if method not in METHODS:
        raise ConfigError(
            f"quant_method is {method!r}; it must be one of {', '.join(METHODS)} to be imported"
        )
    return _gptq(settings) if method == "gptq" else _awq(settings)


def check_import_dtype(import_dtype: str, settings: PackedSettings) -> None:
    """Raises `ConfigError` for a type that the codes' scales cannot be imported in."""
    if import_dtype not in IMPORT_DTYPES:
        raise ConfigError(
            f"import type {import_dtype!r} is unknown; choose one of {', '.join(IMPORT_DTYPES)}"
        )
    if import_dtype == "bfloat16" and settings.bits == 8:
        raise ConfigError(
            "8-bit codes cannot be imported in bfloat16: rounded scales would be off by up to half a step;"
            " use --import-dtype float16, which is exact"
        )


def _gptq(settings: Mapping[str, Any]) -> PackedSettings:
    bits = _choice(settings, "bits", (4, 8), None)
    group_size = _choice(settings, "group_size", _GROUP_SIZES, None)
    spelled = [settings[key] for key in ("checkpoint_format", "format") if settings.get(key) is not None]
    if len({str(value) for value in spelled}) > 1:
        raise ConfigError(f"checkpoint_format and format disagree ({spelled}); keep one of them")
    layout = spelled[0] if spelled else "gptq"
    if layout not in _GPTQ_FORMATS or _flag(settings, "is_marlin_format", False):
        shown = layout if layout not in _GPTQ_FORMATS else "marlin"
        raise ConfigError(
            f"GPTQ weights in the format {shown!r} are shuffled for one kind of GPU and not imported;"
            " use the checkpoint in the format 'gptq' or 'gptq_v2'"
        )
    _reject_own_settings(settings)
    _choice(settings, "pack_dtype", ("int32",), "int32")
    return PackedSettings(
        "gptq",
        bits,
        group_size,
        symmetric=_flag(settings, "sym", True),
        act_order=_flag(settings, "desc_act", False),
        zero_offset=1 if layout == "gptq" else 0,
    )


def _awq(settings: Mapping[str, Any]) -> PackedSettings:
    version = settings.get("version", "gemm")
    if not isinstance(version, str) or version.lower() != "gemm":
        raise ConfigError(f"AWQ version {version!r} is not imported; use a checkpoint packed for 'gemm'")
    key = "bits" if "bits" in settings else "w_bit"
    bits = _choice(settings, key, (4,), None)
    key = "group_size" if "group_size" in settings else "q_group_size"
    group_size = _choice(settings, key, _GROUP_SIZES, None)
    if not _flag(settings, "zero_point", True):
        raise ConfigError("AWQ without zero_point is not imported; use a checkpoint that has zero points")
    return PackedSettings("awq", bits, group_size, symmetric=False, act_order=False, zero_offset=0)


def _reject_own_settings(settings: Mapping[str, Any]) -> None:
    """Raises where `dynamic` gives some modules other bits than the rest; leaving some out is fine."""
    dynamic = settings.get("dynamic") or {}
    if not isinstance(dynamic, Mapping) or any(not str(rule).startswith("-") for rule in dynamic):
        raise ConfigError(
            "quantization_config gives single modules settings of their own (dynamic), which is not imported;"
            " use a checkpoint with one setting for all"
        )


def _choice(settings: Mapping[str, Any], key: str, choices: tuple, default: Any) -> Any:
    value = settings.get(key, default)
    if not any(type(value) is type(choice) and value == choice for choice in choices):  # 4.0 equals 4
        listed = ", ".join(map(str, choices))
        raise ConfigError(f"{key} of quantization_config is {value!r}; supported here: {listed}")
    return value


def _flag(settings: Mapping[str, Any], key: str, default: bool) -> bool:
    value = settings.get(key, default)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise ConfigError(f"{key} of quantization_config is {value!r}; true or false is needed")
    return value
