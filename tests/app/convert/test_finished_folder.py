"""What a conversion leaves beside the weights, and what can be done with the folder then."""

import json
from pathlib import Path

import mlx.core as mx
import pytest

from qwen2_mlx import load
from tests.app.programs import Run

CONVERT = "qwen2-convert"
TOKENS = mx.array([[5, 60, 128, 7, 200, 31, 90, 4]])


@pytest.fixture
def quantized(checkpoint: Path, run: Run) -> Path:
    target = checkpoint.parent / "quantized"
    made = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", target, "-q", "--q-group-size", 32,
               "--base-model", "Qwen/Qwen2-0.5B")  # fmt: skip
    assert made.code == 0, made.err
    return target


def test_the_card_names_the_base_model_and_the_command(quantized: Path) -> None:
    card = (quantized / "README.md").read_text()
    assert 'base_model: "Qwen/Qwen2-0.5B"' in card
    assert "qwen2-convert --hf-path model --mlx-path quantized -q" in card
    assert str(quantized.parent) not in card
    assert "README.md" in json.loads((quantized / "manifest.json").read_text())["files"]


def test_a_folder_is_verified_by_name(quantized: Path, checkpoint: Path, run: Run) -> None:
    good = run(CONVERT, "verify", quantized, "--source", checkpoint)
    assert (good.code, "nothing is wrong" in good.out) == (0, True)
    weights = quantized / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x55")
    bad = run(CONVERT, "verify", quantized)
    assert bad.code == 1
    assert "wrong: model.safetensors" in bad.out


def test_a_dequantised_folder_computes_what_the_quantised_one_does(quantized: Path, run: Run) -> None:
    back = quantized.with_name("back")
    assert run(CONVERT, "--model", quantized, "--mlx-path", back, "--dequantize").code == 0
    assert "quantization" not in json.loads((back / "config.json").read_text())
    ours, _ = load(str(quantized))
    floats, _ = load(str(back))
    expected = ours(TOKENS)[..., :260]  # the rows that the tokenizer knows
    assert mx.abs(floats(TOKENS)[..., :260] - expected).max() < 1e-4 * mx.abs(expected).max()


def test_a_shared_expert_may_have_bits_of_its_own(moe_checkpoint: Path, run: Run) -> None:
    target = moe_checkpoint.parent / "out"
    flags = ("-q", "--q-group-size", 32, "--shared-expert-bits", 8)
    assert run(CONVERT, "--hf-path", moe_checkpoint, "--mlx-path", target, *flags).code == 0
    config = json.loads((target / "config.json").read_text())["quantization"]
    assert config["model.layers.0.mlp.shared_expert.gate_proj"]["bits"] == 8


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--base-model", "no name"], ["--base-model", "owner/name"]),
        (["--upload-repo", "no/good/name"], ["--upload-repo", "owner/name"]),
    ],
)
def test_a_name_that_the_hub_cannot_have_is_refused_before_the_work(
    checkpoint: Path, flags: list[str], words: list[str], run: Run
) -> None:
    target = checkpoint.parent / "out"
    run(CONVERT, "--hf-path", checkpoint, "--mlx-path", target, *flags).assert_one_line(1, *words)
    assert not target.exists()


def test_an_upload_that_fails_keeps_the_folder_and_says_so(
    checkpoint: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    target = checkpoint.parent / "out"
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", target, "--upload-repo", "me/mine")
    assert outcome.code == 1
    assert "complete" in outcome.err.splitlines()[-1]
    assert (target / "manifest.json").is_file()


def test_only_a_quantised_folder_can_be_dequantised(checkpoint: Path, run: Run) -> None:
    run(CONVERT, "--model", checkpoint, "--dequantize").assert_one_line(1, "not quantised")


def write_report(path: Path, kl: float) -> Path:
    numbers = {"kl": kl, "perplexity": 2.8, "top_1": 0.97}
    path.write_text(json.dumps({"candidates": [{"name": "x", **numbers, "kinds": {"english": numbers}}]}))
    return path


def test_measured_numbers_join_the_card_and_the_folder_stays_whole(quantized: Path, run: Run) -> None:
    card = quantized / "README.md"
    before = card.read_text()
    for kl in (0.5, 0.25):
        report = write_report(quantized.with_name("report.json"), kl)
        assert run(CONVERT, "card", quantized, "--report", report).code == 0
    text = card.read_text()
    assert "| all | 0.25 | 2.8 | 97.0 % |" in text
    assert "0.5 |" not in text
    measured = text[text.index("## Measured") : text.index("## Use")]
    assert text.replace(measured, "") == before
    assert run(CONVERT, "verify", quantized).code == 0
    assert not list(quantized.glob(".*"))


def test_a_card_that_somebody_edited_is_left_alone(quantized: Path, run: Run) -> None:
    card = quantized / "README.md"
    card.write_text(card.read_text() + "My own words.\n")
    before = card.read_bytes()
    report = write_report(quantized.with_name("report.json"), 0.5)
    run(CONVERT, "card", quantized, "--report", report).assert_one_line(1, "was changed", "by hand")
    assert card.read_bytes() == before


def test_a_folder_without_a_card_is_refused(checkpoint: Path, run: Run) -> None:
    report = write_report(checkpoint.with_name("report.json"), 0.5)
    run(CONVERT, "card", checkpoint, "--report", report).assert_one_line(1, "has no card")


def test_a_report_that_is_not_there_is_named(quantized: Path, run: Run) -> None:
    run(CONVERT, "card", quantized, "--report", "none.json").assert_one_line(1, "no file none.json", "--json")
