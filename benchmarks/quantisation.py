"""What each way to quantise costs on small models: ours beside mlx-lm's, at every width.

    python -m benchmarks.quantisation [--models tiny tiny-moe FOLDER] [--svg FOLDER] [--markdown] [--json]

A FOLDER is a checkpoint of `python -m training.source_model`. Every variant is the model with its
matrices as they come back from their codes, computed in float32; its divergence from the
unquantised model is taken over all tokens of held-out texts. Calibration and sensitivity see
other texts of the same language. "mlx-lm" rows quantise with `mx.quantize` what `mlx_lm.convert`
quantises, and as its own mixed recipes say, at whose sizes ours are then allocated.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.convert import QUANT_RECIPES, mixed_quant_predicate_builder

from app.eval.fingerprint import checkpoint_fingerprint
from app.eval.report.files import write_text
from app.quant.chart import size_chart
from app.quant.texts import calibration_windows, evaluation_windows
from quant.allocate import allocate
from quant.calibrated.calibrator import Calibrator
from quant.encode import decode, encode
from quant.format import BITS, MICROSCALING, Format
from quant.policy import format_of
from quant.recipe import Recipe
from quant.report.compare import expect, find
from quant.report.reading import Reader
from quant.report.sensitivity import measure, quantisable
from quant.report.shelf import Shelf
from quant.report.summary import agreement
from quant.report.table import Table
from qwen2_mlx.loading import DTYPES, load
from qwen2_mlx.resolve import resolve

_WIDTHS = (3, 4, 5, 6, 8)
_GROUP = 64
_CONTEXT = 384

#: Windows that variants are measured on, and tokens of calibration and of sensitivity.
_WINDOWS, _CALIBRATION, _SENSITIVITY = 16, 6_000, 2_000

Formats = Mapping[str, Format | None]
Tensors = dict[str, mx.array]


@dataclass(frozen=True)
class Row:
    """One variant: `size` in bytes of all tensors, divergence in nats a token."""

    method: str
    bits: str
    size: int
    bits_per_weight: float
    kl: float
    kl_99: float
    top_1: float


class Study:
    """One model with its texts. `ref` is a bundled model, or a folder with texts of its own beside it."""

    def __init__(self, ref: str):
        self.name = Path(ref).name
        self.folder = resolve(ref)
        self.model, tokenizer = load(str(self.folder), fuse=False)
        self.config = self.model.args
        self.dtype = self.config.dtype or "bfloat16"
        held_out, seen = (path if path.is_file() else None for path in self._texts())
        texts = [str(held_out)] if held_out else None
        self.windows = evaluation_windows(self.folder, texts, _CONTEXT)[:_WINDOWS]
        self.calibration = calibration_windows(self.folder, seen, _CONTEXT, _CALIBRATION)
        self.brief = calibration_windows(self.folder, seen, _CONTEXT, _SENSITIVITY)
        self.original: Tensors = {
            name: weight.astype(DTYPES[self.dtype]) for name, weight in _parameters(self.model).items()
        }
        self.matrices = {
            path: tuple(module["weight"].shape) for path, module in quantisable(self.model).items()
        }
        self._reader = Reader(self.model, tokenizer.unknown_ids(self.config.vocab_size))
        self._expected = [expect(self._reader, window) for window in self.windows]

    def _texts(self) -> tuple[Path, Path]:
        return self.folder / "held-out.txt", self.folder / "calibration.txt"

    def policy(self, format: Format) -> Formats:
        """The formats of `qwen2-convert`."""
        recipe = Recipe(format=format)
        return {path: format_of(recipe, self.config, path, shape) for path, shape in self.matrices.items()}

    def everything(self, format: Format) -> Formats:
        """The formats of `mlx_lm.convert`: whatever the group size divides."""
        return {
            path: format if shape[-1] % format.group_size == 0 else None
            for path, shape in self.matrices.items()
        }

    def mixed(self, recipe: str) -> Formats:
        """The formats of one of mlx-lm's mixed recipes, from mlx-lm itself."""
        choose: Callable[..., Any] = mixed_quant_predicate_builder(recipe, self.model, _GROUP)
        modules = quantisable(self.model)
        chosen = {path: choose(path, modules[path]) for path in self.matrices}
        return {path: Format(setting["bits"], _GROUP) for path, setting in chosen.items()}

    def table(self, folder: Path) -> Table:
        """What every width costs in every matrix."""
        return measure(
            self.folder,
            self.brief,
            [Format(bits, _GROUP) for bits in BITS],
            checkpoint_fingerprint(self.folder),
            Shelf(folder),
            lambda costs, skipped: nullcontext(_Silent()),
        )

    def quantise(self, formats: Formats, method: str) -> Tensors:
        """The tensors as they would be written."""
        if method in ("gptq", "awq"):
            return self._calibrated(formats, method)
        tensors = dict(self.original)
        for path, format in formats.items():
            if format:
                tensors |= _encoded(path, tensors.pop(f"{path}.weight"), format, method)
        return tensors

    def _calibrated(self, formats: Formats, method: str) -> Tensors:
        recipe = Recipe(format=Format(4, _GROUP), method=method, layers=formats)
        calibrator = Calibrator(self.config, recipe, [window.tokens for window in self.calibration])
        embedding = self.original["model.embed_tokens.weight"]
        calibrator.start(lambda ids: embedding[mx.array(ids)])
        outside = {path: format for path, format in formats.items() if ".layers." not in path}
        tensors = {
            name: tensor
            for name, tensor in self.quantise(outside, "fit").items()
            if not name.startswith("model.layers.")
        }
        for index in range(self.config.num_hidden_layers):
            start = f"model.layers.{index}."
            layer = {name: tensor for name, tensor in self.original.items() if name.startswith(start)}
            tensors |= calibrator.quantize_layer(index, layer)
        return tensors

    def row(self, method: str, bits: str, formats: Formats, codes: str) -> Row:
        """Quantises with the method `codes` and measures."""
        tensors = self.quantise(formats, codes)
        size = sum(tensor.nbytes for tensor in tensors.values())
        self._load(tensors, formats)
        found = agreement(
            [
                find(self._reader, window, expected)
                for window, expected in zip(self.windows, self._expected, strict=True)
            ]
        )
        parameters = sum(weight.size for weight in self.original.values())
        print(f"{self.name}: {method}, {bits}: {found.kl:.3g}", file=sys.stderr, flush=True)
        return Row(method, bits, size, 8 * size / parameters, found.kl, found.kl_99, found.top_1)

    def _load(self, tensors: Tensors, formats: Formats) -> None:
        """The model computes in float32 with what the tensors stand for."""
        weights = dict(tensors)
        for path, format in formats.items():
            if format:
                kinds = ("weight", "scales", "biases")
                parts = {k: weights.pop(f"{path}.{k}") for k in kinds if f"{path}.{k}" in weights}
                weights[f"{path}.weight"] = decode(parts, format).reshape(self.matrices[path])
        self.model.load_weights([(name, w.astype(mx.float32)) for name, w in weights.items()], strict=True)
        mx.eval(self.model.parameters())


class _Silent:
    """Nobody watches."""

    def start(self, what: str, cost: float) -> None: ...
    def finish(self) -> None: ...


def _encoded(path: str, weight: mx.array, format: Format, method: str) -> Tensors:
    parts = encode(weight.reshape(-1, weight.shape[-1]), format, method)
    return {f"{path}.{kind}": part.reshape(*weight.shape[:-1], -1) for kind, part in parts.items()}


def _parameters(model: Any) -> Tensors:
    return dict(tree_flatten(model.parameters()))


def uniform_rows(study: Study) -> Iterator[Row]:
    """Every method at every width."""
    for bits in _WIDTHS:
        format = Format(bits, _GROUP)
        yield study.row("mlx-lm", str(bits), study.everything(format), "round")
        for method in ("round", "fit", "awq", "gptq"):
            yield study.row(method, str(bits), study.policy(format), method)
    for name, format in MICROSCALING.items():
        yield study.row(name, str(format.bits), study.policy(format), "fit")


def mixed_rows(study: Study, work: Path) -> Iterator[Row]:
    """mlx-lm's mixed recipes, and budgets of the same size."""
    table = study.table(work)
    for recipe in QUANT_RECIPES:
        theirs = study.row("mlx-lm", recipe, study.mixed(recipe), "round")
        yield theirs
        formats = allocate(table, theirs.size)
        for method in ("fit", "gptq"):
            ours = study.row(f"allocated, {method}", recipe, formats, method)
            if ours.size > theirs.size:
                raise SystemExit(
                    f"{recipe}: {ours.size} bytes were allocated where {theirs.size} are allowed"
                )
            yield ours


def markdown(rows: Sequence[Row]) -> str:
    """Two tables: divergence by method and width, with bits a weight, and mixed recipes beside budgets."""
    widths = [str(bits) for bits in _WIDTHS]
    lines = [f"| | {' | '.join(f'{bits} bits' for bits in widths)} |", "|---" * (1 + len(widths)) + "|"]
    uniform = [row for row in rows if row.bits in widths]
    for method in dict.fromkeys(row.method for row in uniform):
        found = {row.bits: row for row in uniform if row.method == method}
        cells = (f"{_cell(found[bits])}" if bits in found else "" for bits in widths)
        lines.append(f"| {method} | {' | '.join(cells)} |")
    lines += ["", "| recipe | mlx-lm | allocated, fit | of mlx-lm | allocated, gptq | of mlx-lm |"]
    lines.append("|---|---|---|---|---|---|")
    for recipe in QUANT_RECIPES:
        theirs, fitted, calibrated = (row for row in rows if row.bits == recipe)
        cells = (
            _cell(theirs), _cell(fitted), f"{fitted.kl / theirs.kl:.2f}",
            _cell(calibrated), f"{calibrated.kl / theirs.kl:.2f}",
        )  # fmt: skip
        lines.append(f"| {recipe} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(row: Row) -> str:
    return f"{row.kl:.2e} ({row.bits_per_weight:.2f})"


def picture(name: str, rows: Sequence[Row]) -> str:
    """Sizes and divergences of all rows: a line for each method at its widths, and for its mixtures."""
    series: dict[str, list[tuple[float, float]]] = {}
    points = []
    for row in rows:
        if row.method in MICROSCALING:
            points.append((row.method, row.size / 1e6, row.kl))
        else:
            mixture = " mixed" if row.bits in QUANT_RECIPES and row.method == "mlx-lm" else ""
            series.setdefault(row.method + mixture, []).append((row.size / 1e6, row.kl))
    return size_chart(
        f"quantisations of {name}", points, [(label, sorted(line)) for label, line in series.items()]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["tiny", "tiny-moe"], metavar="MODEL")
    parser.add_argument("--svg", type=Path, metavar="FOLDER", help="draw MODEL.svg of each model into FOLDER")
    parser.add_argument("--markdown", action="store_true", help="print tables for a page")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    args = parser.parse_args()

    found: dict[str, list[Row]] = {}
    for ref in args.models:
        study = Study(ref)
        with tempfile.TemporaryDirectory() as work:
            rows = [*uniform_rows(study), *mixed_rows(study, Path(work))]
        found[study.name] = rows
        if args.markdown:
            print(f"**{study.name}**\n\n{markdown(rows)}\n", flush=True)
        else:
            for row in rows:
                print(
                    f"{study.name:10}{row.bits:>12} {row.method:18}{row.bits_per_weight:7.2f} bits"
                    f"{row.kl:11.2e}{row.kl_99:11.2e}{row.top_1:8.1%}",
                    flush=True,
                )
        if args.svg:
            args.svg.mkdir(parents=True, exist_ok=True)
            write_text(args.svg / f"{study.name}.svg", picture(study.name, rows))
    if args.json:
        print(json.dumps({name: [asdict(row) for row in rows] for name, rows in found.items()}))


if __name__ == "__main__":
    main()
