"""What quantising each module alone costs, as measured: the table that mixed precision chooses from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.format import Format, check_format
from quant.policy import divides
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.jsonfile import read_json_object

_ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "uint32": 4, "uint8": 1}
_FORMAT = 1


@dataclass(frozen=True)
class Module:
    """A matrix (..., out, in), and by format the mean divergence in nats a token of quantising it alone."""

    shape: tuple[int, ...]
    kl: Mapping[Format, float]

    def bytes_in(self, format: Format | None, dtype: str) -> int:
        """Bytes it takes in `format`, scales and biases included; None is floating point."""
        if format is None:
            return math.prod(self.shape) * _ITEM_BYTES[dtype]
        parts = format.parts(self.shape, dtype).values()
        return sum(math.prod(shape) * _ITEM_BYTES[kind] for kind, shape in parts)


@dataclass(frozen=True)
class Table:
    """Modules by path, in the model's order.

    `model` is the fingerprint of the checkpoint and `tokens` says on how many predictions the
    divergences were measured. `dtype` is the type of scales, biases and everything that is not
    quantised, `others` the number of parameters that never are.
    """

    model: str
    tokens: int
    dtype: str
    others: int
    modules: Mapping[str, Module]

    @property
    def parameters(self) -> int:
        return self.others + sum(math.prod(module.shape) for module in self.modules.values())

    def bytes_of(self, formats: Mapping[str, Format | None]) -> int:
        """Bytes of all tensors with modules in these formats; those not named stay in floating point."""
        matrices = (module.bytes_in(formats.get(path), self.dtype) for path, module in self.modules.items())
        return self.others * _ITEM_BYTES[self.dtype] + sum(matrices)

    def bytes_at(self, bits_per_weight: float) -> int:
        """The most bytes that make no more than so many bits a parameter."""
        return int(bits_per_weight * self.parameters / 8)

    def as_dict(self) -> dict[str, Any]:
        """For a JSON file, read back by `read_table`."""
        return {
            "format": _FORMAT,
            "model": self.model,
            "tokens": self.tokens,
            "dtype": self.dtype,
            "others": self.others,
            "modules": {
                path: {
                    "shape": list(module.shape),
                    "kl": [{**format.config(), "kl": kl} for format, kl in module.kl.items()],
                }
                for path, module in self.modules.items()
            },
        }


def read_table(path: Path) -> Table:
    """A table that `qwen2-quant sensitivity` wrote. Raises `Qwen2Error` for anything else."""
    if not path.is_file():
        raise Qwen2Error(f"there is no file {path}; make one with qwen2-quant sensitivity")
    raw = read_json_object(path)
    if raw.get("format") != _FORMAT:
        raise Qwen2Error(f"{path} is no table of this version; make one with qwen2-quant sensitivity")
    try:
        modules = {str(name): _module(module) for name, module in raw["modules"].items()}
        table = Table(str(raw["model"]), int(raw["tokens"]), str(raw["dtype"]), int(raw["others"]), modules)
        if table.dtype not in ("float32", "float16", "bfloat16") or table.others < 0 or not modules:
            raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, Qwen2Error):
        raise Qwen2Error(f"{path} is damaged; make it again with qwen2-quant sensitivity") from None
    return table


def _module(raw: Mapping[str, Any]) -> Module:
    shape = tuple(int(size) for size in raw["shape"])
    kl = {
        check_format(Format(int(row["bits"]), int(row["group_size"]), str(row["mode"]))): float(row["kl"])
        for row in raw["kl"]
    }
    if (
        len(shape) < 2
        or min(shape) < 1
        or not kl
        or not all(math.isfinite(v) and v >= 0 for v in kl.values())
    ):
        raise ValueError
    if any(not divides(format, shape) for format in kl):
        raise ValueError
    return Module(shape, kl)
