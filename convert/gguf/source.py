"""A GGUF file as a source of the converter.

MLX's own reader of these files returns wrong numbers for Q4_K and refuses several types (measured
with MLX 0.32.4), so the file is read here, row by row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import dropwhile
from math import prod
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from convert.float_source import fingerprint_of
from convert.gguf.blocks import CODED, GROUP, INEXACT_IN_HALF
from convert.gguf.config import checked, hugging_face_config
from convert.gguf.dequantise import GROUPS_OF_16, dequantise
from convert.gguf.file import GgufFile, read_file
from convert.gguf.header import StoredTensor
from convert.gguf.names import gguf_name
from convert.gguf.tokenizer import tokenizer_files
from convert.target import parameters
from convert.weights import CodedWeight, Codes, FloatWeight, Weight
from quant.format import Format
from qwen2_mlx.errors import CheckpointError

#: What matrices of types with groups of 16 are to be quantised as: so finely that the model stays what
#: the file says. Whoever prefers a small model to that chooses bits of their own.
WISHES: dict[str, Format] = dict.fromkeys(("Q6_K", "Q3_K", "Q2_K"), Format(8, 64))

_FLOATS = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_DTYPES = ("float16", "float32", "bfloat16")

#: Tiny modules whose choice of experts depends on every bit; they stay in floating point.
_GATES = (".mlp.gate.weight", ".mlp.shared_expert_gate.weight")


@dataclass(frozen=True)
class GgufSource:
    """A GGUF file or its parts; see `convert.source.Source`.

    `wishes` are the formats, by the path of their module, of matrices that the file holds
    quantised in a way MLX cannot: they are read in floating point and quantised anew. Every other
    floating-point parameter is stored in floating point by the file itself.
    """

    path: Path
    config: dict[str, Any]
    weights: list[Weight]
    notes: list[str]
    format: Format | None
    wishes: Mapping[str, Format]
    file: GgufFile = field(repr=False)
    tokenizer: Mapping[str, bytes] = field(repr=False)
    permutations: Mapping[str, Any] = field(default_factory=dict)

    def fingerprint(self) -> str:
        return fingerprint_of(self.config, set(self.file.parts))

    def companions(self) -> dict[str, Path | bytes]:
        return dict(self.tokenizer)


def open_gguf(path: Path, import_dtype: str | None = None) -> GgufSource:
    """Reads the headers of the GGUF file at `path`, or of all parts of a split one.

    `import_dtype` is the type of scales and biases: float16 (the default), which is exact for all
    but the K types; float32, exact for those too; or bfloat16, for at most 5 bits.

    Raises `CheckpointError` for a file that is damaged, of another architecture, of a type or with
    a tokenizer that cannot be converted.
    """
    file = read_file(path)
    dtype = _dtype(file, import_dtype)
    config = hugging_face_config(file, dtype)
    shapes = parameters(checked(config, file))
    tensors = _tensors(file, shapes)
    formats = {
        name.removesuffix(".weight"): form
        for name, tensor in tensors.items()
        if (form := _format(name, shapes[name], tensor))
    }
    return GgufSource(
        path=path,
        config=config,
        weights=[_weight(name, shape, tensors[name], dtype) for name, shape in shapes.items()],
        notes=_notes(file, tensors, formats, dtype),
        format=_commonest(formats, shapes),
        wishes={
            module: form
            for module, form in formats.items()
            if tensors[f"{module}.weight"].type.name in GROUPS_OF_16
        },
        file=file,
        tokenizer=tokenizer_files(file.metadata, config["vocab_size"]),
    )


def _dtype(file: GgufFile, import_dtype: str | None) -> str:
    """The type of what is not an integer code: as asked, else float16, else as an unquantised file has it."""
    types = {tensor.type.name for tensor in file.tensors.values()}
    if types <= _FLOATS.keys():
        if import_dtype:
            raise CheckpointError(
                f"{file.path} is not quantised, so --import-dtype has no meaning; use --dtype"
            )
        embedding = file.tensors.get("token_embd.weight")
        return _FLOATS[embedding.type.name] if embedding else "float32"
    dtype = import_dtype or _DTYPES[0]
    if dtype not in _DTYPES:
        raise CheckpointError(f"the import type is {dtype!r}; it must be one of {', '.join(_DTYPES)}")
    if dtype == "bfloat16" and "Q8_0" in types:
        raise CheckpointError(
            f"{file.path} holds 8-bit codes, whose scales bfloat16 would round by half a step;"
            " use --import-dtype float16 or float32"
        )
    return dtype


def _tensors(file: GgufFile, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, StoredTensor]:
    """The stored tensor of every parameter; there must be no others, and shapes must fit."""
    names = {parameter: gguf_name(parameter) for parameter in shapes}
    if missing := [name for name in names.values() if name not in file.tensors]:
        raise CheckpointError(f"{file.path} lacks tensors of its architecture: {missing[0]}")
    if foreign := sorted(file.tensors.keys() - set(names.values())):
        raise CheckpointError(f"{file.path} holds tensors foreign to its architecture: {foreign[0][:80]}")
    found = {parameter: file.tensors[name] for parameter, name in names.items()}
    for parameter, tensor in found.items():
        # The shared expert's gate is one row, which the file holds as a vector.
        if _without_leading_ones(tensor.shape) != _without_leading_ones(shapes[parameter]):
            raise CheckpointError(
                f"{file.path}: tensor {tensor.name} has shape {list(tensor.shape)},"
                f" its settings make it {list(shapes[parameter])}"
            )
    return found


def _without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(dropwhile(lambda size: size == 1, shape))


def _format(name: str, shape: tuple[int, ...], tensor: StoredTensor) -> Format | None:
    """How a parameter is or is to be quantised; None for what stays in floating point."""
    if len(shape) < 2 or name.endswith(_GATES):
        return None
    if tensor.type.name in CODED:
        return Format(CODED[tensor.type.name][0], GROUP)
    return WISHES.get(tensor.type.name)


def _weight(name: str, shape: tuple[int, ...], tensor: StoredTensor, dtype: str) -> Weight:
    form = _format(name, shape, tensor)
    if form and tensor.type.name in CODED:
        return CodedWeight(name, shape, form, dtype, _code_rows(tensor, dtype))
    return FloatWeight(name, shape, _FLOATS.get(tensor.type.name, "float32"), _float_rows(tensor))


def _code_rows(tensor: StoredTensor, dtype: str) -> Callable[[int, int], Codes]:
    """Reads rows of `tensor` as codes, whose scales and biases are numbers that `dtype` holds."""
    unpack = CODED[tensor.type.name][1]
    largest = np.finfo(np.float16 if dtype == "float16" else np.float32).max

    def rows(start: int, stop: int) -> Codes:
        stored = tensor.rows(start, stop)
        with np.errstate(invalid="ignore", over="ignore"):
            codes, scales, biases = unpack(stored.reshape(-1, tensor.type.nbytes))
        top = max(np.abs(scales).max(initial=0), np.abs(biases).max(initial=0))
        if not np.isfinite(top):
            raise _no_numbers(tensor)
        if top > largest:
            raise CheckpointError(
                f"{tensor.file}: a scale of tensor {tensor.name} is too large for {dtype};"
                " use --import-dtype float32"
            )
        height = stop - start
        return Codes(*(mx.array(part.reshape(height, -1)) for part in (codes, scales, biases)))

    return rows


def _no_numbers(tensor: StoredTensor) -> CheckpointError:
    return CheckpointError(
        f"{tensor.file} is damaged: tensor {tensor.name} holds scales that are no numbers;"
        " download or copy it again"
    )


def _float_rows(tensor: StoredTensor) -> Callable[[int, int], mx.array]:
    """Reads rows of `tensor` in its own floating-point type, quantised ones in float32."""

    def rows(start: int, stop: int) -> mx.array:
        stored = tensor.rows(start, stop)
        if tensor.type.name == "BF16":
            return mx.array(stored.view("<u2")).view(mx.bfloat16)
        if tensor.type.name == "F16":
            return mx.array(stored.view("<f2"))
        if tensor.type.name == "F32":
            return mx.array(stored.view("<f4"))
        with np.errstate(invalid="ignore", over="ignore"):
            numbers = dequantise(stored, tensor.type)
        if not np.isfinite(numbers).all():
            raise _no_numbers(tensor)
        return mx.array(numbers)

    return rows


def _commonest(formats: Mapping[str, Format], shapes: Mapping[str, tuple[int, ...]]) -> Format | None:
    """The format that most weights have."""
    weights: dict[Format, int] = {}
    for module, form in formats.items():
        weights[form] = weights.get(form, 0) + prod(shapes[f"{module}.weight"])
    return max(weights, key=lambda form: weights[form], default=None)


def _notes(
    file: GgufFile, tensors: Mapping[str, StoredTensor], formats: Mapping[str, Format], dtype: str
) -> list[str]:
    """What the user should know: matrices whose numbers change on the way, and guesses."""
    by_type: dict[str, int] = {}
    for module in formats:
        name = tensors[f"{module}.weight"].type.name
        by_type[name] = by_type.get(name, 0) + 1
    notes = [
        f"{count} {name} matrices have groups of 16, which MLX has no affine codes for: they are decoded"
        f" and quantised anew, with {WISHES[name].bits} bits in groups of {WISHES[name].group_size} unless -q"
        " says otherwise"
        for name, count in by_type.items()
        if name in WISHES
    ]
    inexact = [name for name in by_type if name in INEXACT_IN_HALF]
    if dtype == "bfloat16" and by_type.keys() & CODED.keys():
        notes.append(
            "scales are rounded to bfloat16; --import-dtype float16 keeps them eight times as precisely"
        )
    elif dtype == "float16" and inexact:
        count = sum(by_type[name] for name in inexact)
        notes.append(
            f"the scales of {count} {' and '.join(inexact)} matrices are rounded to float16;"
            " --import-dtype float32 keeps them exactly"
        )
    if file.metadata.flag("tokenizer.ggml.add_bos_token", False):
        notes.append("the file asks for a start token before every text; Qwen2 has none, so it is left out")
    return notes
