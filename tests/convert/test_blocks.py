"""Calibrated layers come one after another, also when the conversion was interrupted between two."""

from collections.abc import Callable, Mapping
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from convert import blocks
from convert.blocks import CalibratedLayers, embedding_rows
from convert.conversion import Events, convert
from convert.float_source import open_float
from convert.plan import Plan, make_plan
from convert.work_folder import path_of
from quant.encode import decode, encode
from quant.format import Format
from quant.policy import format_of
from quant.recipe import Recipe
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import CheckpointError, Qwen2Error
from tests.checkpoints import MOE, write_checkpoint
from tests.convert.conversions import contents

RECIPE = Recipe(format=Format(4, 32), method="gptq")
CONFIG = {**MOE, "num_hidden_layers": 5}
IDS = np.array([5, 3, 5, 200], np.int32)


class Shifting:
    """A calibrator whose result depends on every layer before: each is shifted by the sum of their norms."""

    def __init__(self, config: ModelConfig):
        self.config = config
        self.layers: list[int] = []
        self.sum = mx.zeros(())

    def start(self, embeddings_of: Callable[[np.ndarray], mx.array]) -> None:
        self.sum = embeddings_of(IDS).sum()

    def quantize_layer(self, index: int, tensors: Mapping[str, mx.array]) -> dict[str, mx.array]:
        self.layers.append(index)
        self.sum = self.sum + sum(tensor.sum() for tensor in tensors.values())
        outputs: dict[str, mx.array] = {}
        for name, tensor in tensors.items():
            path = name.removesuffix(".weight")
            form = format_of(RECIPE, self.config, path, tensor.shape)
            if form is None:
                outputs[name] = tensor
                continue
            rows = (tensor + self.sum).reshape(-1, tensor.shape[-1])
            for part, value in encode(rows, form).items():
                outputs[f"{path}.{part}"] = value.reshape(*tensor.shape[:-1], -1)
        return outputs

    def state(self) -> dict[str, mx.array]:
        return {"sum": self.sum.reshape(1)}

    def restore(self, state: Mapping[str, mx.array]) -> None:
        if state["sum"].shape != (1,):
            raise CheckpointError("the state is damaged")
        self.sum = state["sum"][0]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "source", CONFIG)


def run(source: Path, target: Path, interrupt_after: int | None = None) -> tuple[Plan, list[int]]:
    """The plan of a conversion, and the layers that were quantised in it."""
    opened = open_float(source)
    calibrator = Shifting(ModelConfig.from_dict(opened.config))
    plan = make_plan(opened, RECIPE, CalibratedLayers(calibrator, opened.weights))

    def done(_: int) -> None:
        if len(calibrator.layers) == interrupt_after:
            raise KeyboardInterrupt

    convert(opened, plan, target, Events(done=done))
    return plan, calibrator.layers


def interrupted(source: Path, target: Path, layers: int) -> Path:
    with pytest.raises(KeyboardInterrupt):
        run(source, target, layers)
    return path_of(target)


def test_each_layer_is_given_whole_and_written_as_planned(source: Path, tmp_path: Path) -> None:
    plan, layers = run(source, tmp_path / "target")
    assert layers == [0, 1, 2, 3, 4]
    assert plan.places == make_plan(open_float(source), RECIPE).places
    written = mx.load(str(tmp_path / "target" / "model.safetensors"))
    assert isinstance(written, dict)
    assert {name: tensor.shape for name, tensor in written.items()} == {
        name: shape for name, (_, shape) in plan.outputs.items()
    }


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_an_interrupted_calibration_goes_on_with_the_next_layer(
    layers: int, source: Path, tmp_path: Path
) -> None:
    run(source, tmp_path / "whole")
    interrupted(source, tmp_path / "target", layers)
    _, again = run(source, tmp_path / "target")
    assert again == list(range(layers - 1, 5))  # the last one was not recorded yet
    assert contents(tmp_path / "target") == contents(tmp_path / "whole")


@pytest.mark.parametrize("damage", ["lost", "cut", "of another shape"])
def test_without_its_state_a_calibration_begins_anew(damage: str, source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "whole")
    work = interrupted(source, tmp_path / "target", 3)
    states = list(work.glob("state-*"))
    assert len(states) == 2  # the last two
    for state in states:
        if damage == "lost":
            state.unlink()
        elif damage == "cut":
            state.write_bytes(state.read_bytes()[:-1])
        else:
            mx.save_safetensors(str(state), {"sum": mx.zeros((2,))})
    _, again = run(source, tmp_path / "target")
    assert again == [0, 1, 2, 3, 4]
    assert contents(tmp_path / "target") == contents(tmp_path / "whole")


def test_a_layer_whose_bytes_changed_is_quantised_again_with_all_behind_it(
    source: Path, tmp_path: Path
) -> None:
    run(source, tmp_path / "whole")
    work = interrupted(source, tmp_path / "target", 4)
    plan = make_plan(open_float(source), RECIPE)
    place = plan.places["model.layers.1.self_attn.q_proj.weight"]
    with (work / "model" / place.file).open("r+b") as file:
        file.seek(place.offset)
        file.write(b"\xaa")
    _, again = run(source, tmp_path / "target")
    assert again == [0, 1, 2, 3, 4]  # only the last states are kept
    assert contents(tmp_path / "target") == contents(tmp_path / "whole")


def test_a_failure_while_the_state_is_written_loses_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(source, tmp_path / "whole")
    interrupted(source, tmp_path / "target", 2)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(blocks, "sync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(source, tmp_path / "target")
    _, again = run(source, tmp_path / "target")
    assert again == [1, 2, 3, 4]
    assert contents(tmp_path / "target") == contents(tmp_path / "whole")


def test_a_disk_too_full_for_the_state_is_one_line(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("[write] Unable to write 8 bytes to file.")

    monkeypatch.setattr(mx, "save_safetensors", fail)
    with pytest.raises(Qwen2Error, match=r"state-0\.safetensors cannot be written: .* free space"):
        run(source, tmp_path / "target")


@pytest.mark.parametrize("form", [None, Format(8, 32)])
def test_embeddings_are_those_of_the_written_model(form: Format | None, source: Path) -> None:
    embedding = open_float(source).weights[0]
    rows = embedding.rows(0, 264)
    expected = rows if form is None else decode(encode(rows, form), form)
    found = embedding_rows(embedding, IDS, "float32", form)
    assert mx.array_equal(found, expected[mx.array(IDS.tolist())])


def test_a_calibrator_that_gives_other_tensors_than_planned_is_noticed(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def more(self: Shifting, index: int, tensors: Mapping[str, mx.array]) -> dict[str, mx.array]:
        return {**original(self, index, tensors), "more": mx.zeros((1,))}

    def longer(self: Shifting, index: int, tensors: Mapping[str, mx.array]) -> dict[str, mx.array]:
        outputs = original(self, index, tensors)
        name = f"model.layers.{index}.input_layernorm.weight"
        return {**outputs, name: mx.zeros((33,))}

    original = Shifting.quantize_layer
    for changed in (more, longer):
        monkeypatch.setattr(Shifting, "quantize_layer", changed)
        with pytest.raises(ValueError, match="planned"):
            run(source, tmp_path / "target")
        assert not (tmp_path / "target").exists()
