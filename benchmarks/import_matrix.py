"""Which checkpoints of the family mlx-lm loads, and which `qwen2-convert` imports, layout by layout.

    python -m benchmarks.import_matrix [--layouts gptq-int4 awq ...] [--markdown]

Each layout is built from a small random model, so nothing is downloaded. What it means is a
model in floating point, its weights dequantised in float64; transformers computes that one's
logits, or this engine where transformers is not installed. mlx-lm loads the folder in a
process of its own. Ours is converted as a user would do it, and loaded. All compute in
float32. An error is the largest difference of a logit, relative to the largest logit.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from safetensors.numpy import save_file

from convert.codes_hash import codes_hash, written_hash
from convert.conversion import convert
from convert.plan import make_plan
from convert.safetensors_file import stored_tensors
from convert.source import open_source
from quant.recipe import Recipe
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.loading import load_model, read_config
from tests import checkpoints
from tests.convert import quantised_checkpoints as packed
from tests.convert.gguf.builder import model_codes, write_gguf
from tests.golden.weights import make_weights

_LONGEST = 100
TOKENS = [[5, 60, 128, 7, 200, 31, 90, 4]]

#: Types of GGUF files; MIXED is what files called Q4_K_M hold.
GGUF_TYPES = (
    "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0",
    "Q4_K", "Q5_K", "Q2_K", "Q3_K", "Q6_K", "MIXED",
)  # fmt: skip

#: Run in a process of its own: a folder, and where the logits go.
_MLX_LM = """
import sys
from pathlib import Path
import mlx.core as mx
from mlx_lm.utils import load_model
model, _ = load_model(Path(sys.argv[1]))
model.set_dtype(mx.float32)
mx.save(sys.argv[2], model(mx.array({tokens})))
"""


@dataclass(frozen=True)
class Built:
    """A checkpoint, the float32 folder of the same model, and hashes of its codes by parameter."""

    source: Path
    floats: Path
    hashes: dict[str, str]
    quantised: bool = True


@dataclass(frozen=True)
class Row:
    """One layout's results. Errors are relative, None where there are no logits.

    `codes` says how many matrices hold the integer codes that went in; `wide_error` is that of an
    import in float32, for sources that are quantised.
    """

    layout: str
    mlx_lm: str
    mlx_lm_error: float | None
    ours: str
    error: float | None
    wide_error: float | None
    codes: str
    notes: list[str]


def layouts() -> dict[str, Callable[[Path], Built]]:
    """Every layout by its name in the table, with what writes it into an empty folder."""
    found: dict[str, Callable[[Path], Built]] = {
        "float-sharded": lambda folder: _float(folder, {**packed.DENSE, "tie_word_embeddings": False}, 2),
        "float-tied": lambda folder: _float(folder, packed.DENSE),
        "float-tied-with-head": lambda folder: _float(folder, packed.DENSE, copy_head=True),
        "float-moe": lambda folder: _float(folder, packed.MOE),
    }
    for name, (config, packing) in packed.PACKINGS.items():
        found[name] = lambda folder, config=config, packing=packing: _packed(folder, config, packing)
    found["gptq-int4-padded"] = lambda folder: _packed(
        folder, packed.DENSE, packed.INT4, change=packed.pad_between
    )
    for kind in GGUF_TYPES:
        found[f"gguf-{kind}"] = lambda folder, kind=kind: _gguf(folder, packed.DENSE, kind)
    found["gguf-moe-MIXED"] = lambda folder: _gguf(folder, packed.MOE, "MIXED")
    return found


def compare(layout: str, build: Callable[[Path], Built]) -> Row:
    """Builds one layout in a temporary folder and tries both programs on it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = build(folder)
        expected = reference_logits(built.floats)
        theirs = mlx_lm_logits(built.source, folder / "theirs.npy")
        try:
            ours, notes, codes = _import(built, folder / "ours")
            error = _error(_logits(folder / "ours"), expected)
        except Qwen2Error as problem:
            return Row(layout, *_described(theirs, expected), f"fails: {problem}", None, None, "", [])
        wide_error = None
        if built.quantised:
            _import(built, folder / "wide", "float32")
            wide_error = _error(_logits(folder / "wide"), expected)
        return Row(layout, *_described(theirs, expected), ours, error, wide_error, codes, notes)


def mlx_lm_logits(source: Path, out: Path) -> np.ndarray | str:
    """What mlx-lm computes for a folder, or the last line of what it says instead."""
    folder = source if source.is_dir() else source.parent
    done = subprocess.run(
        [sys.executable, "-c", _MLX_LM.format(tokens=TOKENS), str(folder), str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return np.load(out)
    said = [line for line in done.stderr.replace(str(folder), "FOLDER").splitlines() if line.strip()]
    reason = next((line for line in reversed(said) if _is_error(line)), f"exit code {done.returncode}")
    reason = reason.strip().removesuffix(":")
    return reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 3]}..."


def _is_error(line: str) -> bool:
    """Whether a line of a traceback names an exception."""
    name = line.partition(":")[0]
    return not line.startswith(" ") and name.rpartition(".")[2].endswith(("Error", "Exception", "Exit"))


def reference_logits(floats: Path) -> np.ndarray:
    """The logits of a float32 folder, by transformers where it is installed."""
    try:
        import torch  # pyright: ignore[reportMissingImports]
        from transformers import AutoModelForCausalLM
        from transformers.utils.logging import disable_progress_bar
    except ImportError:
        return _logits(floats)
    disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(floats, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(torch.tensor(TOKENS)).logits.numpy()


def _logits(folder: Path) -> np.ndarray:
    model = load_model(folder, read_config(folder), dtype="float32")
    model.fuse()
    return np.array(model(mx.array(TOKENS)))


def _import(built: Built, target: Path, import_dtype: str | None = None) -> tuple[str, list[str], str]:
    """Converts; returns the outcome, the notes, and how many matrices kept their codes."""
    source = open_source(built.source, import_dtype)
    plan = make_plan(source, Recipe())
    convert(source, plan, target)
    written = stored_tensors(target)
    kept = []
    for name, hash in built.hashes.items():
        format = plan.formats[name.removesuffix(".weight")]
        kept.append(format is not None and written_hash(written[name], format.bits) == hash)
    outcome = "loads, some matrices quantised anew" if getattr(source, "wishes", None) else "loads"
    return outcome, list(source.notes), f"{sum(kept)} of {len(kept)}" if kept else ""


def _error(got: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def _described(theirs: np.ndarray | str, expected: np.ndarray) -> tuple[str, float | None]:
    if isinstance(theirs, str):
        return f"fails: {theirs}", None
    return "loads", _error(theirs, expected)


def _float(folder: Path, config: dict[str, Any], shards: int = 1, copy_head: bool = False) -> Built:
    source = checkpoints.write_checkpoint(folder / "source", {**config, "torch_dtype": "float32"})
    floats = checkpoints.write_checkpoint(folder / "floats", {**config, "torch_dtype": "float32"})
    if copy_head:
        checkpoints.edit_tensors(
            source,
            lambda tensors: tensors.update({"lm_head.weight": tensors["model.embed_tokens.weight"].copy()}),
        )
    if shards > 1:
        checkpoints.split_into_shards(source)
    return Built(source, floats, {}, quantised=False)


def _packed(folder: Path, config: dict[str, Any], packing: packed.Packing, **options: Any) -> Built:
    made = packed.write_packed(folder / "source", config, packing, **options)
    return Built(made.folder, made.write_dequantised(folder / "floats"), _hashes(made))


def _hashes(made: packed.Checkpoint) -> dict[str, str]:
    """Hashes of the codes that went in, by the model's names for its matrices."""
    names = dict.fromkeys(
        f"{_stacked(path)}.weight"
        for path in made.matrices
        if not (made.packing.act_order and ".experts." in path)
    )
    return {name: codes_hash([made.matrix_of(name).codes]) for name in names}


def _stacked(path: str) -> str:
    """The model's path of the matrix that a layer of a checkpoint belongs to."""
    prefix, found, rest = path.partition(".experts.")
    return f"{prefix}.switch_mlp.{rest.partition('.')[2]}" if found else path


def _gguf(folder: Path, config: dict[str, Any], kind: str) -> Built:
    (folder / "source").mkdir()
    file = folder / "source" / f"model-{kind}.gguf"
    weights = make_weights(config, 0)
    reference = write_gguf(file, config, weights, kind)
    hashes = {name: codes_hash([codes]) for name, codes in model_codes(config, weights, kind).items()}
    floats = checkpoints.write_checkpoint(folder / "floats", {**config, "torch_dtype": "float32"})
    save_file(reference, floats / "model.safetensors", {"format": "pt"})
    return Built(file, floats, hashes, quantised=kind not in ("F32", "F16", "BF16"))


def _plain(row: Row) -> str:
    theirs = row.mlx_lm if row.mlx_lm_error is None else f"{row.mlx_lm}, off by {_number(row.mlx_lm_error)}"
    numbers = f"{_number(row.error):>9}{_number(row.wide_error):>9}{row.codes:>9}"
    return f"{row.layout:26}{numbers}  {row.ours}; mlx-lm {theirs}"


def _markdown(row: Row) -> str:
    theirs = row.mlx_lm.replace("|", "\\|")
    if row.mlx_lm_error is not None:
        theirs += f", {_number(row.mlx_lm_error)}"
    cells = (row.layout, theirs, row.ours, _number(row.error), _number(row.wide_error), row.codes)
    return f"| {' | '.join(cells)} |"


def _number(error: float | None) -> str:
    return "" if error is None else f"{error:.0e}"


def main() -> None:
    """Prints the table and, as its last line, the rows as JSON."""
    every = layouts()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--layouts", nargs="+", choices=tuple(every), default=tuple(every))
    parser.add_argument("--markdown", action="store_true", help="print the table for the documentation")
    args = parser.parse_args()
    if args.markdown:
        print("| layout | mlx-lm, error | qwen2-convert | error | error, float32 import | same codes |")
        print("|---|---|---|---|---|---|")
    else:
        print(f"{'':26}{'error':>9}{'float32':>9}{'codes':>9}")
    rows = []
    for name in args.layouts:
        rows.append(compare(name, every[name]))
        print((_markdown if args.markdown else _plain)(rows[-1]), flush=True)
    if not args.markdown:
        print(json.dumps([vars(row) for row in rows]))


if __name__ == "__main__":
    main()
