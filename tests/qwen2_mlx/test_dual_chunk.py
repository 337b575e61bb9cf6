"""Dual Chunk Attention against the formulas in float64, however the prompt is cut."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.models.cache import BatchKVCache, QuantizedKVCache
from safetensors.numpy import load_file

import qwen2_mlx
from qwen2_mlx.attention import tiles
from qwen2_mlx.cache import KVFormat
from qwen2_mlx.cache.remember import announce
from qwen2_mlx.config import LENGTH_FACTORS
from qwen2_mlx.errors import PromptError
from qwen2_mlx.generate import stream_generate
from qwen2_mlx.loading import load_model, read_config
from qwen2_mlx.models import Model
from qwen2_mlx.session import ChatSession
from tests.checkpoints import DENSE, MOE
from tests.qwen2_mlx import float64_reference
from tests.qwen2_mlx.lively import write_lively_checkpoint

#: (chunk_size, local_size): chunks of 16, 24, 31 and 12 tokens; the last window is wider than its chunk.
CHUNKS = [(20, 4), (32, 8), (32, 1), (28, 16)]
TOLERANCE = 2e-4
KNOWN_TOKENS = 260  # a loaded model never emits the rest of its vocabulary


def with_chunks(chunk_size: int, local_size: int, base: dict = DENSE) -> dict:
    settings = {
        "chunk_size": chunk_size,
        "local_size": local_size,
        "original_max_position_embeddings": chunk_size,
    }
    return {**base, "rope_theta": 1000.0, "dual_chunk_attention_config": settings}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lively_checkpoint(tmp_path_factory.mktemp("dca"), with_chunks(32, 8))


def load(folder: Path, chunk_size: int, local_size: int, policy: str) -> Model:
    """The weights of `folder` under other chunks."""
    config = read_config(folder)
    assert config.dual_chunk is not None
    chunks = replace(
        config.dual_chunk,
        chunk_size=chunk_size,
        local_size=local_size,
        original_max_position_embeddings=chunk_size,
    )
    return load_model(folder, replace(config, dual_chunk=chunks).with_rope("dca", policy))


def run(model: Model, tokens: np.ndarray, steps: Sequence[int], kv: KVFormat | None = None) -> np.ndarray:
    """Logits of `tokens` (time,), fed in pieces of these lengths, the last repeated to the end."""
    cache, done, found = model.make_cache(kv), 0, []
    announce(cache, len(tokens))
    while done < len(tokens):
        step = steps[min(len(found), len(steps) - 1)]
        found.append(model(mx.array(tokens[None, done : done + step]), cache=cache)[0])
        mx.eval(found[-1])
        done += step
    return np.array(mx.concatenate(found))[:, :KNOWN_TOKENS]


def expected(folder: Path, tokens: np.ndarray, chunk_size: int, local_size: int, policy: str) -> np.ndarray:
    right = float64_reference.logits(
        with_chunks(chunk_size, local_size),
        load_file(folder / "model.safetensors"),
        tokens,
        chunk_size=chunk_size,
        local_size=local_size,
        trained_length=chunk_size,
        policy=policy,
    )
    return right[:, :KNOWN_TOKENS]


def relative_error(ours: np.ndarray, right: np.ndarray) -> float:
    return float(np.abs(ours - right).max() / np.abs(right).max())


def some_tokens(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, count)


@pytest.mark.parametrize("chunks", range(1, 10))
@pytest.mark.parametrize(("chunk_size", "local_size"), CHUNKS)
def test_whole_prompts_equal_the_formulas(
    folder: Path, chunk_size: int, local_size: int, chunks: int
) -> None:
    length, policy = chunk_size - local_size, LENGTH_FACTORS[chunks % 3]
    model = load(folder, chunk_size, local_size, policy)
    for time in (chunks * length - length // 3, chunks * length, chunks * length + 1):
        tokens = some_tokens(time)
        right = expected(folder, tokens, chunk_size, local_size, policy)
        assert relative_error(run(model, tokens, [time]), right) < TOLERANCE


@pytest.mark.parametrize("steps", [[1], [7], [50], [13, 1, 1, 40], [90, 1]], ids=str)
@pytest.mark.parametrize("policy", LENGTH_FACTORS)
@pytest.mark.parametrize(("chunk_size", "local_size"), CHUNKS)
def test_prompts_in_pieces_and_token_by_token_equal_the_formulas(
    folder: Path, chunk_size: int, local_size: int, policy: str, steps: list[int]
) -> None:
    tokens = some_tokens(150)
    ours = run(load(folder, chunk_size, local_size, policy), tokens, steps)
    assert relative_error(ours, expected(folder, tokens, chunk_size, local_size, policy)) < TOLERANCE


@pytest.mark.parametrize("tile", [3, 16])
def test_small_tiles_equal_the_formulas(folder: Path, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE_KEYS", tile)
    monkeypatch.setattr(tiles, "workspace", lambda: 1)
    tokens = some_tokens(150)
    ours = run(load(folder, 20, 4, "prompt"), tokens, [50])
    assert relative_error(ours, expected(folder, tokens, 20, 4, "prompt")) < TOLERANCE


@pytest.mark.parametrize("change", ["chunk_size", "local_size", "policy", "trained_length"])
def test_a_formula_that_differs_in_one_term_is_noticed(folder: Path, change: str) -> None:
    right = {"chunk_size": 20, "local_size": 4, "policy": "prompt", "trained_length": 20}
    wrong = right | {change: {"policy": "position"}.get(change, 19)}
    if change == "local_size":
        wrong = right | {"local_size": 5}
    tokens = some_tokens(150)
    other = float64_reference.logits(
        with_chunks(20, 4), load_file(folder / "model.safetensors"), tokens, **wrong
    )
    ours = run(load(folder, 20, 4, "prompt"), tokens, [50])
    assert relative_error(ours, other[:, :KNOWN_TOKENS]) > 20 * TOLERANCE


@pytest.mark.parametrize("base", [DENSE, MOE], ids=["dense", "moe"])
@pytest.mark.parametrize("steps", [[24], [7], [1]], ids=str)
def test_inside_the_first_chunk_logits_are_bit_for_bit_those_of_plain(
    tmp_path: Path, base: dict, steps: list[int]
) -> None:
    folder = write_lively_checkpoint(tmp_path, with_chunks(32, 8, base))
    tokens = some_tokens(24)
    plain, dual = (run(qwen2_mlx.load(str(folder), rope=mode)[0], tokens, steps) for mode in ("plain", "dca"))
    assert np.array_equal(plain, dual)


def test_up_to_one_past_the_chunk_size_dual_chunks_are_plain_but_for_rounding(folder: Path) -> None:
    tokens = some_tokens(40)
    plain, dual = (
        run(qwen2_mlx.load(str(folder), rope=mode, length_factor="off")[0], tokens, [40])
        for mode in ("plain", "dca")
    )
    assert relative_error(dual[:33], plain[:33]) < 1e-5
    assert relative_error(dual[33:], plain[33:]) > 1e-3


def test_a_mixture_of_experts_takes_dual_chunks_in_any_pieces(tmp_path: Path) -> None:
    model, _ = qwen2_mlx.load(str(write_lively_checkpoint(tmp_path, with_chunks(32, 8, MOE))))
    assert model.args.rope_mode == "dca"
    tokens = some_tokens(150)
    assert relative_error(run(model, tokens, [7]), run(model, tokens, [150])) < 1e-5


def test_policy_position_gives_a_prefix_the_same_logits_in_any_longer_prompt(folder: Path) -> None:
    model = load(folder, 32, 8, "position")
    tokens = some_tokens(200)
    assert relative_error(run(model, tokens[:90], [90]), run(model, tokens, [200])[:90]) < 1e-5


def test_a_conversation_across_chunks_is_answered_like_a_fresh_one(folder: Path) -> None:
    """Reusing a prefix is exact where a token's temperature is its own position's."""
    model, tokenizer = qwen2_mlx.load(str(folder), length_factor="position")
    session = ChatSession(model, tokenizer, max_tokens=20)
    for question in ("Where is the north gate?", "And who keeps its key?"):
        conversation = [*session.messages, {"role": "user", "content": question}]
        fresh = [event.token for event in stream_generate(model, tokenizer, conversation, max_tokens=20)]
        events = list(session.send(question))
        assert [event.token for event in events] == fresh
    assert events[0].reused_tokens > 3 * 24


@pytest.mark.parametrize("kv", ["16", "8", "8/4"])
@pytest.mark.parametrize("steps", [[150], [50], [1]], ids=str)
def test_compact_caches_stay_near_the_formulas(tmp_path: Path, kv: str, steps: list[int]) -> None:
    """Heads of 32, which quantisation groups need."""
    config = with_chunks(32, 8) | {"hidden_size": 128, "num_attention_heads": 4}
    folder = write_lively_checkpoint(tmp_path, config)
    tokens = some_tokens(150)
    model, _ = qwen2_mlx.load(str(folder))
    full = run(model, tokens, steps)
    error = np.sqrt(np.mean((run(model, tokens, steps, KVFormat.parse(kv)) - full) ** 2)) / full.std()
    assert error < {"16": 2e-3, "8": 0.03, "8/4": 0.25}[kv]


def test_mlx_lm_generation_loop_crosses_chunks_like_ours(folder: Path) -> None:
    from mlx_lm.generate import generate_step

    model, tokenizer = qwen2_mlx.load(str(folder), length_factor="position")
    prompt = [int(token) for token in some_tokens(100)]
    ours = [event.token for event in stream_generate(model, tokenizer, prompt, max_tokens=20)]
    theirs = generate_step(mx.array(prompt), model, max_tokens=20, prefill_step_size=33)
    assert [int(token) for token, _ in theirs][: len(ours)] == ours


def test_mlx_lm_quantised_cache_is_read_across_chunks(tmp_path: Path) -> None:
    config = with_chunks(32, 8) | {"hidden_size": 128, "num_attention_heads": 4}
    model, _ = qwen2_mlx.load(str(write_lively_checkpoint(tmp_path, config)))
    tokens = some_tokens(150)
    cache = [QuantizedKVCache(group_size=32, bits=8) for _ in model.layers]
    ours = np.array(model(mx.array(tokens[None]), cache=cache)[0])[:, :KNOWN_TOKENS]
    full = run(model, tokens, [150])
    assert np.sqrt(np.mean((ours - full) ** 2)) / full.std() < 0.03


def test_a_batch_within_the_first_chunk_gives_each_row_its_own_logits(folder: Path) -> None:
    model, _ = qwen2_mlx.load(str(folder))
    rows = [some_tokens(20), some_tokens(13)]
    padded = np.stack([np.pad(row, (20 - len(row), 0)) for row in rows])
    cache = [BatchKVCache([20 - len(row) for row in rows]) for _ in model.layers]
    together = np.array(model(mx.array(padded), cache=cache))[:, -1, :KNOWN_TOKENS]
    for row, found in zip(rows, together, strict=True):
        assert relative_error(found, run(model, row, [len(row)])[-1]) < 1e-5


def test_a_batch_beyond_the_first_chunk_is_refused_in_one_line(folder: Path) -> None:
    model, _ = qwen2_mlx.load(str(folder))
    cache = [BatchKVCache([0, 3]) for _ in model.layers]
    with pytest.raises(PromptError, match=r"24 tokens long .* run long prompts one at a time"):
        model(mx.zeros((2, 25), mx.int32), cache=cache)


def test_a_config_with_both_extensions_gets_dual_chunks_and_the_user_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    yarn = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
    folder = write_lively_checkpoint(tmp_path, with_chunks(32, 8) | {"rope_scaling": yarn})
    model, _ = qwen2_mlx.load(str(folder))
    assert model.args.rope_mode == "dca"
    assert "dual chunks are used" in caplog.text
    tokens = some_tokens(100)
    assert relative_error(run(model, tokens, [100]), expected(folder, tokens, 32, 8, "prompt")) < TOLERANCE
