"""The small model of Python source: its texts are apart and its checkpoint loads."""

import sys
from pathlib import Path

import pytest

import qwen2_mlx
from training import source_model


def test_held_out_source_is_not_trained_on() -> None:
    training, held_out = source_model.sources()
    lines = {line for line in training.splitlines() if len(line) > 60}
    unseen = [line for line in held_out.splitlines() if len(line) > 60]
    assert len(unseen) > 100
    assert sum(line in lines for line in unseen) < 0.1 * len(unseen)


def test_a_run_leaves_a_checkpoint_that_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_model, "_TRAINING_CHARACTERS", 100_000)
    monkeypatch.setattr(source_model, "BATCH", 2)
    monkeypatch.setattr(sys, "argv", ["source_model", str(tmp_path), "--steps", "2"])
    source_model.main()
    model, tokenizer = qwen2_mlx.load(str(tmp_path))
    assert len(tokenizer) == model.args.vocab_size == source_model.TOKENS
    assert (tmp_path / "held-out.txt").read_text(encoding="utf-8") not in source_model.sources()[0]
