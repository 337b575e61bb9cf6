"""The scout is the smallest model at hand, and nothing is downloaded to find it."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.ask.roles import scout
from app.ask.roles.scout import cached_folder, choose_scout, parameters
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.loading import read_config
from qwen2_mlx.resolve import ALIASES, resolve
from tests import checkpoints

SMALL_HUB_ID = ALIASES["0.5b"]


@pytest.fixture
def config() -> ModelConfig:
    return replace(read_config(resolve("tiny")), hidden_size=3584, num_hidden_layers=28)


def put_into_cache(home: Path, hub_id: str) -> Path:
    """A checkpoint where the hub's library keeps what it downloaded."""
    repository = home / "huggingface/hub" / f"models--{hub_id.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text("0" * 40)
    return checkpoints.write_checkpoint(repository / "snapshots" / ("0" * 40))


def test_without_a_small_model_the_answering_model_reads(config: ModelConfig) -> None:
    assert choose_scout("auto", "7b", config) == "7b"


def test_a_small_model_on_this_machine_reads(config: ModelConfig, home: Path) -> None:
    put_into_cache(home, SMALL_HUB_ID)
    assert choose_scout("auto", "7b", config) == "0.5b"


def test_an_incomplete_download_does_not_count(config: ModelConfig, home: Path) -> None:
    folder = put_into_cache(home, SMALL_HUB_ID)
    for weights in folder.glob("*.safetensors"):
        weights.unlink()
    assert cached_folder(SMALL_HUB_ID) is None
    assert choose_scout("auto", "7b", config) == "7b"


def test_a_model_does_not_scout_for_itself_or_a_smaller_one(config: ModelConfig, home: Path) -> None:
    folder = put_into_cache(home, SMALL_HUB_ID)
    own = read_config(folder)
    assert choose_scout("auto", "0.5b", own) == "0.5b"
    assert choose_scout("auto", "other/model", own) == "other/model"


def test_the_bundled_models_are_small_enough(config: ModelConfig, home: Path) -> None:
    put_into_cache(home, SMALL_HUB_ID)
    assert choose_scout("auto", "tiny", config) == "tiny"


@pytest.mark.parametrize(("asked", "chosen"), [("none", "7b"), ("1.5b", "1.5b"), ("my/folder", "my/folder")])
def test_what_is_asked_for_is_taken(
    config: ModelConfig, monkeypatch: pytest.MonkeyPatch, asked: str, chosen: str
) -> None:
    monkeypatch.setattr(scout, "cached_folder", lambda hub_id: pytest.fail("nothing is to be looked for"))
    assert choose_scout(asked, "7b", config) == chosen


def test_sizes_of_models_are_compared_by_the_work_of_a_token() -> None:
    dense, moe = read_config(resolve("tiny")), read_config(resolve("tiny-moe"))
    assert 500_000 < parameters(dense) < 1_000_000
    assert moe.moe is not None
    assert parameters(moe) != parameters(replace(moe, moe=replace(moe.moe, num_experts_per_tok=1)))
