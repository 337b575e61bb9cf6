"""The report of a comparison: one structure for the JSON, the picture and the terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.cli import clean
from app.eval.report.files import versions
from quant.report.compare import Subject
from quant.report.divergence import kept_tokens
from quant.report.matrices import MatrixError
from quant.report.sizes import Size, size_of
from quant.report.summary import Agreement, LayerError
from quant.report.texts import Window
from qwen2_mlx.loading import read_config

#: Layers and matrices shown of each candidate.
_WORST = 5


@dataclass(frozen=True)
class CandidateReport:
    """Everything measured of one candidate. `kinds` is by kind of text."""

    name: str
    size: Size
    overall: Agreement
    kinds: dict[str, Agreement]
    layers: list[LayerError]
    matrices: list[MatrixError]

    def worst_layers(self) -> list[LayerError]:
        """Those that add most to the error of the states, most first."""
        return sorted(self.layers, key=lambda layer: -layer.added)[:_WORST]

    def worst_matrices(self) -> list[MatrixError]:
        """Those that changed most, most first."""
        return sorted(self.matrices, key=lambda matrix: -matrix.error)[:_WORST]


class ComparisonReport:
    """`dtype` is the type that computed, None for the checkpoints' own."""

    def __init__(
        self,
        reference: Subject,
        windows: Sequence[Window],
        dtype: str | None,
        candidates: Sequence[CandidateReport],
    ):
        self._reference, self._windows, self._dtype = reference, windows, dtype
        self._candidates = candidates
        config = read_config(reference.folder)
        self._kept, self._size = kept_tokens(config.vocab_size), size_of(reference.folder, config)

    def as_text(self) -> str:
        """Tables: all candidates over all texts, by kind of text, and the worst parts of each."""
        tokens = sum(len(window.tokens) - 1 for window in self._windows)
        perplexity = self._candidates[0].overall.reference_perplexity
        head = (
            f"reference {clean(self._reference.name)}: {_megabytes(self._size)} MB,"
            f" {self._size.bits_per_weight:.2f} bits a weight, perplexity {perplexity:.4f}"
            f" on {tokens:,} tokens"
        )
        parts = [head, "\n".join(self._overall())]
        if len(self._candidates[0].kinds) > 1:
            parts.append("\n".join(self._by_kind()))
        parts += ["\n".join(_worst(candidate)) for candidate in self._candidates]
        if self._kept:
            parts.append(
                f"Divergences are lower bounds: the {self._kept:,} tokens the reference finds most likely"
                " are told apart, all others count as one."
            )
        return "\n\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """The same with everything that was measured."""
        return {
            "reference": {"name": self._reference.name, **_size(self._size)},
            "dtype": self._dtype,
            "kept_tokens": self._kept,
            "versions": versions(),
            "candidates": [
                {
                    "name": candidate.name,
                    **_size(candidate.size),
                    **asdict(candidate.overall),
                    "kinds": {kind: asdict(found) for kind, found in candidate.kinds.items()},
                    "layers": [asdict(layer) for layer in candidate.layers],
                    "matrices": [asdict(matrix) for matrix in candidate.matrices],
                }
                for candidate in self._candidates
            ],
        }

    def points(self) -> list[tuple[str, float, float]]:
        """Name, megabytes and divergence of each candidate, for the picture."""
        return [(Path(c.name).name, c.size.files / 1e6, c.overall.kl) for c in self._candidates]

    def _overall(self) -> Iterator[str]:
        width = self._name_width()
        yield (
            f"{'':{width}}{'MB':>10}{'bits':>7}{'KL':>11}{'+/-':>10}{'KL 99 %':>11}"
            f"{'perplexity':>13}{'top-1':>9}"
        )
        for candidate in self._candidates:
            found = candidate.overall
            yield (
                f"{clean(candidate.name):{width}}{_megabytes(candidate.size):>10}"
                f"{candidate.size.bits_per_weight:>7.2f}{_number(found.kl):>11}{_number(found.kl_error):>10}"
                f"{_number(found.kl_99):>11}{found.perplexity:>13.4f}{found.top_1:>9.2%}"
            )

    def _by_kind(self) -> Iterator[str]:
        kinds = list(self._candidates[0].kinds)
        columns = [max(11, len(kind) + 2) for kind in kinds]
        width = self._name_width()
        for title, show in (
            ("KL", lambda found: _number(found.kl)),
            ("top-1", lambda found: f"{found.top_1:.2%}"),
            ("perplexity", lambda found: f"{found.perplexity:.3f}"),
        ):
            yield f"{title:{width}}" + "".join(
                f"{clean(kind):>{column}}" for kind, column in zip(kinds, columns, strict=True)
            )
            for candidate in self._candidates:
                cells = (
                    f"{show(candidate.kinds[kind]):>{column}}"
                    for kind, column in zip(kinds, columns, strict=True)
                )
                yield f"{clean(candidate.name):{width}}" + "".join(cells)

    def _name_width(self) -> int:
        return max(12, *(len(clean(candidate.name)) + 1 for candidate in self._candidates))


def _worst(candidate: CandidateReport) -> Iterator[str]:
    """Where the error of one candidate comes from."""
    yield f"{clean(candidate.name)}, error of the states as a share of them, and what a layer added:"
    for layer in candidate.worst_layers():
        yield f"  layer {layer.layer:<3} {layer.error:9.4f} {layer.added:+9.4f}"
    if candidate.matrices:
        yield "matrices that changed most, as a share of them:"
    for matrix in candidate.worst_matrices():
        yield f"  {clean(matrix.path)}, {matrix.bits} bits: {matrix.error:.4f}"


def _size(size: Size) -> dict[str, Any]:
    return {"bytes": size.files, "bits_per_weight": size.bits_per_weight}


def _megabytes(size: Size) -> str:
    return f"{size.files / 1e6:,.2f}" if size.files < 1e8 else f"{size.files / 1e6:,.0f}"


def _number(value: float) -> str:
    """Three digits, without an exponent where that stays short."""
    return f"{value:.2e}" if 0 < value < 1e-3 else f"{value:.5f}"
