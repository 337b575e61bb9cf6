"""All that a conversion will write, known before the first number is read.

Types, shapes and sizes follow from the headers of the source, and with them the files, the
place of every tensor in them and the space that is needed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Protocol

from convert.safetensors_file import header_bytes
from convert.source import Source
from convert.unit import CodedRows, FloatRows, Outputs, QuantizedRows, Unit, Vector, output_bytes
from convert.weights import CodedWeight, FloatWeight, Weight
from quant.format import Format
from quant.policy import format_of, quantization_config
from quant.recipe import Recipe
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.loading import DTYPES

SHARD_BYTES = 5 * 10**9
METADATA = {"format": "mlx"}


@dataclass(frozen=True)
class Place:
    """Where a tensor's bytes lie."""

    file: str
    offset: int
    nbytes: int


class Chain(Protocol):
    """Units that must be produced one after another, each with what the one before left behind."""

    @property
    def units(self) -> Sequence[Unit]: ...

    def resume(self, done: int, folder: Any) -> int:
        """Gets ready to go on behind `done` finished units with what it keeps in `folder`.

        Returns how many units really count as finished: 0 when what it kept is lost.
        """
        ...


class Calibration(Protocol):
    """Turns the decoder layers of a model into a chain of units."""

    def chain(
        self,
        layers: Sequence[Sequence[FloatWeight]],
        dtype: str,
        outputs: Sequence[Outputs],
        formats: Mapping[str, Format | None],
    ) -> Chain:
        """A unit for each layer's parameters, which become `outputs`; `formats` are of all matrices."""
        ...


@dataclass(frozen=True)
class Plan:
    """What is written: `units` in any order, then those of `chain` in theirs.

    `formats` are those of all matrices by module path, None for floating point. `places` are
    those of all tensors, `headers` the first bytes of each file.
    """

    config: ModelConfig
    dtype: str
    recipe: Recipe
    parameters: int
    formats: dict[str, Format | None]
    quantization: dict[str, Any]
    outputs: Outputs = field(repr=False)
    places: dict[str, Place] = field(repr=False)
    headers: dict[str, bytes] = field(repr=False)
    units: list[Unit] = field(repr=False)
    chain: Chain | None = field(repr=False)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all tensors, headers apart."""
        return sum(place.nbytes for place in self.places.values())

    @property
    def bits_per_weight(self) -> float:
        return 8 * self.weight_bytes / self.parameters

    @property
    def undivided(self) -> list[str]:
        """Matrices that stay in floating point because their width is no whole number of groups."""
        wanted = self.recipe.format
        if wanted is None:
            return []
        return [path for path, format in self.formats.items() if format is None and self._odd(path, wanted)]

    def _odd(self, path: str, wanted: Format) -> bool:
        output = self.outputs.get(f"{path}.weight")
        return output is not None and output[1][-1] % wanted.group_size != 0

    def file_bytes(self) -> dict[str, int]:
        """The size of each file of weights."""
        sizes = {file: len(header) for file, header in self.headers.items()}
        for place in self.places.values():
            sizes[place.file] += place.nbytes
        return sizes


def make_plan(source: Source, recipe: Recipe, calibration: Calibration | None = None) -> Plan:
    """The plan for `source` under `recipe`; reads nothing but what `source` knows already.

    With a `calibration` the decoder layers are left to it. Matrices whose source is quantised
    keep their codes, whatever the recipe says. Raises `Qwen2Error` for a type that would not be that
    of their scales.
    """
    _check_dtype(source.weights, recipe)
    config = ModelConfig.from_dict(source.config)
    dtype = recipe.dtype or _dtype_of(config, source.weights)
    matrices = [weight for weight in source.weights if len(weight.shape) > 1]
    formats = {_path(weight): _format(weight, source, recipe, config) for weight in matrices}
    units = [_unit(weight, dtype, formats.get(_path(weight)), recipe.method) for weight in source.weights]
    units += [Vector(f"{path}.perm", order) for path, order in source.permutations.items()]
    outputs = {name: output for unit in units for name, output in unit.outputs.items()}
    places, headers = _lay_out([unit.outputs for unit in units])
    chain = None
    if calibration is not None:
        units, chain = _with_chain(units, dtype, formats, calibration)
    return Plan(
        config=config,
        dtype=dtype,
        recipe=recipe,
        parameters=sum(prod(weight.shape) for weight in source.weights),
        formats=formats,
        quantization=quantization_config(recipe, formats),
        outputs=outputs,
        places=places,
        headers=headers,
        units=units,
        chain=chain,
    )


def _dtype_of(config: ModelConfig, weights: Sequence[Weight]) -> str:
    """The type the config names, else the type of the first parameter in floating point."""
    if config.dtype in DTYPES:
        return config.dtype
    return next((weight.dtype for weight in weights if isinstance(weight, FloatWeight)), "float32")


def _check_dtype(weights: Sequence[Weight], recipe: Recipe) -> None:
    kept = {weight.dtype for weight in weights if isinstance(weight, CodedWeight)}
    if recipe.dtype and kept - {recipe.dtype}:
        raise Qwen2Error("the source is quantised; give its type with --import-dtype, not with --dtype")


def _path(weight: Weight) -> str:
    return weight.name.removesuffix(".weight")


def _format(weight: Weight, source: Source, recipe: Recipe, config: ModelConfig) -> Format | None:
    if isinstance(weight, CodedWeight):
        return weight.format
    if recipe.format is None:
        return source.wishes.get(_path(weight))
    return format_of(recipe, config, _path(weight), weight.shape)


def _unit(weight: Weight, dtype: str, format: Format | None, method: str) -> Unit:
    if isinstance(weight, CodedWeight):
        return CodedRows(weight)
    if format is None:
        return FloatRows(weight, dtype)
    return QuantizedRows(weight, dtype, format, "round" if method == "round" else "fit")


def _with_chain(
    units: Sequence[Unit], dtype: str, formats: Mapping[str, Format | None], calibration: Calibration
) -> tuple[list[Unit], Chain]:
    """Takes the units of decoder layers out of `units` and leaves them to `calibration`."""
    layers: dict[int, list[Any]] = {}
    others: list[Unit] = []
    for unit in units:
        if unit.name.startswith("model.layers."):
            layers.setdefault(int(unit.name.split(".")[2]), []).append(unit)
        else:
            others.append(unit)
    weights = [[unit.weight for unit in layer] for layer in layers.values()]
    outputs = [
        {name: output for unit in layer for name, output in unit.outputs.items()} for layer in layers.values()
    ]
    return others, calibration.chain(weights, dtype, outputs, formats)


def _lay_out(groups: Sequence[Outputs]) -> tuple[dict[str, Place], dict[str, bytes]]:
    """The place of every tensor, and the header of every file."""
    shards = list(_shards(groups))
    places: dict[str, Place] = {}
    headers: dict[str, bytes] = {}
    for number, tensors in enumerate(shards, 1):
        file = (
            "model.safetensors"
            if len(shards) == 1
            else f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        )
        described = {name: (*output, output_bytes(output)) for name, output in tensors.items()}
        header = header_bytes({n: (d, s, b) for n, (d, s, b) in described.items()}, METADATA)
        end = len(header)
        for name, (_, _, nbytes) in described.items():
            places[name] = Place(file, end, nbytes)
            end += nbytes
        headers[file] = header
    return places, headers


def _shards(groups: Sequence[Outputs]) -> Iterator[Outputs]:
    """Groups of tensors in order, packed into files of at most `SHARD_BYTES`.

    A group that fits a file is not torn apart; a single tensor may be larger than a file should be.
    """
    shard: Outputs = {}
    held = 0
    for outputs in groups:
        sizes = {name: output_bytes(output) for name, output in outputs.items()}
        together = sum(sizes.values())
        if shard and together <= SHARD_BYTES < held + together:
            yield shard
            shard, held = {}, 0
        for name, output in outputs.items():
            if shard and held + sizes[name] > SHARD_BYTES:
                yield shard
                shard, held = {}, 0
            shard[name] = output
            held += sizes[name]
    if shard:
        yield shard
