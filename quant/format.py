"""How a matrix is quantised: bits, weights that share a scale, and the kind of code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qwen2_mlx.errors import Qwen2Error

#: Widths and group sizes of MLX's affine codes.
BITS = (2, 3, 4, 5, 6, 8)
GROUP_SIZES = (32, 64, 128)


@dataclass(frozen=True)
class Format:
    """MLX's affine codes, or one of the floating-point codes with shared exponents.

    `mode` is `affine` (scale and bias a group, in the model's type), or `mxfp4`, `mxfp8` or
    `nvfp4` (OCP microscaling: one byte of scale a group, no bias).
    """

    bits: int
    group_size: int
    mode: str = "affine"

    def config(self) -> dict[str, Any]:
        """The entry of a config's `quantization`, as mlx-lm spells it."""
        return {"group_size": self.group_size, "bits": self.bits, "mode": self.mode}

    def parts(self, shape: Sequence[int], dtype: str) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Type and shape of what a matrix (..., out, in) of type `dtype` becomes, by part.

        The parts are `weight` (uint32, codes packed low bits first), `scales` and, in affine
        mode, `biases`.
        """
        *rows, width = shape
        codes = ("uint32", (*rows, width * self.bits // 32))
        groups = (*rows, width // self.group_size)
        if self.mode != "affine":
            return {"weight": codes, "scales": ("uint8", groups)}
        return {"weight": codes, "scales": (dtype, groups), "biases": (dtype, groups)}


#: The one width and group size that MLX has for each floating-point code.
MICROSCALING = {
    "mxfp4": Format(4, 32, "mxfp4"),
    "mxfp8": Format(8, 32, "mxfp8"),
    "nvfp4": Format(4, 16, "nvfp4"),
}


def check_format(format: Format) -> Format:
    """Returns `format`; raises a `Qwen2Error` with the choices if MLX has no kernels for it."""
    if format.mode == "affine":
        if format.bits not in BITS:
            raise Qwen2Error(f"{format.bits} bits are not possible; choose one of {_choices(BITS)}")
        if format.group_size not in GROUP_SIZES:
            raise Qwen2Error(
                f"a group size of {format.group_size} is not possible; choose one of {_choices(GROUP_SIZES)}"
            )
        return format
    only = MICROSCALING.get(format.mode)
    if only is None:
        raise Qwen2Error(
            f"quantisation mode {format.mode!r} is unknown; choose affine, {_choices(tuple(MICROSCALING))}"
        )
    if format != only:
        raise Qwen2Error(
            f"{format.mode} has {only.bits} bits and groups of {only.group_size},"
            f" not {format.bits} and {format.group_size}"
        )
    return format


def _choices(values: Sequence[object]) -> str:
    return f"{', '.join(map(str, values[:-1]))} or {values[-1]}"
