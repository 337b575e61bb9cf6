"""Prefill and decode speed and peak memory beside mlx-lm, on the same weights in one run.

    python -m benchmarks.engine [--models tiny tiny-moe small small-moe] [--prompt 256] [--tokens 128]

Each pair runs both engines one after the other, in alternating order, so that a machine
whose speed drifts treats them alike; the ratio is the median over the pairs, and above
1 means that this engine is faster, or needs less memory. Memory is the peak above the
weights. `small` and `small-moe` are random weights in shapes where arithmetic, not
overhead, takes the time.
"""

import argparse
import importlib
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten
from mlx_lm.generate import generate_step
from mlx_lm.models.cache import make_prompt_cache

from qwen2_mlx.config import ModelConfig
from qwen2_mlx.generate import generate_tokens
from qwen2_mlx.jsonfile import read_json_object
from qwen2_mlx.loading import load_model
from qwen2_mlx.models import Model, build
from qwen2_mlx.resolve import BUNDLED, resolve
from qwen2_mlx.sampling import Sampling

_SMALL = {
    "model_type": "qwen2", "vocab_size": 4096, "hidden_size": 256, "intermediate_size": 768,
    "num_hidden_layers": 8, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-6,
    "rope_theta": 1e6, "tie_word_embeddings": True, "max_position_embeddings": 32768,
}  # fmt: skip
_SMALL_MOE = {
    **_SMALL, "model_type": "qwen2_moe", "tie_word_embeddings": False, "num_experts": 16,
    "num_experts_per_tok": 4, "moe_intermediate_size": 128, "shared_expert_intermediate_size": 512,
    "norm_topk_prob": False,
}  # fmt: skip
SHAPES = {"small": _SMALL, "small-moe": _SMALL_MOE}

Tokens = Iterator[Any]


@dataclass(frozen=True)
class Run:
    """One engine's run: tokens per second in prefill and decode, bytes above the weights."""

    prefill: float
    decode: float
    memory: int


@dataclass(frozen=True)
class Result:
    """Medians of both engines, and medians of the paired ratios."""

    model: str
    ours: Run
    mlx_lm: Run
    prefill_ratio: float
    decode_ratio: float
    memory_ratio: float


def models(name: str) -> tuple[Model, nn.Module]:
    """Our model and mlx-lm's on the same float32 weights."""
    if name in SHAPES:
        raw = SHAPES[name]
        ours = build(ModelConfig.from_dict(raw))
    else:
        raw = read_json_object(resolve(name) / "config.json")
        ours = load_model(resolve(name), ModelConfig.from_dict(raw), dtype="float32")
    module = importlib.import_module(f"mlx_lm.models.{raw['model_type']}")
    theirs = module.Model(module.ModelArgs.from_dict(raw))
    mx.eval(ours.parameters())
    theirs.load_weights(tree_flatten(ours.parameters()), strict=True)
    ours.fuse()
    mx.eval(ours.parameters(), theirs.parameters())
    return ours, theirs


def measure(start: Callable[[], Tokens], prompt_length: int) -> Run:
    """Runs a token iterator to its end."""
    mx.clear_cache()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    began = time.perf_counter()
    tokens = start()
    next(tokens)
    first = time.perf_counter()
    count = sum(1 for _ in tokens)
    done = time.perf_counter()
    return Run(prompt_length / (first - began), count / (done - first), mx.get_peak_memory() - before)


def compare(name: str, prompt_length: int, tokens: int, pairs: int) -> Result:
    """Paired runs of both engines on one model."""
    ours, theirs = models(name)
    prompt = [(7 * i) % 600 for i in range(prompt_length)]

    def run_ours() -> Tokens:
        return generate_tokens(ours, prompt, ours.make_cache(), Sampling(), tokens)

    def run_theirs() -> Tokens:
        cache = make_prompt_cache(theirs)
        return generate_step(mx.array(prompt), theirs, max_tokens=tokens, prompt_cache=cache)

    same = [int(token) for token in run_ours()] == [int(token) for token, _ in run_theirs()]  # also warms up
    if not same:
        raise SystemExit(f"{name}: the engines generate different tokens; nothing to compare")
    runs: list[tuple[Run, Run]] = []
    for i in range(pairs):
        order = (run_ours, run_theirs) if i % 2 == 0 else (run_theirs, run_ours)
        measured = {start: measure(start, prompt_length) for start in order}
        runs.append((measured[run_ours], measured[run_theirs]))
    mine, peer = [pair[0] for pair in runs], [pair[1] for pair in runs]
    return Result(
        name,
        _median(mine),
        _median(peer),
        prefill_ratio=statistics.median(a.prefill / b.prefill for a, b in runs),
        decode_ratio=statistics.median(a.decode / b.decode for a, b in runs),
        memory_ratio=statistics.median(b.memory / a.memory for a, b in runs),
    )


def _median(runs: list[Run]) -> Run:
    return Run(
        statistics.median(run.prefill for run in runs),
        statistics.median(run.decode for run in runs),
        int(statistics.median(run.memory for run in runs)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=(*BUNDLED, *SHAPES), default=(*BUNDLED, *SHAPES))
    parser.add_argument("--prompt", type=int, default=256, help="prompt tokens")
    parser.add_argument("--tokens", type=int, default=128, help="generated tokens")
    parser.add_argument("--pairs", type=int, default=9, help="paired runs")
    args = parser.parse_args()

    print(f"{'':10}{'prefill tok/s':>26}{'decode tok/s':>26}{'peak above weights, MB':>28}")
    print(f"{'':10}" + f"{'ours':>9}{'mlx-lm':>9}{'ratio':>8}" * 2 + f"{'ours':>11}{'mlx-lm':>9}{'ratio':>8}")
    results = []
    for name in args.models:
        result = compare(name, args.prompt, args.tokens, args.pairs)
        results.append(result)
        ours, peer = result.ours, result.mlx_lm
        print(
            f"{name:10}{ours.prefill:9.0f}{peer.prefill:9.0f}{result.prefill_ratio:8.2f}"
            f"{ours.decode:9.0f}{peer.decode:9.0f}{result.decode_ratio:8.2f}"
            f"{ours.memory / 1e6:11.2f}{peer.memory / 1e6:9.2f}{result.memory_ratio:8.2f}",
            flush=True,
        )
    print(json.dumps([asdict(result) for result in results]))


if __name__ == "__main__":
    main()
