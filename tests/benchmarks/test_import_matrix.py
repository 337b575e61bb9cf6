"""The matrix shows what both programs do with a layout, and would show it if ours were wrong."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import import_matrix
from benchmarks.import_matrix import Built, compare, layouts


@pytest.fixture(autouse=True)
def without_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its start alone takes seconds; elsewhere the logits are compared with it."""
    monkeypatch.setattr(import_matrix, "reference_logits", import_matrix._logits)


def test_a_layout_that_mlx_lm_refuses_loads_with_its_codes_and_logits() -> None:
    row = compare("gptq-int4-v2-called-v1", layouts()["gptq-int4-v2-called-v1"])
    assert "g_idx" in row.mlx_lm
    assert (row.ours, row.codes) == ("loads", "14 of 14")
    assert row.error is not None
    assert row.error < 1e-4


def test_a_layout_that_both_load_has_errors_for_both() -> None:
    row = compare("awq", layouts()["awq"])
    assert (row.mlx_lm, row.ours) == ("loads", "loads")
    assert row.mlx_lm_error is not None
    assert row.wide_error is not None
    assert 0 < row.mlx_lm_error < 1e-2
    assert row.wide_error < 1e-4


def test_other_codes_than_went_in_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_matrix, "mlx_lm_logits", lambda *_: "not tried")
    name = "model.layers.0.mlp.up_proj.weight"

    def build(folder: Path) -> Built:
        built = layouts()["gptq-int4"](folder)
        return Built(built.source, built.floats, {**built.hashes, name: "sha256:0"})

    row = compare("gptq-int4", build)
    assert row.codes == "13 of 14"


def test_a_source_that_is_refused_is_shown_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_matrix, "mlx_lm_logits", lambda *_: np.zeros((1, 8, 264)))

    def build(folder: Path) -> Built:
        built = layouts()["gptq-int4"](folder)
        (built.source / "model.safetensors").unlink()
        return built

    row = compare("gptq-int4", build)
    assert row.ours.startswith("fails: ")
    assert row.error is None


def test_every_layout_of_the_issue_is_there() -> None:
    names = set(layouts())
    assert {
        "float-sharded",
        "float-tied",
        "float-moe",
        "gptq-int4",
        "gptq-int8",
        "gptq-int4-act-order",
    } <= names
    assert {"gptq-int4-v2", "awq", "moe-gptq-int4", "moe-awq", "gguf-Q4_0", "gguf-Q4_K", "gguf-Q8_0"} <= names
