"""Budgets: the best choice where it can be enumerated, never too large, sizes as they are."""

from itertools import pairwise, product
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlx.utils import tree_flatten

from quant import allocate as module_under_test
from quant.allocate import allocate
from quant.format import Format
from quant.report.table import Module, Table
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.loading import load
from tests.quant.report import samples

BITS = (2, 3, 4, 8)


@st.composite
def tables(draw: st.DrawFn, most: int = 5) -> Table:
    """Random modules whose divergences need not fall with their bits."""
    count = draw(st.integers(1, most))
    modules = {}
    for index in range(count):
        shape = (draw(st.sampled_from((8, 24, 56))), draw(st.sampled_from((64, 128))))
        kl = {Format(bits, 64): draw(st.floats(0, 1)) / 2**bits for bits in BITS}
        modules[f"model.layers.{index}.mlp.down_proj"] = Module(shape, kl)
    return Table("m", 100, "bfloat16", draw(st.integers(0, 50)), modules)


def total(table: Table, formats: dict[str, Format | None]) -> float:
    return sum(table.modules[path].kl[f] for path, f in formats.items() if f)


def least(table: Table) -> int:
    return table.bytes_of({path: Format(2, 64) for path in table.modules})


@given(tables(most=4), st.floats(0, 1.1))
def test_the_choice_is_the_best_there_is(table: Table, share: float) -> None:
    whole = table.bytes_of({})
    budget = least(table) + int(share * (whole - least(table)))
    found = allocate(table, budget)
    choices = [[*(Format(bits, 64) for bits in BITS), None]] * len(table.modules)
    every = (dict(zip(table.modules, formats, strict=True)) for formats in product(*choices))
    best = min(total(table, formats) for formats in every if table.bytes_of(formats) <= budget)
    assert total(table, found) == pytest.approx(best, abs=1e-12)


@given(tables(), st.floats(0, 1.1), st.sampled_from((1, 7, 60)))
def test_a_budget_is_never_exceeded_however_coarse_the_totals(
    table: Table, share: float, totals: int
) -> None:
    budget = least(table) + int(share * (table.bytes_of({}) - least(table)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module_under_test, "_TOTALS", totals)
        found = allocate(table, budget)
    assert found.keys() == table.modules.keys()
    assert table.bytes_of(found) <= budget
    if share >= 1:
        assert total(table, found) == 0


@given(tables())
def test_more_room_never_costs_quality(table: Table) -> None:
    whole = table.bytes_of({})
    budgets = [least(table) + (whole - least(table)) * tenth // 10 for tenth in range(11)]
    totals = [total(table, allocate(table, budget)) for budget in budgets]
    assert all(after <= before + 1e-12 for before, after in pairwise(totals))


def test_too_small_a_budget_is_refused_with_the_smallest_possible() -> None:
    kl = {Format(bits, 64): 1 / bits for bits in BITS}
    table = Table("m", 100, "bfloat16", 10, {"model.layers.0.mlp.down_proj": Module((8, 64), kl)})
    with pytest.raises(Qwen2Error, match="bits a weight"):
        allocate(table, least(table) - 1)
    assert allocate(table, least(table)) == {"model.layers.0.mlp.down_proj": Format(2, 64)}


def test_an_embedding_keeps_four_bits_though_fewer_seem_to_cost_nothing() -> None:
    kl = dict.fromkeys((Format(bits, 64) for bits in BITS), 0.0)
    modules = {path: Module((80, 64), kl) for path in ("model.embed_tokens", "model.layers.0.mlp.up_proj")}
    found = allocate(Table("m", 100, "bfloat16", 0, modules), 8000)
    assert found == {"model.embed_tokens": Format(4, 64), "model.layers.0.mlp.up_proj": Format(2, 64)}


@pytest.mark.parametrize("config", [samples.CONFIG, samples.MOE])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_predicted_bytes_are_those_of_the_tensors(
    tmp_path: Path, config: dict[str, object], dtype: str
) -> None:
    model, _ = load(str(samples.original(tmp_path / "model", config)), fuse=False)
    model.set_dtype(getattr(mx, dtype))
    formats: dict[str, Format | None] = {}
    choices = [Format(2, 32), Format(3, 64), None, Format(8, 32), Format(4, 32, "mxfp4")]

    def choose(path: str, module: nn.Module) -> bool | dict[str, object]:
        if not hasattr(module, "to_quantized") or module["weight"].shape[0] < 4 or path.endswith("mlp.gate"):
            return False
        formats[path] = choices[len(formats) % len(choices)]
        chosen = formats[path]
        return chosen.config() if chosen else False

    named: dict[str, mx.array] = dict(tree_flatten(model.parameters()))
    nn.quantize(model, class_predicate=choose)
    modules = {path: Module(tuple(named[f"{path}.weight"].shape), {}) for path in formats}
    held = sum(named[f"{path}.weight"].size for path in formats)
    table = Table("m", 1, dtype, sum(weight.size for weight in named.values()) - held, modules)
    quantised: dict[str, mx.array] = dict(tree_flatten(model.parameters()))
    assert table.bytes_of(formats) == sum(tensor.nbytes for tensor in quantised.values())
    assert len(formats) > 10
