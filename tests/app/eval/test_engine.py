"""The model of a mode: its positions, its cache, its greed, and no limit on length."""

import io
import json
import weakref
from pathlib import Path
from typing import Any

import pytest

from app.eval import engine as engine_module
from app.eval import perplexity
from app.eval.engine import Engine
from app.eval.fingerprint import checkpoint_fingerprint
from app.eval.mode import Mode
from app.eval.progress import Progress
from app.eval.store import Store
from tests import checkpoints

YARN = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 64, "beta_fast": 16.0}


def write(folder: Path, seed: int = 0, **changes: object) -> Path:
    config = {**checkpoints.DENSE, "max_position_embeddings": 64, "head_dim": 32, **changes}
    return checkpoints.write_checkpoint(folder, config, seed)


@pytest.mark.parametrize(
    "rope",
    [{}, {"rope_theta": 5000.0}, {"rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}}],
)
def test_yarn_gets_the_factor_of_its_mode(tmp_path: Path, rope: dict[str, Any]) -> None:
    engine = Engine(str(write(tmp_path / "model", **rope)))
    model, _ = engine.open(Mode("yarn", yarn_factor=12.0))
    yarn = model.args.rope.yarn
    assert yarn is not None
    assert (yarn.factor, yarn.original_max_position_embeddings) == (12.0, 64)
    assert model.args.rope.theta == engine.config.rope.theta


def test_another_factor_keeps_the_other_settings_of_the_checkpoint(tmp_path: Path) -> None:
    model, _ = Engine(str(write(tmp_path / "model", rope_scaling=YARN))).open(Mode("yarn", yarn_factor=8.0))
    yarn = model.args.rope.yarn
    assert yarn is not None
    assert (yarn.factor, yarn.beta_fast, yarn.original_max_position_embeddings) == (8.0, 16.0, 64)


def test_each_mode_gets_the_positions_it_names(tmp_path: Path) -> None:
    engine = Engine(str(write(tmp_path / "model")))
    assert engine.open(Mode("plain"))[0].args.rope_mode == "plain"
    model, _ = engine.open(Mode("dca", "off"))
    assert model.args.rope_mode == "dca"
    assert model.args.dual_chunk is not None
    assert model.args.dual_chunk.length_factor == "off"


def test_weights_are_read_again_only_for_other_positions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []
    load = engine_module.load

    def counted(ref: str, rope: str, length_factor: str) -> object:
        loads.append(rope)
        return load(ref, rope=rope, length_factor=length_factor)

    monkeypatch.setattr(engine_module, "load", counted)
    engine = Engine(str(write(tmp_path / "model")))
    for mode in (Mode("plain"), Mode("plain", kv_bits="8"), Mode("dca", "prompt"), Mode("dca", "off")):
        engine.answer(mode, list(range(20)), 2)
        engine.answer(mode, list(range(20)), 2)
    assert loads == ["plain", "dca", "dca"]


def test_a_model_is_gone_before_the_next_one_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two copies of a large model at once are more than a machine has room for."""
    alive: list[weakref.ref[object]] = []
    load = engine_module.load

    def watched(ref: str, rope: str, length_factor: str) -> object:
        assert [model for model in alive if model() is not None] == []
        loaded = load(ref, rope=rope, length_factor=length_factor)
        alive.append(weakref.ref(loaded[0]))
        return loaded

    monkeypatch.setattr(engine_module, "load", watched)
    engine = Engine(str(write(tmp_path / "model")))
    modes = [Mode("plain"), Mode("dca", "prompt", kv_bits="8"), Mode("yarn", yarn_factor=4.0)]
    for mode in modes:
        engine.answer(mode, list(range(20)), 2)
    texts = [perplexity.Text("text", list(range(40)))]
    with Store(tmp_path / "results", {}, perplexity.FIELDS) as store:
        progress = Progress("eval", [1.0] * 3, stream=io.StringIO())
        perplexity.measure(texts, 4, modes, engine, store, progress)
    assert len(alive) == 6


@pytest.mark.parametrize("bits", ["8", "8/4", "16"])
def test_the_cache_has_the_precision_of_the_mode(tmp_path: Path, bits: str) -> None:
    engine = Engine(str(write(tmp_path / "model")))
    assert str(engine.plan(Mode("dca", "prompt", kv_bits=bits), 100).kv) == bits
    assert engine.plan(Mode("dca", "prompt"), 100).kv is None


@pytest.mark.parametrize("mode", [Mode("plain"), Mode("yarn", yarn_factor=4.0), Mode("dca", "prompt")])
def test_a_prompt_beyond_the_context_of_a_mode_is_answered(tmp_path: Path, mode: Mode) -> None:
    engine = Engine(str(write(tmp_path / "model")))
    prompt = [token % 256 for token in range(64 * 40)]
    heard: list[tuple[int, int]] = []
    answer = engine.answer(mode, prompt, 3, lambda done, total: heard.append((done, total)))
    assert isinstance(answer, str)
    assert heard[-1][0] == heard[-1][1] == len(prompt) - 1


def test_an_answer_is_greedy_whatever_the_checkpoint_prefers(tmp_path: Path) -> None:
    """A repetition penalty would keep a model from repeating the number it was asked for."""
    folder = write(tmp_path / "model")
    before = Engine(str(folder)).answer(Mode("plain"), [65, 66, 67] * 10, 12)
    settings = {"do_sample": True, "temperature": 1.5, "repetition_penalty": 9.0}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    assert Engine(str(folder)).answer(Mode("plain"), [65, 66, 67] * 10, 12) == before


def test_the_fingerprint_tells_checkpoints_apart_and_copies_not(tmp_path: Path) -> None:
    first = checkpoint_fingerprint(write(tmp_path / "a"))
    assert checkpoint_fingerprint(write(tmp_path / "b")) == first
    assert checkpoint_fingerprint(write(tmp_path / "c", seed=1)) != first
    assert checkpoint_fingerprint(write(tmp_path / "d", rope_theta=2e4)) != first
    template = tmp_path / "b" / "chat_template.jinja"
    template.write_text("{{ messages }}")
    assert checkpoint_fingerprint(tmp_path / "b") != first
