"""Sensitivities against whole forward passes, and the table they make."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from quant.encode import decode, encode
from quant.format import Format
from quant.report.sensitivity import measure
from quant.report.shelf import Shelf
from quant.report.table import Table, read_table
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.loading import load
from tests import checkpoints
from tests.quant.report import samples

FORMATS = (Format(2, 32), Format(4, 32))


def table_of(folder: Path, shelf: Path, watcher: samples.Counter | None = None) -> Table:
    @contextmanager
    def watch(costs: Sequence[float], skipped: int) -> Iterator[samples.Counter]:
        assert all(cost > 0 for cost in costs)
        yield watcher or samples.Counter()

    return measure(folder, samples.windows(2), FORMATS, "bytes", Shelf(shelf), watch)


@pytest.mark.parametrize("config", [samples.CONFIG, samples.MOE])
def test_reusing_the_prefix_gives_what_whole_passes_give(tmp_path: Path, config: dict[str, object]) -> None:
    folder = samples.original(tmp_path / "model", config)
    table = table_of(folder, tmp_path / "shelf")
    model, _ = load(str(folder), fuse=False)
    weights: dict[str, mx.array] = dict(tree_flatten(model.parameters()))

    def predicted() -> list[np.ndarray]:
        rows = [np.array(model(mx.array([list(w.tokens)]))[0, :-1, :260]) for w in samples.windows(2)]
        return [r.astype(np.float64) - np.logaddexp.reduce(r.astype(np.float64), -1)[:, None] for r in rows]

    before = predicted()
    assert len(table.modules) == 1 + (3 * 7 if not model.args.moe else 1 + 2 * 10)
    for path, module in table.modules.items():
        weight = weights[f"{path}.weight"]
        for format, kl in module.kl.items():
            parts = encode(weight.reshape(-1, weight.shape[-1]), format)
            model.load_weights(
                [(f"{path}.weight", decode(parts, format).reshape(weight.shape))], strict=False
            )
            gaps = [(np.exp(p) * (p - q)).sum(-1) for p, q in zip(before, predicted(), strict=True)]
            assert kl == pytest.approx(np.concatenate(gaps).mean(), rel=2e-3, abs=1e-9), path
        model.load_weights([(f"{path}.weight", weight)], strict=False)


def test_the_router_and_the_shared_gate_are_left_alone(tmp_path: Path) -> None:
    table = table_of(samples.original(tmp_path / "model", samples.MOE), tmp_path / "shelf")
    assert not [path for path in table.modules if path.endswith(("mlp.gate", "shared_expert_gate"))]


@pytest.mark.parametrize("results", [0, 1, 17, 43])
def test_an_interrupted_measurement_resumes_with_the_same_result(tmp_path: Path, results: int) -> None:
    folder = samples.original(tmp_path / "model")
    straight = table_of(folder, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        table_of(folder, tmp_path / "shelf", samples.Counter(most=results))
    counter = samples.Counter()
    assert table_of(folder, tmp_path / "shelf", counter) == straight
    assert counter.finished == 44 - results


def test_a_table_survives_its_file(tmp_path: Path) -> None:
    table = table_of(samples.original(tmp_path / "model"), tmp_path / "shelf")
    path = tmp_path / "table.json"
    path.write_text(json.dumps(table.as_dict()))
    assert read_table(path) == table


@pytest.mark.parametrize(
    "damage",
    [
        {"format": 9},
        {"modules": {}},
        {"modules": []},
        {"modules": {"a": {"shape": [64], "kl": []}}},
        {
            "modules": {
                "a": {"shape": [8, 64], "kl": [{"bits": 7, "group_size": 64, "mode": "affine", "kl": 1}]}
            }
        },
        {
            "modules": {
                "a": {"shape": [8, 60], "kl": [{"bits": 4, "group_size": 64, "mode": "affine", "kl": 1}]}
            }
        },
        {"modules": {"a": {"shape": [8, 64], "kl": [{"bits": 4, "group_size": 64, "mode": "x", "kl": 1}]}}},
        {
            "modules": {
                "a": {"shape": [8, 64], "kl": [{"bits": 4, "group_size": 64, "mode": "affine", "kl": -1}]}
            }
        },
        {"dtype": "int8"},
        {"others": "many"},
        {"tokens": None},
    ],
)
def test_a_damaged_table_is_refused_in_one_line(tmp_path: Path, damage: dict[str, object]) -> None:
    module = {"shape": [8, 64], "kl": [{"bits": 4, "group_size": 64, "mode": "affine", "kl": 0.5}]}
    good = {"format": 1, "model": "m", "tokens": 5, "dtype": "float16", "others": 3, "modules": {"a": module}}
    path = tmp_path / "table.json"
    path.write_text(json.dumps(good))
    assert read_table(path).modules["a"].kl == {Format(4, 64): 0.5}
    path.write_text(json.dumps(good | damage))
    with pytest.raises(Qwen2Error, match="qwen2-quant sensitivity"):
        read_table(path)


def test_a_quantised_model_is_refused(tmp_path: Path) -> None:
    source = samples.original(tmp_path / "model")
    folder = samples.quantised(source, tmp_path / "four-bits", Format(4, 32))
    with pytest.raises(Qwen2Error, match="quantised already"):
        table_of(folder, tmp_path / "shelf")


def test_a_model_that_computes_no_numbers_is_refused(tmp_path: Path) -> None:
    folder = samples.original(tmp_path / "model")

    def spoil(tensors: dict[str, np.ndarray]) -> None:
        tensors["model.norm.weight"][3] = np.nan

    checkpoints.edit_tensors(folder, spoil)
    with pytest.raises(Qwen2Error, match="finite numbers"):
        table_of(folder, tmp_path / "shelf")


def test_a_group_size_that_divides_no_width_is_refused(tmp_path: Path) -> None:
    folder = checkpoints.write_checkpoint(
        tmp_path / "model", {**checkpoints.DENSE, "hidden_size": 48, "intermediate_size": 80}
    )
    with pytest.raises(Qwen2Error, match="group size"):
        table_of(folder, tmp_path / "shelf")


def test_the_checkpoints_type_is_that_of_scales(tmp_path: Path) -> None:
    folder = samples.original(tmp_path / "model")
    assert table_of(folder, tmp_path / "shelf").dtype == "float32"
    checkpoints.edit_json(folder / "config.json", torch_dtype="bfloat16")
    assert table_of(folder, tmp_path / "shelf").dtype == "bfloat16"
