"""Imports point one way, and the light entrances stay light.

The layers are `app` on `convert` on `quant` on `qwen2_mlx`: each may import those
below it and none above. Heavy libraries are loaded when a prompt needs them, never by
`import qwen2_mlx` or by a command's `--help`.
"""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("qwen2_mlx", "quant", "convert", "app")  # from the bottom up
NOT_INSTALLED = ("training", "benchmarks", "tests")

INTERFACE_LIBRARIES = {"textual", "rich", "jinja2", "huggingface_hub"}
HEAVY_LIBRARIES = {"mlx_lm", "transformers", "torch"}

COMMANDS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

# Runs the code in argv[1] and, as it ends, prints every top-level module that anything tried
# to import. Attempts count too: a library that is missing here may be installed elsewhere.
RECORDER = """
import json, sys

class Recorder:
    seen = set()
    def find_spec(self, name, path=None, target=None):
        self.seen.add(name.partition(".")[0])

sys.meta_path.insert(0, Recorder())
try:
    exec(sys.argv[1])
finally:
    print("\\n" + json.dumps(sorted(Recorder.seen)))
"""


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_what_lies_below_it(layer: str) -> None:
    upward = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sorted((ROOT / layer).rglob("*.py"))
        for line, name in upward_imports(path.read_text(), layer)
    ]
    assert not upward, "\n".join(upward)


@pytest.mark.parametrize(
    "source",
    [
        "import convert",
        "import convert.stream as s",
        "from app.cli import run",
        "def late():\n    from convert import stream",
        "import importlib\nimportlib.import_module('app.cli')",
        "from training import examples",
        "from tests.golden import cases",
    ],
)
def test_an_upward_import_is_noticed(source: str) -> None:
    assert list(upward_imports(source, "quant"))


def test_downward_relative_and_foreign_imports_are_allowed() -> None:
    source = "import json\nimport quant.affine\nfrom qwen2_mlx import load\nfrom . import app\nimport apple"
    assert not list(upward_imports(source, "quant"))


def test_importing_the_engine_loads_no_interface_and_no_other_engine() -> None:
    assert not imported_by("import qwen2_mlx") & (HEAVY_LIBRARIES | INTERFACE_LIBRARIES)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_no_engine(command: str) -> None:
    module, function = COMMANDS[command].split(":")
    code = f"sys.argv = [{command!r}, '--help']\nfrom {module} import {function}\nsys.exit({function}())"
    assert not imported_by(code) & (HEAVY_LIBRARIES | INTERFACE_LIBRARIES | {"mlx"})


def upward_imports(source: str, layer: str) -> Iterator[tuple[int, str]]:
    """(line, module) of every import in `source` that a module of `layer` must not have."""
    forbidden = {*LAYERS[LAYERS.index(layer) + 1 :], *NOT_INSTALLED}
    for node in ast.walk(ast.parse(source)):
        for name in imported_names(node):
            if name.partition(".")[0] in forbidden:
                yield getattr(node, "lineno", 0), name


def imported_names(node: ast.AST) -> list[str]:
    """The absolute module names that one syntax node imports, `import_module("name")` included."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
        case ast.Call(
            func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
            args=[ast.Constant(value=str(module)), *_],
        ):
            return [module]
    return []


def imported_by(code: str) -> set[str]:
    """The top-level modules that `code` tries to import in a fresh interpreter, where it must succeed."""
    done = subprocess.run(
        [sys.executable, "-c", RECORDER, code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))
