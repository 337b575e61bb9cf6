"""Memory of caches in 16, 8 and 4 bits beside mlx-lm's, and what Dual Chunk Attention costs in time.

    python -m benchmarks.long_context [--lengths 16384 32768] [--pairs 5] [--json]

Memory: a random model whose cache outweighs the rest reads a prompt, and the peak above the weights is
taken. mlx-lm runs its own Qwen2 class on the same weights with its own `kv_bits`. Time: the same
weights decode and prefill with plain positions and with dual chunks, in turns, at a length of eight
chunks; the ratio is the median over the pairs.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.generate import generate_step
from mlx_lm.models import qwen2 as mlx_lm_qwen2

from qwen2_mlx.cache import KVFormat
from qwen2_mlx.config import DualChunkConfig, ModelConfig
from qwen2_mlx.generate import generate_tokens, prefill
from qwen2_mlx.models import Model, build
from qwen2_mlx.sampling import Sampling

#: Heads of its own for each key-value head: the most cache for the least arithmetic.
_CACHE_HEAVY = {
    "model_type": "qwen2", "vocab_size": 1024, "hidden_size": 256, "intermediate_size": 512,
    "num_hidden_layers": 8, "num_attention_heads": 4, "num_key_value_heads": 4, "rms_norm_eps": 1e-6,
    "rope_theta": 1e6, "tie_word_embeddings": True, "max_position_embeddings": 32768,
}  # fmt: skip
_TIMED = {**_CACHE_HEAVY, "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 2,
          "hidden_size": 512}  # fmt: skip
_CHUNK, _CHUNKS = 1024, 8
_PREFILL_STEP = 512


def weights_and_models(raw: dict[str, Any]) -> tuple[Model, Any]:
    """Our model and mlx-lm's on the same float32 weights."""
    ours = build(ModelConfig.from_dict(raw).with_rope("plain"))
    theirs = mlx_lm_qwen2.Model(mlx_lm_qwen2.ModelArgs.from_dict(raw))
    mx.eval(ours.parameters())
    theirs.load_weights(_named(ours), strict=True)
    mx.eval(theirs.parameters())
    return ours, theirs


def _named(model: Model) -> list[tuple[str, mx.array]]:
    return list(dict(tree_flatten(model.parameters())).items())


def peak_of(run: Callable[[], None]) -> int:
    """Bytes above what was there before, at the worst moment of `run`."""
    mx.clear_cache()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    run()
    return mx.get_peak_memory() - before


def memory(length: int) -> dict[str, int]:
    """Peak of a prompt of `length` tokens and one token of answer, in bytes, by cache."""
    ours, theirs = weights_and_models(_CACHE_HEAVY)
    prompt = [(7 * i) % 1000 for i in range(length)]

    def by_us(kv: KVFormat) -> Callable[[], None]:
        cache = ours.make_cache(kv)
        return lambda: list(
            generate_tokens(ours, prompt, cache, Sampling(), 1, prefill_step=_PREFILL_STEP)
        ).clear()

    def by_them(bits: int | None) -> Callable[[], None]:
        settings: dict[str, Any] = {"max_tokens": 1, "prefill_step_size": _PREFILL_STEP}
        if bits:
            settings |= {"kv_bits": bits, "quantized_kv_start": 0}
        return lambda: list(generate_step(mx.array(prompt), theirs, **settings)).clear()

    runs = {f"ours {kv}": by_us(KVFormat.parse(kv)) for kv in ("16", "8", "8/4")}
    runs |= {f"mlx-lm {bits}": by_them(bits) for bits in (8, 4)}
    return {name: peak_of(run) for name, run in runs.items()}


def times(pairs: int) -> dict[str, float]:
    """Dual chunks over plain positions: ratios of prefill and decode time at eight chunks."""
    plain, _ = weights_and_models(_TIMED)
    chunks = DualChunkConfig(_CHUNK, _CHUNK // 32, _CHUNK, reach=_CHUNK * 32)
    dual = build(replace(plain.args, dual_chunk=chunks))
    dual.load_weights(_named(plain), strict=True)
    tokens = mx.array([(7 * i) % 1000 for i in range(_CHUNKS * chunks.chunk_length - 100)])
    ratios: dict[str, list[float]] = {"prefill": [], "decode": []}
    for turn in range(pairs + 1):
        caches, seconds = {}, {}
        for model in (plain, dual) if turn % 2 else (dual, plain):
            caches[model.args.rope_mode] = cache = model.make_cache()
            began = time.perf_counter()
            prefill(model, tokens, cache)
            seconds[model.args.rope_mode] = time.perf_counter() - began
        if turn:  # the first warms up
            ratios["prefill"].append(seconds["dca"] / seconds["plain"])
            ratios["decode"].append(_decode_ratio(plain, dual, caches))
    return {name: statistics.median(values) for name, values in ratios.items()}


def _decode_ratio(plain: Model, dual: Model, caches: dict[str, list[Any]]) -> float:
    """Median over tokens of dual over plain, token by token in turns."""
    token, ratios = mx.zeros((1, 1), mx.int32), []
    for turn in range(60):
        seconds = {}
        for model in (plain, dual) if turn % 2 else (dual, plain):
            began = time.perf_counter()
            mx.eval(model(token, cache=caches[model.args.rope_mode]))
            seconds[model.args.rope_mode] = time.perf_counter() - began
        ratios.append(seconds["dca"] / seconds["plain"])
    return statistics.median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lengths", nargs="*", type=int, default=(16384, 32768), help="prompt tokens")
    parser.add_argument("--pairs", type=int, default=5, help="paired timings")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    args = parser.parse_args()

    ratio = times(args.pairs)
    print(
        f"dual chunks over plain at {_CHUNKS} chunks: prefill {ratio['prefill']:.2f} x,"
        f" decode {ratio['decode']:.2f} x",
        flush=True,
    )
    found: dict[int, dict[str, int]] = {}
    print(f"{'peak above weights, MB':>24}{'of ours in 16 bits':>20}")
    for length in args.lengths:
        found[length] = memory(length)
        for name, peak in found[length].items():
            share = peak / found[length]["ours 16"]
            print(f"{length:>8} {name:10}{peak / 1e6:6.0f}{share:20.2f}", flush=True)
    if args.json:
        print(json.dumps({"time_ratios": ratio, "peak_bytes": found}))


if __name__ == "__main__":
    main()
