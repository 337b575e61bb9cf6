"""Candidates beside their reference: one model in memory at a time, window by window, resumable.

The reference goes first and its predictions stay on disk (see `divergence` for what is
kept of them), where a later comparison finds them by what they depend on: the checkpoint's bytes,
the engine, the device and the window's token ids.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Protocol

import mlx.core as mx
import numpy as np

from quant.report.divergence import Predictions, divergence, joined, kept_tokens, predictions
from quant.report.reading import Reader, traced
from quant.report.shelf import Arrays, Shelf
from quant.report.texts import Window
from qwen2_mlx import __version__
from qwen2_mlx.errors import CheckpointError, Qwen2Error
from qwen2_mlx.loading import load, read_config
from qwen2_mlx.tokenizer import Tokenizer

#: Raised when what the shelf holds changes its meaning.
_FORMAT = 1


@dataclass(frozen=True)
class Subject:
    """A checkpoint to compare: how it is called, where it lies, and what tells its bytes from others."""

    name: str
    folder: Path
    fingerprint: str


@dataclass(frozen=True)
class Reading:
    """One model reads one window: to keep what the reference expects, or to compare a candidate with it."""

    subject: Subject
    window: Window
    compares: bool


class Watcher(Protocol):
    """Hears what is done; costs are the caller's own, in tokens here."""

    def start(self, what: str, cost: float) -> None: ...
    def finish(self) -> None: ...


class Comparison:
    """`dtype` is the type that computes, as for `qwen2_mlx.load`.

    Raises `Qwen2Error` where a candidate cannot be compared with the reference, before any model is
    loaded.
    """

    def __init__(
        self,
        reference: Subject,
        candidates: Sequence[Subject],
        windows: Sequence[Window],
        shelf: Shelf,
        dtype: str | None = None,
    ):
        self.reference, self.candidates, self.windows = reference, candidates, windows
        self._dtype = dtype
        self._vocabulary = read_config(reference.folder).vocab_size
        for candidate in candidates:
            _check_alike(reference, candidate, windows)
        self._expected = shelf.within(_key(dtype, reference.fingerprint))
        self._found = {
            candidate: shelf.within(_key(dtype, reference.fingerprint, candidate.fingerprint))
            for candidate in candidates
        }

    def unfinished(self) -> list[Reading]:
        """What is still to be read, in its order."""
        wanted = [
            Reading(candidate, window, compares=True)
            for candidate in self.candidates
            for window in self.windows
            if not self._found[candidate].has(window.id)
        ]
        needed = {reading.window.id for reading in wanted}
        first = [
            Reading(self.reference, window, compares=False)
            for window in self.windows
            if window.id in needed and not self._expected.has(window.id)
        ]
        return first + wanted

    def run(self, watcher: Watcher) -> None:
        """Reads what is unfinished; every window is on disk before the next begins."""
        for (subject, _), readings in groupby(self.unfinished(), lambda work: (work.subject, work.compares)):
            self._read(subject, list(readings), watcher)
            mx.clear_cache()

    def _read(self, subject: Subject, readings: Sequence[Reading], watcher: Watcher) -> None:
        """The model leaves with this function: the next one needs its memory."""
        model, tokenizer = load(str(subject.folder), dtype=self._dtype)
        reader = Reader(model, tokenizer.unknown_ids(model.args.vocab_size))
        for reading in readings:
            window = reading.window
            watcher.start(f"{subject.name}, {window.kind}", len(window.tokens))
            if reading.compares:
                self._found[subject].save(window.id, self._compare(subject, reader, window))
            else:
                self._expected.save(window.id, self._expect(subject, reader, window))
            watcher.finish()
            mx.clear_cache()

    def _expect(self, subject: Subject, reader: Reader, window: Window) -> Arrays:
        expected = expect(reader, window)
        if not np.isfinite(expected["losses"]).all():
            raise CheckpointError(
                f"{subject.name} does not compute finite numbers; download or copy it again"
            )
        return expected

    def _compare(self, subject: Subject, reader: Reader, window: Window) -> Arrays:
        found = find(reader, window, _sound(self._expected, window))
        if not np.isfinite(found["kl"]).all():
            raise CheckpointError(
                f"{subject.name} does not compute finite numbers; run qwen2-convert verify {subject.folder}"
            )
        return found

    def results(self, candidate: Subject) -> list[tuple[Window, dict[str, np.ndarray]]]:
        """What was measured of a candidate, by window (see `find`), `expected` losses among it."""
        shelf = self._found[candidate]
        return [(window, _sound(shelf, window)) for window in self.windows]


def expect(reader: Reader, window: Window) -> dict[str, np.ndarray]:
    """The reference's predictions, by the names in `Predictions`, and `states` after each layer.

    `states` is float32 (layers, positions, hidden) at a few positions.
    """
    targets, trace = mx.array(window.tokens[1:]), []
    states = embedded = reader.embed(window.tokens)
    for states in reader.through(embedded, 0, len(reader.model.layers)):
        trace.append(traced(states))
    kept = kept_tokens(reader.model.args.vocab_size)
    whole = joined([predictions(logits, targets[rows], kept) for rows, logits in reader.logits(states)])
    named = {name: value for name, value in vars(whole).items() if value is not None}
    return {**named, "states": np.stack(trace)}


def find(reader: Reader, window: Window, expected: Arrays) -> dict[str, np.ndarray]:
    """`kl`, `losses` and `agrees` as in `Divergence`, `expected` losses of the reference, and `layers`.

    `layers` is float64 (layers,): the mean over positions of the squared error of the states after
    each layer, as a share of the squared states.
    """
    targets, layers = mx.array(window.tokens[1:]), []
    states = embedded = reader.embed(window.tokens)
    for index, states in enumerate(reader.through(embedded, 0, len(reader.model.layers))):
        original = expected["states"][index].astype(np.float64)
        changed = np.square(traced(states) - original).sum(axis=-1)
        layers.append(np.mean(changed / np.maximum(np.square(original).sum(axis=-1), 1e-30)))
    known = Predictions(
        expected.get("tokens"),
        expected["logprobs"],
        expected.get("tail"),
        expected["losses"],
        expected["best"],
    )
    parts = [divergence(known.at(rows), logits, targets[rows]) for rows, logits in reader.logits(states)]
    found = {name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])}
    return {**found, "expected": expected["losses"], "layers": np.array(layers)}


def _sound(shelf: Shelf, window: Window) -> dict[str, np.ndarray]:
    """What the shelf holds of a window, which was there a moment ago."""
    arrays = shelf.load(window.id)
    if arrays is None:
        raise Qwen2Error(f"a result stored in {shelf.folder} is gone or damaged; run the command again")
    return arrays


def _check_alike(reference: Subject, candidate: Subject, windows: Sequence[Window]) -> None:
    """The same token ids must mean the same to both, and both must have as many layers."""
    ours, theirs = read_config(reference.folder), read_config(candidate.folder)
    for what in ("vocab_size", "num_hidden_layers", "hidden_size"):
        if getattr(ours, what) != getattr(theirs, what):
            raise Qwen2Error(
                f"{candidate.name} has {what} {getattr(theirs, what)} and {reference.name} has"
                f" {getattr(ours, what)}; compare a model with a quantisation of itself"
            )
    first, second = Tokenizer.from_folder(reference.folder), Tokenizer.from_folder(candidate.folder)
    for window in windows:
        text = first.decode(window.tokens)
        if first.encode(text) != second.encode(text):
            raise Qwen2Error(
                f"{candidate.name} and {reference.name} have different tokenizers;"
                " compare a model with a quantisation of itself"
            )


def _key(dtype: str | None, *fingerprints: str) -> str:
    facts = [_FORMAT, __version__, version("mlx"), mx.default_device().type.name, dtype, *fingerprints]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]
