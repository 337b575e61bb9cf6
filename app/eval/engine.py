"""The model in one mode after another, greedy, at any length.

A chat refuses what lies beyond a mode's context; here it is the point to see what happens
there, so prompts go straight to the generation loop.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlx.core as mx

from app.eval.mode import Mode
from qwen2_mlx.cache import KVFormat
from qwen2_mlx.config import ModelConfig, YarnConfig
from qwen2_mlx.generate import Progress, stream_generate
from qwen2_mlx.loading import load, read_config
from qwen2_mlx.memory.limit import memory_limit
from qwen2_mlx.memory.plan import Plan, choose, compute_of, weight_bytes
from qwen2_mlx.models import Model
from qwen2_mlx.resolve import resolve
from qwen2_mlx.sampling import Sampling
from qwen2_mlx.tokenizer import Tokenizer


class Engine:
    """A checkpoint, loaded when it is first needed and again where a mode needs other positions."""

    def __init__(self, ref: str, memory_limit: int | None = None):
        """`ref` as for `qwen2_mlx.load`, `memory_limit` in bytes (None: what the device recommends).

        Raises `Qwen2Error` when there is no such model.
        """
        self.memory_limit = memory_limit
        self.folder = resolve(ref)
        self.config = read_config(self.folder)
        self.tokenizer = Tokenizer.from_folder(self.folder)
        self._loaded: tuple[Model, Tokenizer] | None = None
        self._positions: tuple[Any, ...] | None = None

    def open(self, mode: Mode) -> tuple[Model, Tokenizer]:
        """The model with the positions of `mode`, and a tokenizer that knows what ends its answers."""
        positions = (mode.rope, mode.length_factor, mode.yarn_factor)
        if self._loaded is None or self._positions != positions:
            self._loaded = None  # before the next one takes its memory
            mx.clear_cache()
            with _with_yarn_factor(self.folder, mode.yarn_factor) as folder:
                self._loaded = load(str(folder), rope=mode.rope, length_factor=mode.length_factor or "prompt")
            self._positions = positions
        return self._loaded

    def plan(self, mode: Mode, tokens: int) -> Plan:
        """How so many tokens are processed in the mode. Raises `MemoryLimitError` if they cannot be."""
        model, _ = self.open(mode)
        kv = KVFormat.parse(mode.kv_bits) if mode.kv_bits else None
        limit = self.memory_limit or memory_limit()
        return choose(model.args, compute_of(model), weight_bytes(model), tokens, limit, [kv])

    def answer(
        self, mode: Mode, prompt: Sequence[int], max_tokens: int, on_prefill: Progress | None = None
    ) -> str:
        """What the model says to the token ids of a prompt, the most likely token each time.

        Raises `MemoryLimitError` where prompt and answer do not fit the memory.
        """
        model, tokenizer = self.open(mode)
        plan = self.plan(mode, len(prompt) + max_tokens)
        events = stream_generate(
            model,
            tokenizer,
            prompt,
            max_tokens=max_tokens,
            sampling=Sampling(),  # no repetition penalty: an answer repeats what the prompt says
            cache=model.make_cache(plan.kv),
            on_prefill=on_prefill,
            prefill_step=plan.prefill_step,
        )
        return "".join(event.text for event in events)


@contextmanager
def _with_yarn_factor(folder: Path, factor: float | None) -> Iterator[Path]:
    """The checkpoint as if its config.json named this factor, which is how people set it."""
    config = read_config(folder)
    if factor is None or (config.rope.yarn and config.rope.yarn.factor == factor):
        yield folder
        return
    with TemporaryDirectory() as name:
        for path in folder.iterdir():
            if path.name != "config.json":
                (Path(name) / path.name).symlink_to(path.resolve())
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (Path(name) / "config.json").write_text(json.dumps(_yarn_settings(settings, config, factor)))
        yield Path(name)


def _yarn_settings(settings: dict[str, Any], config: ModelConfig, factor: float) -> dict[str, Any]:
    known = config.rope.yarn or YarnConfig(factor, config.trained_length)
    yarn = {key: value for key, value in asdict(known).items() if value is not None}
    settings = {key: value for key, value in settings.items() if key != "rope_parameters"}
    return settings | {
        "rope_theta": config.rope.theta,
        "rope_scaling": {"type": "yarn", **yarn, "factor": factor},
    }
