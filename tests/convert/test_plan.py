"""What is planned from headers is what is written."""

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from app.bench.sizes import OFFICIAL
from convert import plan as planning
from convert.float_source import FloatSource, open_float
from convert.plan import make_plan
from convert.safetensors_file import StoredTensor, stored_tensors
from convert.target import parameters
from convert.weights import FloatWeight
from quant.format import MICROSCALING, Format
from quant.recipe import Recipe
from qwen2_mlx.config import ModelConfig
from tests.checkpoints import DENSE, MOE, write_checkpoint
from tests.convert.conversions import FOUR_BITS, convert_folder

RECIPES = {
    "floats": Recipe(),
    "halves": Recipe("float16"),
    "4 bits": FOUR_BITS,
    "3 bits": Recipe("bfloat16", Format(3, 32), "round"),
    **{name: Recipe(format=format) for name, format in MICROSCALING.items()},
}


@pytest.mark.parametrize("config", [DENSE, MOE], ids=["dense", "moe"])
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_the_plan_is_what_is_written(config: dict[str, Any], recipe: Recipe, tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source", config)
    target = tmp_path / "target"
    plan = convert_folder(source, target, recipe)
    assert {file.name: file.stat().st_size for file in target.glob("*.safetensors")} == plan.file_bytes()
    stored = stored_tensors(target)
    assert {name: (t.file.name, t.offset, t.nbytes) for name, t in stored.items()} == {
        name: (place.file, place.offset, place.nbytes) for name, place in plan.places.items()
    }
    assert {name: t.shape for name, t in stored.items()} == {
        n: shape for n, (_, shape) in plan.outputs.items()
    }


def test_a_plan_reads_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> mx.array:
        raise AssertionError("rows were read")

    source = write_checkpoint(tmp_path / "source", MOE)
    monkeypatch.setattr(StoredTensor, "rows", read)
    assert make_plan(open_float(source), FOUR_BITS).weight_bytes


def test_the_largest_expert_model_is_planned_by_its_shapes_alone(tmp_path: Path) -> None:
    config = OFFICIAL["57b-a14b"]

    def rows(start: int, stop: int) -> mx.array:
        raise AssertionError("rows were read")

    weights = [
        FloatWeight(name, shape, "bfloat16", rows)
        for name, shape in parameters(ModelConfig.from_dict(config)).items()
    ]
    plan = make_plan(FloatSource(tmp_path, config, weights, [], {}), Recipe(format=Format(4, 64)))
    assert plan.parameters == 57_408_658_944
    assert 4.5 < plan.bits_per_weight < 4.65
    assert len(plan.headers) == 7
    assert max(plan.file_bytes().values()) < 5.01e9
    for unit in plan.units:
        assert len({plan.places[name].file for name in unit.outputs}) == 1


def test_the_index_names_totals_and_the_file_of_every_tensor(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "SHARD_BYTES", 10_000)
    plan = convert_folder(checkpoint, tmp_path / "target", FOUR_BITS)
    index = json.loads((tmp_path / "target" / "model.safetensors.index.json").read_text())
    assert index["metadata"] == {"total_size": plan.weight_bytes, "total_parameters": plan.parameters}
    assert index["weight_map"] == {name: place.file for name, place in plan.places.items()}
    assert plan.parameters == sum(t.size for t in mx.load(str(checkpoint / "model.safetensors")).values())  # pyright: ignore


def test_wishes_of_a_source_are_followed_unless_the_recipe_has_a_format(checkpoint: Path) -> None:
    class Wishing:
        def __init__(self) -> None:
            self._source = open_float(checkpoint)
            self.wishes = {"model.layers.0.mlp.up_proj": Format(8, 32)}

        def __getattr__(self, name: str) -> Any:
            return getattr(self._source, name)

    source: Any = Wishing()
    wished = make_plan(source, Recipe()).formats
    assert {path for path, format in wished.items() if format} == {"model.layers.0.mlp.up_proj"}
    assert make_plan(source, FOUR_BITS).formats["model.layers.0.mlp.up_proj"] == Format(4, 32)
