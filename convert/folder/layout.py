"""Which stored tensors make up each parameter of an MLX folder, quantised or not.

Everything here is known from config.json and the headers of the weights.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import mlx.core as mx

from convert.folder.stacked import AnyTensor, Stored, with_stacked_experts
from convert.safetensors_file import SPELLED, stored_tensors
from convert.target import parameters
from quant.encode import decode
from quant.format import Format, check_format
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.loading import read_config

#: MLX's name of each type of what is not quantised.
FLOATS = {SPELLED[name]: name for name in ("float32", "float16", "bfloat16")}

_PARTS = ("weight", "scales", "biases")
_SETTINGS = ("group_size", "bits", "mode")


@dataclass(frozen=True)
class StoredWeight:
    """A parameter and where it lies.

    `shape` is that of the parameter in floating point. `parts` are its tensors: `weight` alone,
    or also `scales` and, in affine mode, `biases`, with `format` saying how they are read. `perm`
    int32 (in,) names the input channel that each stored column belongs to.
    """

    name: str
    shape: tuple[int, ...]
    format: Format | None
    parts: Mapping[str, AnyTensor]
    perm: AnyTensor | None = None

    @property
    def path(self) -> str:
        """The module's."""
        return self.name.removesuffix(".weight")

    @property
    def row_count(self) -> int:
        """Rows with all leading axes taken together; a vector is one."""
        return prod(self.shape[:-1])

    @cached_property
    def _columns(self) -> mx.array | None:
        """For each input channel the stored column that belongs to it."""
        return None if self.perm is None else mx.argsort(self.perm.rows(0, 1)[0])

    def stored_rows(self, start: int, stop: int) -> dict[str, mx.array]:
        """Some rows of every part, (stop - start, ...), columns in their stored order."""
        return {kind: tensor.rows(start, stop) for kind, tensor in self.parts.items()}

    def decoded(self, start: int, stop: int) -> mx.array:
        """Some rows as numbers (stop - start, in), columns in the model's order.

        float32 where the parameter is quantised, else in its own type.
        """
        parts = self.stored_rows(start, stop)
        if self.format is None:
            return parts["weight"]
        rows = decode(parts, self.format)
        return rows if self._columns is None else rows[:, self._columns]


@dataclass(frozen=True)
class Layout:
    """The parameters of a folder in the model's order, and what is wrong with its tensors, by name."""

    config: ModelConfig
    weights: list[StoredWeight]
    problems: dict[str, str] = field(default_factory=dict)


def layout_of(folder: Path) -> Layout:
    """Finds the tensors of every parameter in `folder`.

    A tensor that is missing, foreign, or of a wrong shape or type is a problem of the result,
    and its parameter is left out. Raises a `Qwen2Error` for files that are damaged or missing.
    """
    config = read_config(folder)
    shapes = parameters(config)
    stored = with_stacked_experts(stored_tensors(folder), shapes)
    weights, problems, used = [], {}, set()
    for name, shape in shapes.items():
        path = name.removesuffix(".weight")
        try:
            found = _weight(name, shape, stored, config.quantization or {})
        except _Problem as problem:
            problems[problem.tensor] = problem.reason
        else:
            weights.append(found)
        used |= {name} if len(shape) < 2 else {f"{path}.{kind}" for kind in (*_PARTS, "perm")}
    problems |= dict.fromkeys(sorted(stored.keys() - used), "is foreign to the architecture")
    problems |= _left_over(weights, stored)
    return Layout(config, weights, problems)


class _Problem(Exception):
    def __init__(self, tensor: str, reason: str):
        super().__init__(tensor, reason)
        self.tensor, self.reason = tensor, reason


def _weight(name: str, shape: tuple[int, ...], stored: Stored, settings: Mapping[str, Any]) -> StoredWeight:
    path = name.removesuffix(".weight")
    if len(shape) < 2 or not settings or f"{path}.scales" not in stored:
        if len(shape) > 1 and isinstance(settings.get(path), Mapping):
            raise _Problem(f"{path}.scales", "is missing, though config.json says that it is quantised")
        return StoredWeight(name, shape, None, {"weight": _float(name, shape, stored)})
    format = _format(path, shape, settings)
    expected = format.parts(shape, "float")
    parts = {kind: _part(f"{path}.{kind}", *expected[kind], stored) for kind in expected}
    perm = stored.get(f"{path}.perm")
    if perm and (perm.dtype, perm.shape) != (SPELLED["int32"], shape[-1:]):
        raise _Problem(perm.name, f"is {_described(perm)}, int32 {list(shape[-1:])} is needed")
    return StoredWeight(name, shape, format, parts, perm)


def _format(path: str, shape: tuple[int, ...], settings: Mapping[str, Any]) -> Format:
    """How config.json says the module at `path` is quantised."""
    own = settings.get(path, {})
    if not isinstance(own, Mapping):
        raise _Problem(f"{path}.scales", "is there, though config.json says that it is not quantised")
    merged = {**settings, **own}
    values = {key: merged.get(key, "affine" if key == "mode" else None) for key in _SETTINGS}
    kinds = (type(values["group_size"]), type(values["bits"]), type(values["mode"]))
    if kinds != (int, int, str):
        raise _Problem(f"{path}.weight", f"has no proper bits, group_size and mode in config.json: {values}")
    try:
        format = check_format(Format(**values))
    except Qwen2Error as error:
        raise _Problem(f"{path}.weight", f"cannot be read: {error}") from None
    if shape[-1] % format.group_size:
        raise _Problem(
            f"{path}.weight", f"has {shape[-1]} columns, no whole number of groups of {format.group_size}"
        )
    return format


def _part(name: str, dtype: str, shape: tuple[int, ...], stored: Stored) -> AnyTensor:
    """One tensor of a quantised matrix; `dtype` `float` stands for any floating-point type."""
    if dtype == "float":
        return _float(name, shape, stored)
    tensor = stored.get(name)
    if tensor is None:
        raise _Problem(name, "is missing")
    if (tensor.dtype, tensor.shape) != (SPELLED[dtype], shape):
        raise _Problem(name, f"is {_described(tensor)}, config.json makes it {dtype} {list(shape)}")
    return tensor


def _float(name: str, shape: tuple[int, ...], stored: Stored) -> AnyTensor:
    tensor = stored.get(name)
    if tensor is None:
        raise _Problem(name, "is missing")
    if tensor.dtype not in FLOATS or tensor.shape != shape:
        raise _Problem(name, f"is {_described(tensor)}, config.json makes it floating point {list(shape)}")
    return tensor


def _described(tensor: AnyTensor) -> str:
    names = {spelled: name for name, spelled in SPELLED.items()}
    return f"{names.get(tensor.dtype, tensor.dtype)} {list(tensor.shape)}"


def _left_over(weights: list[StoredWeight], stored: Stored) -> Iterator[tuple[str, str]]:
    """Scales, biases and orders beside parameters that have none."""
    for weight in weights:
        for kind in (*_PARTS[1:], "perm"):
            name = f"{weight.path}.{kind}"
            has = weight.perm is not None if kind == "perm" else kind in weight.parts
            if len(weight.shape) > 1 and name in stored and not has:
                yield name, "belongs to a matrix that has no such part"
