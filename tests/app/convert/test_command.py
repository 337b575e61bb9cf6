"""What `qwen2-convert` is asked for is what it writes."""

import json
from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import pytest
from mlx_lm.utils import load_model as load_with_mlx_lm

from app.convert import flags
from app.convert.command import build_parser
from convert import conversion, float_source
from convert.float_source import FloatSource, open_float
from quant.format import Format
from quant.recipe import Recipe
from qwen2_mlx import load
from qwen2_mlx.memory import limit
from tests.app.programs import Run
from tests.checkpoints import DENSE, write_checkpoint

CONVERT = "qwen2-convert"


@pytest.mark.parametrize(
    ("arguments", "recipe"),
    [
        ([], Recipe()),
        (["--dtype", "float16"], Recipe("float16")),
        (["-q"], Recipe(None, Format(4, 64), "fit")),
        (["-q", "--q-bits", "3", "--q-group-size", "128"], Recipe(None, Format(3, 128), "fit")),
        (["-q", "--method", "round"], Recipe(None, Format(4, 64), "round")),
        (["-q", "--method", "gptq", "--q-bits", "2"], Recipe(None, Format(2, 64), "gptq")),
        (["-q", "--method", "mxfp8"], Recipe(None, Format(8, 32, "mxfp8"))),
        (["-q", "--method", "nvfp4"], Recipe(None, Format(4, 16, "nvfp4"))),
    ],
)
def test_flags_mean_a_recipe(arguments: list[str], recipe: Recipe) -> None:
    assert flags.recipe_of(build_parser().parse_args(["--model", "x", *arguments])) == recipe


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--method", "fit"], ["--method", "-q"]),
        (["-q", "--method", "best"], ["--method", "gptq"]),
        (["-q", "--method", "mxfp4", "--q-bits", "8"], ["mxfp4", "by itself"]),
        (["-q", "--calibration", "x.txt"], ["--calibration", "gptq or awq"]),
        (["--import-dtype", "int8"], ["--import-dtype", "bfloat16"]),
    ],
)
def test_flags_that_do_not_go_together_are_a_usage_error(
    arguments: list[str], words: list[str], run: Run
) -> None:
    run(CONVERT, "--hf-path", "x", *arguments).assert_one_line(2, *words)


@pytest.mark.parametrize("method", ["fit", "round", "mxfp4", "mxfp8", "nvfp4", "gptq", "awq"])
def test_every_method_writes_a_folder_that_mlx_lm_reads_too(method: str, checkpoint: Path, run: Run) -> None:
    group = () if method.startswith(("mx", "nv")) else ("--q-group-size", 32)
    text = checkpoint.parent / "text.txt"
    text.write_text("The harbour master counts the boats that come in. " * 3)
    calibration = ("--calibration", text) if method in flags.CALIBRATED_METHODS else ()
    target = checkpoint.parent / "out"
    made = run(
        CONVERT, "--hf-path", checkpoint, "--mlx-path", target, "-q", "--method", method, *group, *calibration
    )
    assert made.code == 0, made.err
    assert "bits a weight" in made.out
    ours, _ = load(str(target), dtype="float32")
    theirs, _ = load_with_mlx_lm(target)
    tokens = mx.array([[5, 60, 128, 7, 200, 31, 90, 4]])
    expected = theirs(tokens)[..., :260]  # the rows that the tokenizer knows
    assert mx.abs(ours(tokens)[..., :260] - expected).max() < 1e-4 * mx.abs(expected).max()
    quantization = json.loads((target / "config.json").read_text())["quantization"]
    assert quantization["mode"] == (method if method.startswith(("mx", "nv")) else "affine")


def test_another_calibration_text_begins_anew(
    checkpoint: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    text = checkpoint.parent / "text.txt"
    flags = ("--hf-path", checkpoint, "--mlx-path", checkpoint.parent / "out", "-q", "--q-group-size", 32,
             "--method", "gptq", "--calibration", text)  # fmt: skip
    text.write_text("The harbour master counts the boats that come in. " * 3)
    with monkeypatch.context() as patch:
        patch.setattr(conversion, "write_json", interrupt)
        assert run(CONVERT, *flags).code == 130
    text.write_text("The boats that come in count the harbour master. " * 3)
    assert "left is discarded" in run(CONVERT, *flags).err


def test_layers_that_no_group_divides_are_told(tmp_path: Path, run: Run) -> None:
    checkpoint = write_checkpoint(tmp_path / "model", {**DENSE, "hidden_size": 48, "head_dim": 8})
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", tmp_path / "a", "-q", "--q-group-size", 32)
    assert outcome.code == 0
    assert "multiple of 32\n" in outcome.err  # there is no smaller group
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", tmp_path / "b", "-q")
    assert "multiple of 64; a smaller --q-group-size may fit" in outcome.err


def test_notes_of_the_source_are_told_without_control_characters(
    checkpoint: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noting(folder: Path) -> FloatSource:
        return replace(open_float(folder), notes=["a \x1b[31mred\x07 note"])

    monkeypatch.setattr(float_source, "open_float", noting)
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", checkpoint.parent / "out")
    assert outcome.err == "qwen2-convert: a [31mred note\n"


def test_a_file_that_is_no_gguf_is_one_line(checkpoint: Path, run: Run) -> None:
    outcome = run(CONVERT, "--hf-path", checkpoint / "model.safetensors")
    outcome.assert_one_line(1, "is a file")


def test_calibration_that_does_not_fit_the_memory_is_refused_with_the_numbers(
    checkpoint: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit, "memory_limit", lambda: 10_000)
    target = checkpoint.parent / "out"
    outcome = run(CONVERT, "--hf-path", checkpoint, "--mlx-path", target, "-q", "--method", "gptq")
    outcome.assert_one_line(1, "--method gptq needs about", "10", "may be used", "--method fit")
    assert not target.exists()
