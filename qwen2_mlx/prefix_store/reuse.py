"""Prefill that takes what it can from the disk, and leaves there what it computed.

A reused prefix must not change a single token of an answer, so it must have the bits that
computing it again would give. These depend on where prefill is cut into pieces: the prefix
is computed on its own, from its beginning, in steps of a fixed length. An entry of the
very same tokens is therefore used whole, and one that only begins with the same tokens, such
as an earlier version of a document, up to the last step that both have in full.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlx.core as mx

from qwen2_mlx.cache.remember import announce
from qwen2_mlx.generate import PREFILL_STEP, Progress, prefill
from qwen2_mlx.models import Model
from qwen2_mlx.prefix_store import lookup
from qwen2_mlx.prefix_store.entry import Tensor
from qwen2_mlx.prefix_store.folder import Folder
from qwen2_mlx.prefix_store.identity import computation
from qwen2_mlx.prefix_store.prefix import Prefix
from qwen2_mlx.prefix_store.problems import Problems
from qwen2_mlx.prefix_store.tensors import layout, payload, token_array


def is_reusable(model: Model, prompt_length: int) -> bool:
    """Whether the keys and values of this prompt's beginning also serve other prompts.

    They do not where dual chunks take the temperature of the whole prompt's length (policy
    `prompt`): beyond the trained length each token's keys then depend on it.
    """
    dual_chunk = model.args.dual_chunk
    if dual_chunk is None or dual_chunk.length_factor != "prompt":
        return True
    trained = dual_chunk.original_max_position_embeddings
    return not trained or prompt_length <= trained


class PrefixStore:
    """Stored prefixes for one model.

    What goes wrong with the disk is told to `notify` in one line and costs time, never the
    answer.
    """

    def __init__(
        self,
        model: Model,
        folder: Folder,
        model_name: str = "",
        prefill_step: int = PREFILL_STEP,
        notify: Callable[[str], None] = lambda message: None,
    ):
        """`model_name` is for people to read in lists."""
        self._model, self._model_name, self._step = model, model_name, prefill_step
        self._folder, self._problems = folder, Problems(notify)
        self._computations: dict[str, tuple[dict[str, str], tuple[Tensor, ...]]] = {}
        with self._problems.told():
            folder.sweep()

    def prefill(
        self,
        tokens: Sequence[int],
        cache: list[Any],
        prompt_length: int,
        label: str = "",
        on_prefill: Progress | None = None,
    ) -> int:
        """Fills the empty `cache` with `tokens`, the beginning of a prompt of `prompt_length` tokens.

        Returns how many came from the disk. What was computed is stored under `label`, the
        text's name for people, if it is reusable; an interrupt stores the steps that are done.
        The cache is as `prefill` leaves it, to the bit. At least one token of the prompt must
        be left for the pass that gives the first logits.
        """
        if not 0 < len(tokens) < prompt_length:
            raise ValueError(f"{len(tokens)} tokens are no beginning of a prompt of {prompt_length}")
        announce(cache, prompt_length)
        if self._folder.limit == 0 or not is_reusable(self._model, prompt_length):
            prefill(self._model, mx.array(token_array(tokens)), cache, on_prefill, self._step)
            return 0
        prefix = self._prefix(tokens, cache, label)
        found = self._restore(prefix, cache)
        reused = found.usable if found else 0
        if reused < len(prefix):
            self._compute(prefix, reused, cache, on_prefill)
            self._save(prefix, cache, instead_of=found.path if found and found.is_part else None)
        return reused

    def _prefix(self, tokens: Sequence[int], cache: list[Any], label: str) -> Prefix:
        form = cache[0].format
        if str(form) not in self._computations:
            self._computations[str(form)] = (
                computation(self._model, form, self._step),
                layout(self._model, form),
            )
        facts, one_token = self._computations[str(form)]
        about = {
            "label": label,
            "model": self._model_name,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        return Prefix(token_array(tokens), facts | about, one_token)

    def _restore(self, prefix: Prefix, cache: list[Any]) -> lookup.Found | None:
        """Puts the longest usable beginning of `prefix` that is stored into `cache`; None without one."""
        for found in lookup.find(self._folder, prefix, self._step, self._problems):
            layers = lookup.load(self._folder, found, prefix, self._problems)
            if layers:
                for layer_cache, layer in zip(cache, layers, strict=True):
                    layer_cache.restore(layer)
                return found
        return None

    def _compute(self, prefix: Prefix, done: int, cache: list[Any], on_prefill: Progress | None) -> None:
        """Prefill of all but the first `done` tokens, telling the progress of the whole."""
        start = done

        def note(now: int, _: int) -> None:
            nonlocal done
            done = start + now
            if on_prefill:
                on_prefill(done, len(prefix))

        try:
            prefill(self._model, mx.array(prefix.ids[start:]), cache, note, self._step)
        except KeyboardInterrupt:
            if done > start:
                for layer_cache in cache:
                    layer_cache.trim(layer_cache.offset - done)
                if self._save(prefix.first(done), cache):
                    self._problems.notify(
                        f"{done:,} of {len(prefix):,} tokens are kept; ask again to go on from there"
                    )
            raise

    def _save(self, prefix: Prefix, cache: list[Any], instead_of: Path | None = None) -> bool:
        """Stores what `cache` holds, in place of a part of it; returns whether that succeeded."""
        with self._problems.told():
            self._folder.add(prefix.key, len(prefix), prefix.header, payload(prefix.ids, cache))
            if instead_of:
                self._folder.remove(instead_of)
            return True
        return False
