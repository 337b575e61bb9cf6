"""Whether a setup fits is told without its weights, and as the memory plan says."""

import json
from pathlib import Path

import pytest

from app.chat.engine.fitting import Fitting, tokens_text
from app.chat.engine.messages import Fit
from app.chat.options import Setup
from qwen2_mlx.memory import limit
from tests import checkpoints

GB = 10**9


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """27 GB may be used."""
    monkeypatch.setattr(limit, "memory_limit", lambda: 27 * GB)


def fit(setup: Setup, context: int):
    return Fitting().fit(Fit(3, setup, context))


def test_an_alias_that_is_not_here_is_told_from_its_known_shapes() -> None:
    told = fit(Setup("7b"), 131072)
    assert (told.ticket, told.fits) == (3, True)
    assert told.line.startswith("weights ")
    assert " + KV " in told.line
    assert " at 128K" in told.line
    assert told.line.endswith(" of 27.0 GB safe")
    assert told.longest > 131072
    assert fit(Setup("mlx-community/Qwen2-7B-Instruct-4bit"), 131072).line == told.line


def test_what_is_too_much_says_how_much_it_is_and_what_would_fit() -> None:
    told = fit(Setup("7b", memory_limit=8 * GB), 1_048_576)
    assert told.fits is False
    assert "of 8.0 GB safe" in told.line
    assert 4096 < told.longest < 1_048_576
    assert fit(Setup("7b", memory_limit=8 * GB), told.longest).fits


def test_fewer_bits_of_the_cache_are_named_where_they_make_it_fit() -> None:
    roomy, tight = fit(Setup("7b"), 131072), fit(Setup("7b", memory_limit=12 * GB), 131072)
    assert "bits" not in roomy.line
    assert "in 8 bits" in tight.line
    assert tight.fits
    assert fit(Setup("7b", kv_bits="16", memory_limit=12 * GB), 131072).fits is False


def test_a_model_that_never_fits_has_no_longest() -> None:
    told = fit(Setup("72b"), 4096)
    assert (told.fits, told.longest) == (False, 0)


def test_more_tokens_than_the_positions_are_for_do_not_fit() -> None:
    told = fit(Setup("7b", rope="plain"), 65536)
    assert (told.fits, told.line) == (False, "this model handles 32K tokens with rope plain")
    assert told.longest == 32768


def test_a_model_in_a_folder_is_told_without_reading_its_weights(checkpoint: Path) -> None:
    told = fit(Setup(str(checkpoint)), 512)
    assert told.fits
    assert told.line.startswith("weights <0.1 + KV <0.1 at 512 + work <0.1")


@pytest.mark.parametrize(
    ("ref", "line"),
    [
        ("nobody/nothing", "nobody/nothing is not downloaded; F2 downloads it"),
        ("nonsense", "there is no model 'nonsense'"),
        ("a" * 5000, "there is no model"),
        ("../../nowhere/model", "there is no model"),
        ("x\0y", "there is no model"),
        ("~nobody-here/model", "~nobody-here/model"),
    ],
)
def test_where_nothing_is_known_the_line_says_why(ref: str, line: str) -> None:
    told = fit(Setup(ref), 4096)
    assert told.fits is None
    assert told.line.startswith(line)
    assert "\n" not in told.line


def test_a_folder_with_a_damaged_config_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(checkpoints.DENSE | {"num_hidden_layers": 10**9}))
    told = fit(Setup(str(tmp_path)), 4096)
    assert told.fits is None
    assert "num_hidden_layers" in told.line


@pytest.mark.parametrize(
    ("tokens", "text"), [(512, "512"), (1024, "1K"), (131072, "128K"), (100_000, "100,000"), (0, "0")]
)
def test_tokens_are_written_for_people(tokens: int, text: str) -> None:
    assert tokens_text(tokens) == text
