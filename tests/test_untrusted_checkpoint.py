"""Nothing in a checkpoint is executed, whatever it is called and whoever asks for it.

A complete checkpoint is filled with everything that other programs would run: modules
named by `auto_map` and `model_file`, pickles, a sitecustomize. Each piece leaves a mark
when it runs. The checkpoint is used from a process that stands inside it, and every
file that Python opens and every module that it imports there is recorded.
"""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.checkpoints import edit_json

ROOT = Path(__file__).resolve().parents[1]

#: The only files of the folder that Python itself may open; MLX and safetensors read the weights.
READ = {
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "README.md",  # for a few names and words at its head
    "model.safetensors",
}

#: Runs the code in argv[1] and prints what it opened and imported below the folder argv[2].
WATCHED = """
import json, os, sys
sys.path[0] = os.getcwd()  # as for an installed script: a fixed folder, not wherever the process stands
code, folder = sys.argv[1], os.path.realpath(sys.argv[2])
seen = []

def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        path = os.path.realpath(arguments[0])
        if path.startswith(folder + os.sep):
            writes = isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
            seen.append(["write" if writes else "read", os.path.relpath(path, folder)])
    elif event in ("pickle.find_class", "os.system", "os.exec", "subprocess.Popen"):
        seen.append([event, repr(arguments)])

sys.addaudithook(watch)
exec(code)
files = [module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
seen += [["import", file] for file in files if os.path.realpath(file).startswith(folder + os.sep)]
print("\\n" + json.dumps(seen))
"""

CHAT = """
from app.chat.command import main
assert main(["-m", folder, "-p", "hi", "--max-tokens", "2"]) == 0
"""
CONVERT = """
from app.convert.command import main
assert main(["--hf-path", folder, "--mlx-path", folder + "-converted"]) == 0
"""
FROM_INSIDE = """
os.chdir(folder)
import qwen2_mlx
model, tokenizer = qwen2_mlx.load(".")
list(qwen2_mlx.stream_generate(model, tokenizer, "hi", max_tokens=2))
"""


class Marks:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """A folder in which everything that was executed leaves a mark."""
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


@pytest.fixture
def trapped(checkpoint: Path, marks: Path) -> Path:
    """A working checkpoint full of code."""
    modules = "modeling_x configuration_x tokenization_x model qwen2 conftest sitecustomize setup __init__"
    for module in modules.split():
        mark = str(marks / module)
        (checkpoint / f"{module}.py").write_text(f"import os\nos.makedirs({mark!r}, exist_ok=True)\n")
    for name in ("pytorch_model.bin", "model.pt", "training_args.bin", "consolidated.00.pth", "model.pkl"):
        (checkpoint / name).write_bytes(pickle.dumps(Marks(marks / name)))
    (checkpoint / "startup.pth").write_text(f"import os; os.mkdir({str(marks / 'pth')!r})\n")
    code = {
        "auto_map": {"AutoConfig": "configuration_x.X", "AutoModelForCausalLM": "modeling_x.X"},
        "model_file": "modeling_x.py",
        "custom_pipelines": {"text-generation": {"impl": "modeling_x.X"}},
        "trust_remote_code": True,
        "tokenizer_class": "X",
    }
    edit_json(checkpoint / "config.json", **code)
    tokenizer_code = {"auto_map": {"AutoTokenizer": ["tokenization_x.X", None]}, "tokenizer_class": "X"}
    edit_json(checkpoint / "tokenizer_config.json", **tokenizer_code)
    return checkpoint


@pytest.mark.parametrize("use", [CHAT, CONVERT, FROM_INSIDE], ids=["chat", "convert", "from inside"])
def test_nothing_in_a_checkpoint_is_executed(trapped: Path, marks: Path, use: str) -> None:
    before = {path: path.read_bytes() for path in trapped.iterdir()}
    seen = watch(use, trapped)
    assert not list(marks.iterdir())
    assert {path: path.read_bytes() for path in trapped.iterdir()} == before
    assert not [what for what in seen if what[0] != "read"]
    assert {name for _, name in seen} <= READ


def test_a_conversion_takes_no_code_along(trapped: Path) -> None:
    watch(CONVERT, trapped)
    target = trapped.with_name(f"{trapped.name}-converted")
    assert {path.suffix for path in target.iterdir()} <= {
        ".json",
        ".safetensors",
        ".jinja",
        ".txt",
        ".md",
        "",
    }


@pytest.mark.parametrize(
    ("use", "kind"),
    [
        ("sys.path.insert(0, folder); import modeling_x", "import"),
        ("import pickle; pickle.load(open(folder + '/model.pkl', 'rb'))", "pickle.find_class"),
        ("open(folder + '/new', 'w').close()", "write"),
        ("os.system('true')", "os.system"),
    ],
)
def test_the_watch_would_notice(trapped: Path, use: str, kind: str) -> None:
    assert kind in {what for what, _ in watch(use, trapped)}


def watch(use: str, folder: Path) -> list[list[str]]:
    """What the code `use` opened, wrote, imported and executed below `folder`."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, use, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
