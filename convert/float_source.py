"""A Hugging Face checkpoint in floating point.

Its tensors may be in one file or many, its experts one by one, fused as newer versions of
transformers hold them, or stacked as MLX does. All of that only decides from which rows
of which files a parameter's rows come.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import mlx.core as mx

from convert.folder.companions import companions_of
from convert.safetensors_file import StoredTensor, stored_tensors
from convert.target import parameters
from convert.weights import FloatWeight
from quant.format import Format
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import CheckpointError, ConfigError
from qwen2_mlx.jsonfile import read_json_object

#: MLX's name of each type that weights are read in.
FLOATS = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}

_EMBEDDING, _HEAD = "model.embed_tokens.weight", "lm_head.weight"
_EXPERTS = ".switch_mlp."
_COMPARED_BYTES = 16 * 2**20
_MOST_MISSING = 1000
_SHOWN = 3  # names listed in an error before "and N more"


@dataclass(frozen=True)
class FloatSource:
    """A checkpoint folder in floating point; see `convert.source.Source`."""

    path: Path
    config: dict[str, Any]
    weights: list[FloatWeight]
    notes: list[str]
    tensors: Mapping[str, StoredTensor] = field(repr=False)
    format: Format | None = None
    permutations: Mapping[str, Any] = field(default_factory=dict)
    wishes: Mapping[str, Format] = field(default_factory=dict)

    def fingerprint(self) -> str:
        return fingerprint_of(self.config, {tensor.file for tensor in self.tensors.values()})

    def companions(self) -> dict[str, Path | bytes]:
        return companions_of(self.path)


@dataclass(frozen=True)
class Piece:
    """`count` rows of a stored tensor, from row `start` on."""

    tensor: StoredTensor
    start: int
    count: int


def open_float(folder: Path) -> FloatSource:
    """Reads the headers in `folder` and finds the rows of every parameter.

    Raises a `Qwen2Error` for a damaged or incomplete checkpoint, one that is quantised, and
    one whose tensors are not those of its config.
    """
    raw = read_json_object(folder / "config.json")
    config = config_of(folder, raw)
    if config.quantization:
        raise CheckpointError(f"{folder} is quantised already; convert its floating-point original")
    tensors = stored_tensors(folder)
    notes = untie(raw, config, tensors)
    config = config_of(folder, raw)
    kept = {key: value for key, value in raw.items() if key not in ("quantization", "quantization_config")}
    return FloatSource(folder, kept, float_weights(folder, config, tensors), notes, tensors)


def untie(raw: dict[str, Any], config: ModelConfig, tensors: Mapping[str, StoredTensor]) -> list[str]:
    """Unties `raw` where `tensors` have a head unlike the embedding it should equal; a note if so."""
    if not config.tie_word_embeddings or _HEAD not in tensors or _same(tensors, _HEAD, _EMBEDDING):
        return []
    raw["tie_word_embeddings"] = False
    return ["lm_head differs from the embedding that the config ties it to, so it is kept and untied"]


def config_of(folder: Path, raw: Mapping[str, Any]) -> ModelConfig:
    """`raw` as read by the engine. Raises `ConfigError`, naming the file."""
    try:
        return ModelConfig.from_dict(raw)
    except ConfigError as error:
        raise ConfigError(f"{folder / 'config.json'}: {error}") from None


def float_weights(
    folder: Path, config: ModelConfig, tensors: Mapping[str, StoredTensor]
) -> list[FloatWeight]:
    """Every parameter of the model with the rows it has in `tensors`, which must hold no others.

    Raises `CheckpointError` for tensors that are missing, foreign, of another shape or no
    floating-point numbers.
    """
    shapes = parameters(config)
    places = _all_places(folder, shapes, tensors)
    wanted = {stored for found in places.values() for stored, _, _ in found}
    ignored = {_HEAD} if config.tie_word_embeddings else set()
    foreign = [name for name in tensors.keys() - wanted - ignored if not name.endswith("rotary_emb.inv_freq")]
    if foreign:
        raise CheckpointError(f"{folder} holds tensors foreign to its architecture: {listed(foreign)}")
    return [_weight(folder, name, shapes[name], places[name], tensors) for name in shapes]


def fingerprint_of(config: Mapping[str, Any], files: set[Path]) -> str:
    """A hash of a config and of the names, sizes and times of files, whose bytes are not read."""
    digest = hashlib.sha256(repr(sorted(config.items())).encode(errors="surrogatepass"))
    for file in sorted(files):
        stat = file.stat()
        digest.update(f"{file.name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode(errors="surrogatepass"))
    return digest.hexdigest()


#: A tensor's name, the shape it must have, and its rows that belong to a parameter.
_Place = tuple[str, tuple[int, ...], range]


def _all_places(
    folder: Path, shapes: Mapping[str, tuple[int, ...]], tensors: Mapping[str, StoredTensor]
) -> dict[str, list[_Place]]:
    """Where each parameter's rows are. Raises `CheckpointError` when tensors are missing.

    It gives up after a while: a damaged config may ask for millions of experts.
    """
    found: dict[str, list[_Place]] = {name: [] for name in shapes}
    missing: list[str] = []
    for name, shape in shapes.items():
        for place in _places(name, shape, tensors):
            if place[0] in tensors:
                found[name].append(place)
            elif len(missing) < _MOST_MISSING:
                missing.append(place[0])
            else:
                break
    if missing:
        raise CheckpointError(f"{folder} lacks tensors of its architecture: {listed(missing)}")
    return found


def _places(name: str, shape: tuple[int, ...], tensors: Mapping[str, StoredTensor]) -> Iterator[_Place]:
    """Where the rows of the parameter `name` are looked for, in order."""
    if _EXPERTS not in name or name in tensors:
        yield name, shape, range(prod(shape[:-1]))
        return
    prefix, part = name.removesuffix(".weight").split(_EXPERTS)
    experts, rows, width = shape
    half = 0 if part == "down_proj" else 1
    fused = f"{prefix}.experts.{'gate_up_proj' if half else 'down_proj'}"
    if fused in tensors:
        stride = rows * (1 + half)
        first = rows if part == "up_proj" else 0
        for expert in range(experts):
            start = expert * stride + first
            yield fused, (experts, stride, width), range(start, start + rows)
        return
    for expert in range(experts):
        yield f"{prefix}.experts.{expert}.{part}.weight", (rows, width), range(rows)


def _weight(
    folder: Path,
    name: str,
    shape: tuple[int, ...],
    places: Sequence[_Place],
    tensors: Mapping[str, StoredTensor],
) -> FloatWeight:
    """The parameter `name`, put together from the rows at `places`, which are checked."""
    pieces = []
    dtype = tensors[places[0][0]].dtype
    for stored_name, stored_shape, rows in places:
        tensor = tensors[stored_name]
        if tensor.shape != stored_shape:
            raise CheckpointError(
                f"{folder}: tensor {stored_name} has shape {list(tensor.shape)},"
                f" its config makes it {list(stored_shape)}"
            )
        if tensor.dtype not in FLOATS:
            raise CheckpointError(
                f"{folder}: tensor {stored_name} is {tensor.dtype}, {', '.join(FLOATS)} are read"
            )
        if tensor.dtype != dtype:
            raise CheckpointError(
                f"{folder}: tensor {stored_name} has type {tensor.dtype}, its fellows {dtype}"
            )
        pieces.append(Piece(tensor, rows.start, len(rows)))
    return FloatWeight(name, shape, FLOATS[dtype], rows_of(pieces))


def rows_of(pieces: Sequence[Piece]) -> Callable[[int, int], mx.array]:
    """Reads rows of the matrix that `pieces` of equal height make up, one below the other."""
    height = pieces[0].count

    def rows(start: int, stop: int) -> mx.array:
        found = []
        while start < stop:
            piece, first = pieces[start // height], start % height
            last = min(height, first + stop - start)
            found.append(piece.tensor.rows(piece.start + first, piece.start + last))
            start += last - first
        return found[0] if len(found) == 1 else mx.concatenate(found)

    return rows


def _same(tensors: Mapping[str, StoredTensor], one: str, other: str) -> bool:
    """Whether two tensors hold the same bytes; a tensor that is missing is not different."""
    if other not in tensors:
        return True
    first, second = tensors[one], tensors[other]
    if (first.dtype, first.shape) != (second.dtype, second.shape):
        return False
    if first.dtype not in FLOATS or len(first.shape) != 2:
        return True  # what is wrong with them is said of the embedding
    step = max(1, _COMPARED_BYTES * first.shape[0] // max(1, first.nbytes))
    return all(
        bool(mx.array_equal(_bits(first, start, step), _bits(second, start, step)))
        for start in range(0, first.shape[0], step)
    )


def _bits(tensor: StoredTensor, start: int, count: int) -> mx.array:
    """Rows as whole numbers, in which one NaN equals another."""
    rows = tensor.rows(start, min(start + count, tensor.shape[0]))
    return rows.view(mx.uint32 if rows.dtype == mx.float32 else mx.uint16)


def listed(names: list[str]) -> str:
    """The first of `names`, for an error."""
    more = len(names) - _SHOWN
    return ", ".join(sorted(names)[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
