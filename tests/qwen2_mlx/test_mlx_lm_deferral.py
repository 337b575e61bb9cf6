"""mlx-lm's start-up is put off until somebody needs it, and nobody notices."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from qwen2_mlx import _mlx_lm
from qwen2_mlx.errors import Qwen2Error
from tests.checkpoints import write_checkpoint

ROOT = Path(__file__).resolve().parents[2]
MODELS = "import sys, qwen2_mlx.models, qwen2_mlx.generate, qwen2_mlx.session"


def outcome(*lines: str) -> list[Any]:
    """Runs `lines` in a fresh interpreter; the last of them is an expression that gives a list."""
    code = "\n".join([*lines[:-1], f"import json; print(json.dumps({lines[-1]}))"])
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_our_models_load_neither_transformers_nor_mlx_lms_commands(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    names = ["transformers", "mlx_lm.generate", "mlx_lm.utils", "mlx_lm.models.cache"]
    assert outcome(
        MODELS,
        "from qwen2_mlx import load, stream_generate",
        f"model, tokenizer = load({str(folder)!r})",
        "settings = dict(temperature=1.0, top_p=0.9, repetition_penalty=1.1)",
        "list(stream_generate(model, tokenizer, 'the sea', max_tokens=2, **settings))",
        f"[name in sys.modules for name in {names}]",
    ) == [False, False, False, True]


@pytest.mark.parametrize(
    ("use", "first"),
    [
        ("import mlx_lm", "load"),
        ("import mlx_lm.generate", "generate"),
        ("from mlx_lm.convert import convert", "convert"),
        ("from mlx_lm import generate", "generate"),
        ("from mlx_lm import *", "stream_generate"),
    ],
)
def test_whoever_uses_mlx_lm_afterwards_finds_all_of_it(use: str, first: str) -> None:
    """After `import mlx_lm.generate` the name `mlx_lm.generate` was the module instead of the function."""
    public = [first, "batch_generate", "convert", "generate", "load", "stream_generate"]
    found = outcome(
        MODELS,
        use,
        "import mlx_lm",
        f"[[callable(getattr(mlx_lm, name)) for name in {public}], mlx_lm.__version__, mlx_lm.__all__]",
    )
    assert all(found[0])
    assert found[1] == version("mlx-lm")
    assert set(public) <= set(found[2])


def test_mlx_lm_loads_and_generates_in_the_same_process(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    text = outcome(
        MODELS,
        "import mlx_lm",
        f"model, tokenizer = mlx_lm.load({str(folder)!r})",
        "from mlx_lm import generate",
        "[type(model).__module__, type(generate(model, tokenizer, 'the sea', max_tokens=3)).__name__]",
    )
    assert text == ["mlx_lm.models.qwen2", "str"]


def test_an_unknown_name_is_an_attribute_error() -> None:
    unknown = "[hasattr(mlx_lm, name) for name in ('nonsense', '__nonsense__')]"
    assert outcome(MODELS, "import mlx_lm", unknown) == [False, False]


def test_an_mlx_lm_that_is_already_there_stays_as_it_is() -> None:
    assert outcome(
        "import mlx_lm, sys",
        "before = sys.modules['mlx_lm']",
        MODELS,
        "[sys.modules['mlx_lm'] is before, type(before).__name__]",
    ) == [True, "module"]


def test_without_mlx_lm_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mlx_lm", raising=False)
    monkeypatch.setattr(sys, "meta_path", [])
    with pytest.raises(Qwen2Error, match="mlx-lm is not installed; run: pip install") as failure:
        _mlx_lm.install()
    assert "\n" not in str(failure.value)
    assert "mlx_lm" not in sys.modules
