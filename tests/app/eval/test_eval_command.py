"""`qwen2-eval` as people run it: a small grid on the bundled model, stopped, resumed, changed."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from app.eval.engine import Engine
from tests.app.programs import ROOT, Outcome, Run

GRID = [
    "needle",
    "--rope",
    "plain",
    "--rope",
    "yarn",
    "--lengths",
    "1T,3T",
    "--depths",
    "60",
    "--needles",
    "1",
]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "results"


def test_plain_positions_collapse_beyond_the_trained_length_and_yarn_does_not(
    run: Run, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run("qwen2-eval", *GRID, "--out", out, "--json")
    assert done.code == 0, done.err
    assert f"files in {out}" in done.err
    report = json.loads(done.out)
    assert [mode["name"] for mode in report["modes"]] == ["plain", "yarn/4"]
    assert len(report["cells"]) == 4
    means = {(mean["mode"], mean["length"]): mean["score"] for mean in report["means"]}
    assert means["plain", 384] == means["yarn/4", 384] == means["yarn/4", 1152] == 100
    assert means["plain", 1152] == 0

    assert report == json.loads((out / "results.json").read_text())
    with (out / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert all(0.97 * int(row["length"]) < int(row["prompt_tokens"]) <= int(row["length"]) for row in rows)
    ElementTree.parse(out / "needle.svg")

    def fail(*_: object) -> None:
        raise AssertionError("nothing is left to ask")

    monkeypatch.setattr(Engine, "open", fail)
    again = run("qwen2-eval", *GRID, "--out", out)
    assert "yarn/4: YaRN with factor 4 at every length; mean 100.0" in again.out
    assert "\x1b" not in again.out


def test_without_a_folder_results_lie_with_the_users_data(run: Run, home: Path) -> None:
    small = ["passkey", "--lengths", "256", "--depths", "50", "--repeats", "1"]
    done = run("qwen2-eval", *small)
    assert done.code == 0, done.err
    (folder,) = home.rglob("passkey-tiny-*")
    assert f"files in {folder}" in done.err
    assert run("qwen2-eval", *small, "--seed", 1).code == 0
    assert len(list(home.rglob("passkey-tiny-*"))) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [(["--seed", "1"], ["seed"]), (["-m", "tiny-moe"], ["model"]), (["--haystack", "zh"], ["zh"])],
)
def test_a_folder_of_other_settings_is_one_line(
    run: Run, out: Path, changes: list[str], words: list[str]
) -> None:
    grid = ["needle", "--lengths", "256", "--depths", "0", "--needles", "1", "--out", str(out)]
    assert run("qwen2-eval", *grid).code == 0
    run("qwen2-eval", *grid, *changes).assert_one_line(1, "other settings", "--fresh", *words)


def start(*arguments: object) -> subprocess.Popen[str]:
    """The program in a process of its own, out of reach of a Ctrl-C meant for the tests."""
    code = "import sys\nfrom app.eval.command import main\nsys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def stop_after(lines: int, out: Path, how: int, *arguments: object) -> tuple[Outcome, int]:
    """Starts a run and sends it a signal when so many results are on disk; returns how many were then."""
    process = start(*arguments, "--out", out)
    results, deadline = out / "results.jsonl", time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if results.exists() and results.read_bytes().count(b"\n") >= lines:
            break
        time.sleep(0.02)
    os.kill(process.pid, how)
    stdout, stderr = process.communicate(timeout=60)
    return Outcome(process.returncode, stdout, stderr), results.read_bytes().count(b"\n")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_says_how_to_go_on_and_does(run: Run, out: Path, how: int) -> None:
    grid = ["passkey", "--lengths", "384", "--depths", "0,20,40,60,80,100", "--repeats", "20"]
    stopped, kept = stop_after(3, out, how, *grid)
    assert not stopped.out
    assert 3 <= kept < 120
    if how == signal.SIGINT:
        assert stopped.code == 130
        told = re.search(r"stopped with (\d+) of 120 done; the same command goes on from there", stopped.err)
        assert told, stopped.err
        assert 0 <= kept - int(told[1]) <= 1  # the signal may come between the file and the count
        assert "Traceback" not in stopped.err
    before = (out / "results.jsonl").read_bytes()
    few = ["passkey", "--lengths", "384", "--depths", "0", "--repeats", str(kept + 2), "--out", str(out)]
    resumed = run("qwen2-eval", *few, "--json")
    assert resumed.code == 0, resumed.err
    assert f"going on after {kept}" in resumed.err
    after = (out / "results.jsonl").read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == kept + 2


def test_perplexity_reports_every_position_in_every_mode(run: Run, out: Path) -> None:
    done = run(
        "qwen2-eval", "perplexity", "--rope", "plain", "--rope", "yarn", "--length", "3T", "--buckets", 6,
        "--texts", 1, "--out", out, "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    report = json.loads(done.out)
    buckets = {(b["mode"], b["start"]): b["perplexity"] for b in report["buckets"]}
    assert len(buckets) == 12
    assert buckets["plain", 960] > 1.5 * buckets["plain", 192]
    assert buckets["yarn/4", 960] < 1.5 * buckets["yarn/4", 192]
    ElementTree.parse(out / "perplexity.svg")
    again = run("qwen2-eval", "perplexity", "--rope", "plain", "--length", "3T", "--buckets", 6,
                "--texts", 1, "--out", out)  # fmt: skip
    assert "0 of" not in again.err
    assert "960-1,152" in again.out


def test_perplexity_of_a_file_belongs_to_its_content(run: Run, tmp_path: Path, out: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("The old mill stood behind the church. " * 40)
    command = ["perplexity", "--text", str(text), "--length", "200", "--texts", "1", "--out", str(out)]
    assert run("qwen2-eval", *command).code == 0
    text.write_text("The old church stood behind the mill. " * 40)
    run("qwen2-eval", *command).assert_one_line(1, "other settings", "text")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["needle", "--lengths", "ten"], 2, ["--lengths", "4T"]),
        (["needle", "--depths", "120"], 2, ["--depths"]),
        (["needle", "--rope", "round"], 2, ["--rope", "dca"]),
        (["needle", "--kv-bits", "3"], 2, ["--kv-bits", "8/4"]),
        (["needle", "--yarn-factor", "0.5", "--rope", "yarn"], 1, ["factor"]),
        (["needle", "--lengths", "20"], 1, ["20 tokens", "longer"]),
        (["ruler", "--only", "vt,poetry"], 2, ["poetry", "cwe"]),
        (["perplexity", "--length", "8"], 1, ["8 tokens", "16 buckets"]),
        (["perplexity", "--text", "missing.txt"], 1, ["there is no file missing.txt"]),
        (["lveval", "missing.jsonl"], 1, ["there is no file missing.jsonl"]),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    run: Run, out: Path, arguments: list[str], code: int, words: list[str]
) -> None:
    done = run("qwen2-eval", *arguments, "--out", out)
    assert done.code == code, done
    assert not done.out
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err.splitlines()[-1]
