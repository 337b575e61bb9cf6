"""Which modules suffer from few bits: each is quantised alone and the divergence measured.

Modules are taken in the order in which the data meets them, and the states that enter the current
layer are kept for all texts, so that a change in layer n costs the layers from n on and nothing
before. The divergence of several modules is about the sum of their own (it tends to be less), which
is what allows `quant.allocate` to choose formats from this table alone.

The whole model is in memory in floating point while this runs.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten

from quant.encode import decode, encode
from quant.format import Format
from quant.policy import format_of
from quant.recipe import Recipe
from quant.report.compare import Watcher
from quant.report.divergence import Predictions, divergence, joined, kept_tokens, predictions
from quant.report.reading import Reader
from quant.report.shelf import Shelf
from quant.report.table import Module, Table
from quant.report.texts import Window
from qwen2_mlx import __version__
from qwen2_mlx.errors import CheckpointError, Qwen2Error
from qwen2_mlx.loading import DTYPES, load, read_config
from qwen2_mlx.models import Model

#: Raised when what the shelf holds changes its meaning.
_FORMAT = 1


@dataclass(frozen=True)
class Trial:
    """One module in one format. `first` is the layer (from 0) before which nothing changes."""

    path: str
    format: Format
    first: int

    @property
    def name(self) -> str:
        """Of its result on a shelf."""
        return f"{self.path}-{self.format.mode}-{self.format.bits}-{self.format.group_size}"


class Sensitivity:
    """Measures `model`, which is in floating point and not fused, on `windows`.

    `spare` are the ids of the vocabulary that are no token, `dtype` is the type that scales and
    biases will have, and `fingerprint` tells the checkpoint from others. `shelf` must hold results
    of nothing else than this checkpoint, these windows and this type.
    """

    def __init__(
        self,
        model: Model,
        spare: Sequence[int],
        windows: Sequence[Window],
        formats: Sequence[Format],
        dtype: str,
        fingerprint: str,
        shelf: Shelf,
    ):
        self._model, self._reader = model, Reader(model, spare)
        self._windows, self._shelf = windows, shelf
        self._dtype, self._fingerprint = dtype, fingerprint
        self._modules = quantisable(model)
        self.trials = [
            Trial(path, format, _first_layer(path, model))
            for path, module in self._modules.items()
            for format in formats
            if _fits(model, path, module, format)
        ]

    def unfinished(self) -> list[Trial]:
        """What is still to be measured, in its order."""
        return [trial for trial in self.trials if not self._shelf.has(trial.name)]

    def cost(self, trial: Trial) -> float:
        """Its work, in tokens through one layer; the head counts as one."""
        return self._tokens() * (len(self._model.layers) - trial.first + 1)

    def run(self, watcher: Watcher) -> None:
        """Measures what is unfinished; each result is on disk before the next begins."""
        if not (work := self.unfinished()):
            return
        entering = [self._reader.embed(window.tokens) for window in self._windows]
        expected = [self._expected(*pair) for pair in zip(self._windows, entering, strict=True)]
        reached = 0
        for trial in work:
            entering = [self._advance(states, reached, trial.first) for states in entering]
            reached = trial.first
            watcher.start(f"{trial.path}, {trial.format.bits} bits", self.cost(trial))
            self._shelf.save(trial.name, {"kl": self.divergences(trial, entering, expected)})
            watcher.finish()
            mx.clear_cache()

    def divergences(
        self, trial: Trial, entering: Sequence[mx.array], expected: Sequence[Predictions]
    ) -> np.ndarray:
        """Of every token, float64 (tokens,). `entering` are the states before layer `trial.first`."""
        found = []
        with quantised(self._modules[trial.path], trial.format, self._dtype):
            for window, states, known in zip(self._windows, entering, expected, strict=True):
                if trial.first == 0:  # an embedding changes the states themselves
                    states = self._reader.embed(window.tokens)
                states = self._advance(states, trial.first, len(self._model.layers))
                targets = mx.array(window.tokens[1:])
                for rows, logits in self._reader.logits(states):
                    found.append(divergence(known.at(rows), logits, targets[rows]).kl)
        return np.concatenate(found)

    def table(self) -> Table:
        """Everything measured; there must be nothing unfinished."""
        kl: dict[str, dict[Format, float]] = {}
        for trial in self.trials:
            kl.setdefault(trial.path, {})[trial.format] = self._mean(trial)
        modules = {
            path: Module(tuple(self._modules[path]["weight"].shape), found) for path, found in kl.items()
        }
        named: dict[str, mx.array] = dict(tree_flatten(self._model.parameters()))
        held = sum(self._modules[path]["weight"].size for path in kl)
        others = sum(parameter.size for parameter in named.values()) - held
        return Table(self._fingerprint, self._tokens(), self._dtype, others, modules)

    def _mean(self, trial: Trial) -> float:
        arrays = self._shelf.load(trial.name)
        if arrays is None:
            raise Qwen2Error(
                f"a result stored in {self._shelf.folder} is gone or damaged; run the command again"
            )
        return float(arrays["kl"].mean())

    def _tokens(self) -> int:
        """Predictions in all windows."""
        return sum(len(window.tokens) - 1 for window in self._windows)

    def _advance(self, states: mx.array, start: int, stop: int) -> mx.array:
        for after in self._reader.through(states, start, stop):
            states = after
        return states

    def _expected(self, window: Window, embedded: mx.array) -> Predictions:
        states, targets = self._advance(embedded, 0, len(self._model.layers)), mx.array(window.tokens[1:])
        kept = kept_tokens(self._model.args.vocab_size)
        expected = joined(
            [predictions(logits, targets[rows], kept) for rows, logits in self._reader.logits(states)]
        )
        if not np.isfinite(expected.losses).all():
            raise CheckpointError("the model does not compute finite numbers; download or copy it again")
        return expected


def measure(
    folder: Path,
    windows: Sequence[Window],
    formats: Sequence[Format],
    fingerprint: str,
    shelf: Shelf,
    watch: Callable[[list[float], int], AbstractContextManager[Watcher]],
    dtype: str | None = None,
) -> Table:
    """The table of the floating-point checkpoint in `folder`; see `Sensitivity`.

    What an earlier call left on `shelf` is not measured again. `watch` gets the costs of what is left and
    the number of results that are there already. `dtype` is the type that scales and biases will have,
    by default the checkpoint's own. Raises a `Qwen2Error` for a checkpoint that is quantised.
    """
    config = read_config(folder)
    if config.quantization:
        raise CheckpointError(f"{folder} is quantised already; measure its floating-point original")
    model, tokenizer = load(str(folder), fuse=False)
    dtype = dtype or config.dtype or "bfloat16"
    facts = json.dumps([_FORMAT, __version__, fingerprint, dtype, *(window.id for window in windows)])
    work = Sensitivity(
        model,
        tokenizer.unknown_ids(config.vocab_size),
        windows,
        formats,
        dtype,
        fingerprint,
        shelf.within(f"sensitivity-{hashlib.sha256(facts.encode()).hexdigest()[:24]}"),
    )
    if not work.trials:
        raise Qwen2Error("no matrix has a width that the group size divides; choose a smaller one")
    left = work.unfinished()
    with watch([work.cost(trial) for trial in left], len(work.trials) - len(left)) as watcher:
        work.run(watcher)
    return work.table()


def quantisable(model: Model) -> dict[str, nn.Module]:
    """The modules with a matrix that quantisation could touch, in the order in which data meets them."""
    found = {path: module for path, module in model.named_modules() if hasattr(module, "to_quantized")}
    return dict(sorted(found.items(), key=lambda item: (_first_layer(item[0], model), item[0])))


@contextmanager
def quantised(module: nn.Module, format: Format, dtype: str) -> Iterator[None]:
    """The module computes with its matrix as `format` would give it back, until the block ends."""
    original: mx.array = module["weight"]
    rows = original.astype(DTYPES[dtype]).reshape(-1, original.shape[-1])
    module["weight"] = decode(encode(rows, format), format).reshape(original.shape).astype(original.dtype)
    try:
        yield
    finally:
        module["weight"] = original


def _fits(model: Model, path: str, module: nn.Module, format: Format) -> bool:
    """Whether policy and width allow the module in this format."""
    recipe = Recipe(format=format, layers={path: format})
    return format_of(recipe, model.args, path, tuple(module["weight"].shape)) is not None


def _first_layer(path: str, model: Model) -> int:
    """The layer before which a change of this module is not felt."""
    parts = path.split(".")
    if "layers" in parts:
        return int(parts[parts.index("layers") + 1])
    return 0 if path.endswith("embed_tokens") else len(model.layers)
