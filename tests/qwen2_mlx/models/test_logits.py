"""Our logits against those of transformers in float32, as recorded by tests/golden/make_golden.py."""

from typing import Any

import numpy as np
import pytest

from tests.golden.cases import CASES, Case
from tests.golden.replay import (
    FOLDER,
    NOTICED,
    TOLERANCE,
    golden,
    golden_weights,
    load_model,
    relative_error,
    run_in_pieces,
    run_whole,
)
from tests.golden.weights import digest, make_tokens

NAMES = [case.name for case in CASES]

#: A setting changed against its recording: one level deep, None takes the key away.
DISOBEYED = [
    ("dense_theta_1e4", {"rope_theta": 1e6}),
    ("dense_untied", {"rope_theta": None}),
    ("dense_untied", {"rms_norm_eps": 0.1}),
    ("yarn", {"rope_scaling": None}),
    ("yarn", {"rope_scaling": {"factor": 8.0}}),
    ("yarn", {"rope_scaling": {"original_max_position_embeddings": 128}}),
    ("yarn_attention_factor", {"rope_scaling": {"attention_factor": None}}),
    ("yarn_attention_factor", {"rope_scaling": {"attention_factor": 0.64}}),
    ("yarn_mscale", {"rope_scaling": {"mscale": None}}),
    ("yarn_no_truncate", {"rope_scaling": {"truncate": None}}),
    ("yarn_no_truncate", {"rope_scaling": {"beta_fast": None}}),
    ("yarn_transformers_5", {"rope_parameters": {"factor": 8.0}}),
    ("yarn_transformers_5", {"rope_parameters": {"rope_theta": 1e6}}),
    ("moe", {"norm_topk_prob": True}),
    ("moe", {"num_experts_per_tok": 2}),
    ("moe_renormalised", {"norm_topk_prob": False}),
    ("moe_yarn", {"rope_scaling": None}),
]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_golden_file_was_recorded_from_the_case_as_it_stands(case: Case) -> None:
    recorded = golden(case.name)
    assert (recorded.config, recorded.seed) == (case.config, case.seed)
    assert recorded.logits.shape == (case.batch, case.time, case.config["vocab_size"])
    assert np.array_equal(recorded.tokens, make_tokens(case.config, case.seed, case.batch, case.time))
    assert digest(golden_weights(case.name)) == recorded.origin["weights_sha256"]
    assert recorded.origin["script"] == "tests/golden/make_golden.py"
    assert all(recorded.origin[library] for library in ("torch", "transformers", "numpy"))


def test_every_golden_file_belongs_to_a_case() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.safetensors")) == sorted(NAMES)


@pytest.mark.parametrize("fused", [False, True], ids=["apart", "fused"])
@pytest.mark.parametrize("name", NAMES)
def test_whole_prompt_matches_transformers(name: str, fused: bool) -> None:
    recorded = golden(name)
    model = load_model(recorded.config, golden_weights(name), fused)
    error = relative_error(run_whole(model, recorded.tokens), recorded.logits)
    assert error < TOLERANCE


@pytest.mark.parametrize("fused", [False, True], ids=["apart", "fused"])
@pytest.mark.parametrize("name", NAMES)
def test_uneven_steps_through_the_cache_match_transformers(name: str, fused: bool) -> None:
    recorded = golden(name)
    model = load_model(recorded.config, golden_weights(name), fused)
    first, last = [1, 7, 2, 13], [1] * 6
    pieces = [*first, recorded.tokens.shape[1] - sum(first) - sum(last), *last]
    error = relative_error(run_in_pieces(model, recorded.tokens, pieces), recorded.logits)
    assert error < TOLERANCE


@pytest.mark.parametrize("name", ["yarn", "moe_renormalised"])
def test_token_by_token_matches_transformers(name: str) -> None:
    recorded = golden(name)
    model = load_model(recorded.config, golden_weights(name))
    pieces = [1] * recorded.tokens.shape[1]
    error = relative_error(run_in_pieces(model, recorded.tokens, pieces), recorded.logits)
    assert error < TOLERANCE


@pytest.mark.parametrize("name", ["yarn", "moe"])
def test_a_batch_of_copies_gives_each_row_the_logits_it_has_alone(name: str) -> None:
    recorded = golden(name)
    model = load_model(recorded.config, golden_weights(name))
    ours = run_whole(model, np.concatenate([recorded.tokens] * 4))
    error = relative_error(ours, np.concatenate([recorded.logits] * 4))
    assert error < TOLERANCE


@pytest.mark.parametrize("projection", ["q_proj", "k_proj", "v_proj"])
@pytest.mark.parametrize("name", NAMES)
def test_a_dropped_bias_is_noticed(name: str, projection: str) -> None:
    recorded = golden(name)
    weights = {
        tensor: np.zeros_like(value) if tensor.endswith(f"{projection}.bias") else value
        for tensor, value in golden_weights(name).items()
    }
    error = relative_error(run_whole(load_model(recorded.config, weights), recorded.tokens), recorded.logits)
    assert error > NOTICED


@pytest.mark.parametrize(("name", "change"), DISOBEYED)
def test_a_setting_that_is_not_obeyed_is_noticed(name: str, change: dict[str, Any]) -> None:
    recorded = golden(name)
    model = load_model(_changed(recorded.config, change), golden_weights(name))
    error = relative_error(run_whole(model, recorded.tokens), recorded.logits)
    assert error > NOTICED


def _changed(config: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = {
        key: _changed(config[key], value) if isinstance(value, dict) else value
        for key, value in change.items()
    }
    return {key: value for key, value in (config | merged).items() if value is not None}
