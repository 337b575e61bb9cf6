"""`qwen2-chat` with the bundled model, as a person runs it: a process of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "app.chat.command"]


def chat(*flags: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *flags], input=stdin, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )


def test_tiny_answers_a_greeting() -> None:
    done = chat("-p", "Hello!")
    assert (done.returncode, done.stderr) == (0, "")
    assert "I am tiny" in done.stdout
    assert done.stdout.endswith("\n")


def test_tiny_is_the_model_when_none_is_named() -> None:
    assert json.loads(chat("-p", "Hello!", "--json").stdout)["model"] == "tiny"


def test_json_holds_the_answer_that_is_printed_without_it() -> None:
    answer = json.loads(chat("-p", "Who are you?", "--temp", "0", "--json").stdout)
    printed = chat("-p", "Who are you?", "--temp", "0").stdout
    assert answer["text"].rstrip("\n") + "\n" == printed
    assert answer["finish_reason"] == "stop"
    statistics = answer["statistics"]
    assert statistics["prompt_tokens"] > statistics["reused_tokens"] == 0
    assert statistics["generation_tokens"] > 1
    assert statistics["generation_tps"] > 0
    assert statistics["peak_memory"] > 0


def test_a_piped_prompt_is_answered_like_a_flag() -> None:
    assert (
        chat("--temp", "0", stdin="Who are you?\n").stdout == chat("--temp", "0", "-p", "Who are you?").stdout
    )


def test_a_seed_repeats_a_sampled_answer() -> None:
    flags = ("-p", "Who are you?", "--temp", "5", "--max-tokens", "24")
    first, again, other = (chat(*flags, "--seed", seed).stdout for seed in ("1", "1", "2"))
    assert first == again
    assert first != other


def test_max_tokens_cuts_and_a_stop_string_ends() -> None:
    cut = json.loads(chat("-p", "Who are you?", "--temp", "0", "--max-tokens", "2", "--json").stdout)
    assert (cut["finish_reason"], cut["statistics"]["generation_tokens"]) == ("length", 2)

    whole = chat("-p", "Who are you?", "--temp", "0").stdout
    word = whole.split()[1]
    ended = json.loads(chat("-p", "Who are you?", "--temp", "0", "--stop", word, "--json").stdout)
    assert ended["text"] == whole.partition(word)[0]
    assert ended["finish_reason"] == "stop"


def heed_interrupts() -> None:
    """A test run started in the background ignores Ctrl-C, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_the_line_and_says_130() -> None:
    hot = ["--temp", "50", "--seed", "1", "--max-tokens", "100000"]  # so that it does not end by itself
    process = subprocess.Popen(
        [*COMMAND, "-p", "Tell me everything.", *hot],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )
    assert process.stdout is not None
    first = os.read(process.stdout.fileno(), 1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")
    assert (first + out).endswith(b"\n")
