"""One pass of the model in a process of its own, as a person who loads the folder would start it."""

import json
import subprocess
import sys
from pathlib import Path

from convert.folder.checks.finding import Finding

#: Token ids of the pass, spread over the vocabulary.
_TOKENS = 8

#: The parent's import path and nothing else: the person may stand in the model's folder.
_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from convert.folder.checks.forward import child
child(sys.argv[2])
"""


def check_forward(folder: Path) -> list[Finding]:
    """Loads weights and tokenizer and computes logits for fixed tokens; [] when nothing is wrong."""
    paths = json.dumps([path for path in sys.path if path])
    done = subprocess.run(
        [sys.executable, "-I", "-c", _CHILD, paths, str(folder.resolve())],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode < 0:
        return [Finding("the model", f"cannot be loaded: its process was ended by signal {-done.returncode}")]
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
        problem = answer["problem"]
    except (IndexError, ValueError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        problem = f"cannot be loaded: {last}"
    return [Finding("the model", problem)] if problem else []


def child(folder: str) -> None:
    """Runs in the process of its own and prints what is wrong, as JSON."""
    from qwen2_mlx.errors import Qwen2Error

    try:
        problem = _problem(Path(folder))
    except Qwen2Error as error:
        problem = f"cannot be loaded: {error}"
    print(json.dumps({"problem": problem}))


def _problem(folder: Path) -> str | None:
    import mlx.core as mx

    from qwen2_mlx.loading import load_model, read_config
    from qwen2_mlx.tokenizer import Tokenizer

    config = read_config(folder)
    Tokenizer.from_folder(folder, config.eos_token_ids)
    model = load_model(folder, config)
    tokens = [index * config.vocab_size // _TOKENS for index in range(_TOKENS)]
    logits = model(mx.array([tokens]))
    expected = (1, _TOKENS, config.vocab_size)
    if logits.shape != expected:
        return f"computes logits of shape {list(logits.shape)}, {list(expected)} is needed"
    if bad := int((~mx.isfinite(logits)).sum()):
        return f"computes logits of which {bad:,} are NaN or infinite"
    return None
