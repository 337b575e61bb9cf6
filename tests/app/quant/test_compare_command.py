"""`qwen2-quant compare` as people run it."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from app.quant import texts
from quant.format import Format
from tests.app.programs import ROOT, Run
from tests.quant.report import samples

QUANT = "qwen2-quant"


def test_a_comparison_shows_every_candidate(
    run: Run, tmp_path: Path, original: Path, four_bits: Path, text: Path
) -> None:
    eight_bits = samples.quantised(original, tmp_path / "eight-bits", Format(8, 32))
    picture = tmp_path / "picture.svg"
    done = run(QUANT, "compare", original, four_bits, eight_bits, "--text", text, "--svg", picture)
    assert done.code == 0, done.err
    assert f"reference {original}" in done.out
    for folder in (four_bits, eight_bits):
        assert sum(line.startswith(f"{folder} ") for line in done.out.splitlines()) >= 1
    assert "model.layers" in done.out
    shown = "".join(ElementTree.parse(picture).getroot().itertext())
    assert "four-bits" in shown
    assert "eight-bits" in shown


def test_the_json_holds_everything_by_kind(
    run: Run, tmp_path: Path, original: Path, four_bits: Path, text: Path
) -> None:
    (tmp_path / "numbers.txt").write_text("1, 2, 3, 5, 8, 13, 21, 34. " * 8, encoding="utf-8")
    files = ("--text", text, "--text", tmp_path / "numbers.txt")
    done = run(QUANT, "compare", original, four_bits, original, *files, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    four, same = report["candidates"]
    assert list(four["kinds"]) == ["harbour.txt", "numbers.txt"]
    assert four["kl"] > four["kl_error"] > 0
    assert same["kl"] == 0
    assert same["top_1"] == 1
    assert four["bits_per_weight"] < report["reference"]["bits_per_weight"] == 32
    assert four["bytes"] == (four_bits / "model.safetensors").stat().st_size
    assert len(four["layers"]) == 3
    assert len(four["matrices"]) == 21


def test_the_same_command_reads_nothing_again(run: Run, original: Path, four_bits: Path, text: Path) -> None:
    command = (QUANT, "compare", original, four_bits, "--text", text)
    first, second = run(*command), run(*command)
    assert first.out == second.out
    assert "done |" in first.err
    assert "done |" not in second.err


def test_changed_weights_are_read_anew(run: Run, original: Path, four_bits: Path, text: Path) -> None:
    command = (QUANT, "compare", original, four_bits, "--text", text, "--json")
    before = json.loads(run(*command).out)["candidates"][0]
    samples.quantised(original, four_bits, Format(2, 32))
    after = json.loads(run(*command).out)["candidates"][0]
    assert after["kl"] > 2 * before["kl"]


def test_the_bundled_models_read_their_own_language(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "chronicles", partial(texts.chronicles, count=2))
    done = run(QUANT, "compare", "tiny", "tiny", "--work", tmp_path / "work", "--context", "200", "--json")
    assert done.code == 0, done.err
    (same,) = json.loads(done.out)["candidates"]
    assert list(same["kinds"]) == ["chronicle"]
    assert same["reference_perplexity"] < 5
    assert any((tmp_path / "work").rglob("*.npz"))


def test_names_that_would_drive_a_terminal_are_cleaned(
    run: Run, tmp_path: Path, original: Path, text: Path
) -> None:
    evil = samples.original(tmp_path / "\x1b[31mred")
    done = run(QUANT, "compare", original, evil, "--text", text)
    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    assert "\x1b" not in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["TASK"]),
        (["compare"], ["REFERENCE"]),
        (["compare", "tiny"], ["CANDIDATE"]),
        (["compare", "tiny", "tiny", "--context", "1"], ["--context", "at least 2"]),
        (["compare", "tiny", "tiny", "--dtype", "int8"], ["--dtype"]),
        (["sensitivity", "tiny"], ["-o"]),
        (["sensitivity", "tiny", "-o", "x", "--bits", "7"], ["--bits"]),
    ],
)
def test_a_wrong_command_line_is_one_line(run: Run, arguments: list[str], words: list[str]) -> None:
    run(QUANT, *arguments).assert_one_line(2, *words, "--help")


def test_models_that_do_not_belong_together_are_one_line(run: Run, original: Path, text: Path) -> None:
    run(QUANT, "compare", "tiny", original, "--text", text).assert_one_line(1, "vocab_size", "quantisation")
    run(QUANT, "compare", original, "./nothing").assert_one_line(1, "./nothing")
    run(QUANT, "compare", original, original, "--text", "nothing.txt").assert_one_line(1, "nothing.txt")


def test_a_candidate_with_fewer_layers_is_one_line(run: Run, tmp_path: Path, original: Path) -> None:
    other = samples.original(tmp_path / "other", {**samples.CONFIG, "num_hidden_layers": 2})
    run(QUANT, "compare", original, other).assert_one_line(1, "num_hidden_layers")


@pytest.mark.slow
def test_ctrl_c_leaves_what_was_measured_and_the_same_command_goes_on(
    tmp_path: Path, original: Path, four_bits: Path
) -> None:
    text = tmp_path / "long.txt"
    text.write_text("A line of text that is read in many windows.\n" * 2000, encoding="utf-8")
    work = tmp_path / "work"
    command = ["compare", original, four_bits, "--text", text, "--context", "64", "--work", work]
    code = "import sys\nfrom app.quant.command import main\nsys.exit(main())"
    started = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, command)],
        cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len([*work.rglob("*.npz")]) < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "the same command goes on from there" in err
    assert len([*work.rglob("*.npz")]) >= 5


def test_a_checkpoint_without_its_tokenizer_is_one_line(run: Run, original: Path, text: Path) -> None:
    (original / "tokenizer.json").unlink()
    run(QUANT, "compare", original, original, "--text", text).assert_one_line(1, "tokenizer.json")
