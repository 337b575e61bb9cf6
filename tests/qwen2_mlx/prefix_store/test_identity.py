"""Whatever can change a bit of a stored prefix gives it another key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from quant.affine import quantize_model
from qwen2_mlx.cache import KVFormat
from qwen2_mlx.kernels.use import VARIABLE
from qwen2_mlx.loading import load
from qwen2_mlx.models import Model
from qwen2_mlx.prefix_store import identity
from qwen2_mlx.prefix_store.key import entry_key
from qwen2_mlx.prefix_store.tensors import token_array
from tests import checkpoints

IDS = token_array([5, 6, 7]).tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dense checkpoint with dual chunks, whose layers can be quantised."""
    dual_chunk = {"chunk_size": 64, "local_size": 8, "original_max_position_embeddings": 64}
    config = {**checkpoints.DENSE, "max_position_embeddings": 256, "dual_chunk_attention_config": dual_chunk}
    return checkpoints.write_checkpoint(tmp_path / "model", config)


def key(model: Model, kv: KVFormat | None = None, step: int = 512, ids: bytes = IDS) -> str:
    return entry_key(identity.computation(model, kv, step), ids)


def loaded(folder: Path, **options: Any) -> Model:
    return load(str(folder), **options)[0]


def test_loading_the_same_model_again_gives_the_same_key(folder: Path) -> None:
    assert key(loaded(folder)) == key(loaded(folder))


def test_tokens_step_and_format_are_part_of_the_key(folder: Path) -> None:
    model = loaded(folder)
    keys = [
        key(model),
        key(model, ids=token_array([5, 6]).tobytes()),
        key(model, ids=token_array([5, 6, 8]).tobytes()),
        key(model, step=256),
        key(model, KVFormat(16, 16)),
        key(model, KVFormat(8, 8)),
        key(model, KVFormat(8, 4)),
    ]
    assert len(set(keys)) == len(keys)


def test_kernels_and_sparse_prefill_are_part_of_the_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    keys = [key(loaded(folder, sparse_prefill=keep)) for keep in (None, 0.9, 0.95)]
    for value in ("off", "on", "rotate_heads"):
        monkeypatch.setenv(VARIABLE, value)
        keys.append(key(loaded(folder)))
    assert len(set(keys)) == len(keys)


def test_positions_and_types_are_part_of_the_key(folder: Path) -> None:
    options = [
        {},
        {"length_factor": "position"},
        {"length_factor": "off"},
        {"rope": "plain"},
        {"rope": "yarn"},
        {"dtype": "bfloat16"},
        {"fuse": False},
    ]
    assert len({key(loaded(folder, **one)) for one in options}) == len(options)


def one_bit(model: Model) -> None:
    norm = model.model.norm
    norm.weight = (norm.weight.view(mx.uint32) ^ mx.array([1] + [0] * 31, dtype=mx.uint32)).view(mx.float32)


def two_rows(model: Model) -> None:
    table = model.model.embed_tokens.weight
    model.model.embed_tokens.weight = mx.concatenate([table[1:2], table[:1], table[2:]])


@pytest.mark.parametrize("change", [one_bit, two_rows, lambda model: quantize_model(model, 4, 32)])
def test_other_weights_are_another_model(folder: Path, change: Callable[[Model], Any]) -> None:
    model = loaded(folder)
    before = key(model)
    change(model)
    assert key(model) != before


def test_a_dual_chunk_length_is_part_of_the_key(folder: Path) -> None:
    before = key(loaded(folder))
    dual_chunk = {"chunk_size": 64, "local_size": 16, "original_max_position_embeddings": 64}
    checkpoints.edit_json(folder / "config.json", dual_chunk_attention_config=dual_chunk)
    assert key(loaded(folder)) != before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", lambda package: "0.0.1"),
        ("__version__", "0.0.1"),
        ("_code_fingerprint", lambda: "other"),
        ("_device", lambda: "gpu"),
        ("STORE_VERSION", 2),
    ],
)
def test_every_version_is_part_of_the_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    model = loaded(folder)
    before = key(model)
    monkeypatch.setattr(identity, name, value)
    assert key(model) != before


def test_what_a_text_is_called_is_not_part_of_the_key() -> None:
    facts = {"computed.weights": "1", "label": "a.txt", "created": "now"}
    assert entry_key(facts, IDS) == entry_key(facts | {"label": "b.txt", "created": "then"}, IDS)
