"""Beside a large model a small one on this machine reads the documents, as long as there is room for both."""

from pathlib import Path

import pytest

from app.chat.engine import loading
from app.chat.engine.loading import OpenModel, open_model
from app.chat.options import Setup
from qwen2_mlx.memory.plan import MemoryLimitError, weight_bytes
from tests.app.chat.engine.test_where import download
from tests.checkpoints import DENSE, write_checkpoint


@pytest.fixture
def opened(home: Path, tmp_path: Path) -> OpenModel:
    """A model that is larger than the one that was downloaded from the hub."""
    download(home, "mlx-community/Qwen2-0.5B-Instruct-4bit")
    folder = write_checkpoint(tmp_path / "large", DENSE | {"intermediate_size": 512, "num_hidden_layers": 4})
    return open_model(Setup(str(folder), rope="plain"))


def test_the_scout_is_the_smallest_model_here_and_is_kept(opened: OpenModel) -> None:
    roles = opened.roles()
    assert roles.scout_name == "0.5b"
    assert opened.roles() is roles


def test_a_scout_goes_where_the_chat_needs_its_memory(
    opened: OpenModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles = opened.roles()
    limits: list[int] = []
    scarce = opened.info.limit - weight_bytes(roles._scout.model)
    planned = loading.plan_prompt

    def plan_prompt(model: object, tokens: int, kv_bits: str, limit: int):
        limits.append(limit)
        if limit <= scarce:
            raise MemoryLimitError("too little")
        return planned(model, tokens, kv_bits, limit)  # type: ignore[arg-type]

    monkeypatch.setattr(loading, "plan_prompt", plan_prompt)
    opened._plan(100)
    assert limits == [scarce, opened.info.limit]
    assert opened.roles() is not roles


def test_what_fits_beside_the_scout_leaves_it(opened: OpenModel) -> None:
    roles = opened.roles()
    opened._plan(100)
    assert opened.roles() is roles


def test_prompts_are_read_in_pieces_that_a_stop_need_not_wait_for(opened: OpenModel) -> None:
    assert opened._plan(400).prefill_step <= 512
