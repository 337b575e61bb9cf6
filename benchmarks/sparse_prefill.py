"""What sparse prefill keeps and what it saves: `python -m benchmarks.sparse_prefill`.

On the bundled model: needles found, the share of tiles attended to, and the share of dense attention's weight
that stands in those tiles (recall), for several values of `keep` and beside dense attention. For the official
sizes: the operations of attention, calculated; with which share of tiles they would fall to what.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from unittest.mock import patch

import mlx.core as mx
import numpy as np

import qwen2_mlx
from app.ask.prompts import whole_document
from app.bench.sizes import OFFICIAL
from app.eval.tasks.needle import Needle
from qwen2_mlx.attention import attend
from qwen2_mlx.attention.sparse import ASKED, BLOCK, TILE, Choice, Sparse, choose
from qwen2_mlx.attention.stores import Store
from qwen2_mlx.attention.tiles import QuerySpan, mask_future, rows_of
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.models import Model
from qwen2_mlx.tokenizer import Tokenizer

DEPTHS = (10.0, 35.0, 60.0, 85.0)

#: The bundled model's texts are short: pieces from this long on are attended to sparsely here.
LEAST_QUERIES, LEAST_KEYS = 128, 512


@dataclass
class Watched:
    """Choices as they were made, and the weight that dense attention gives to their tiles."""

    shares: list[float] = field(default_factory=list)
    recalls: list[float] = field(default_factory=list)

    def choose(self, spans: Sequence[QuerySpan], store: Store, scale: float, keep: float) -> Choice:
        choice = choose(spans, store, scale, keep)
        self.shares.append(choice.share)
        self.recalls.append(_recall(spans, store, scale, choice))
        return choice


def _recall(spans: Sequence[QuerySpan], store: Store, scale: float, choice: Choice) -> float:
    _, heads, time, _ = spans[0].queries.shape
    parts = [store.scores(rows_of(span.queries * scale, store), span.start, span.stop) for span in spans]
    parts[-1] = mask_future(parts[-1], time)
    weights = np.array(mx.softmax(mx.concatenate(parts, axis=-1), axis=-1, precise=True))
    weights = weights.reshape(heads, time, -1)
    kept = [
        tiles.repeat(BLOCK, axis=1)[:, :time].repeat(TILE, axis=2)[:, :, : span.stop - span.start]
        for tiles, span in zip(choice.tiles, spans, strict=True)
    ]
    return float((weights * np.concatenate(kept, axis=2)).sum() / weights.sum())


def needles(model: Model, tokenizer: Tokenizer, length: int, count: int) -> int:
    """How many of `count` hidden facts the model finds in texts of `length` tokens."""
    task = Needle([length], DEPTHS, -(-count // len(DEPTHS)), seed=1)
    found = 0
    for cell in list(task.cells())[:count]:
        sample = task.sample(cell, tokenizer)
        messages = [{"role": "user", "content": whole_document(sample.document, sample.question)}]
        events = qwen2_mlx.stream_generate(model, tokenizer, messages, max_tokens=40, temperature=0.0)
        text = "".join(event.text for event in events)
        found += sample.expected[0] in text
    return found


def measure(lengths: Sequence[int], keeps: Sequence[float], count: int, show: Callable[[str], None]) -> None:
    """The bundled model, row by row."""
    model, tokenizer = qwen2_mlx.load("tiny")
    show(
        "| tokens | keep | needles found | tiles attended | weight in them |\n| --- | --- | --- | --- | --- |"
    )
    for length in lengths:
        model.model.sparse = None
        show(f"| {length:,} | dense | {needles(model, tokenizer, length, count)} of {count} | 1.00 | 1.00 |")
        for keep in keeps:
            model.model.sparse = Sparse(keep, LEAST_QUERIES, LEAST_KEYS)
            watched = Watched()
            with patch.object(attend, "choose", watched.choose):
                found = needles(model, tokenizer, length, count)
            share, recall = np.mean(watched.shares), np.mean(watched.recalls)
            show(f"| {length:,} | {keep} | {found} of {count} | {share:.2f} | {recall:.3f} |")


def costs(contexts: Sequence[int], shares: Sequence[float], show: Callable[[str], None]) -> None:
    """Operations of a whole prompt's attention for the official sizes: calculated, not measured."""
    show(
        "\n| model | tokens | linear layers | dense attention | "
        + " | ".join(f"{s:.0%}" for s in shares)
        + " |"
    )
    show("| --- | --- | --- | --- |" + " --- |" * len(shares))
    for name, raw in OFFICIAL.items():
        config = ModelConfig.from_dict(raw)
        for context in contexts:
            dense = attention_flops(config, context)
            cells = [f"{(dense * share + choosing_flops(config, context)) / 1e15:,.1f}" for share in shares]
            linear = 2 * active_parameters(config) * context
            show(
                f"| {name} | {context:,} | {linear / 1e15:,.1f} | {dense / 1e15:,.1f} | {' | '.join(cells)} |"
            )
    show("\nIn 10^15 operations. The columns: attention over such a share of the tiles, and choosing them.")


def attention_flops(config: ModelConfig, context: int) -> float:
    """Scores and mixtures under the causal mask."""
    pairs = context * (context + 1) / 2
    return 4 * pairs * config.num_attention_heads * config.head_dim * config.num_hidden_layers


def choosing_flops(config: ModelConfig, context: int, step: int = 2048) -> float:
    """The scores of the queries that are asked, once for every piece of `step` tokens."""
    pieces = np.arange(step, context + 1, step)
    return float(
        2 * ASKED * pieces.sum() * config.num_attention_heads * config.head_dim * config.num_hidden_layers
    )


def active_parameters(config: ModelConfig) -> int:
    """Weights that a token meets, but for embeddings."""
    hidden, heads = config.hidden_size, config.num_attention_heads + 2 * config.num_key_value_heads
    attention = hidden * heads * config.head_dim + config.num_attention_heads * config.head_dim * hidden
    if config.moe is None:
        return config.num_hidden_layers * (attention + 3 * hidden * config.intermediate_size)
    moe = config.moe
    wide = moe.num_experts_per_tok * moe.moe_intermediate_size + moe.shared_expert_intermediate_size
    return config.num_hidden_layers * (attention + 3 * hidden * wide)


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1536, 3072, 6144])
    parser.add_argument("--keep", type=float, nargs="+", default=[0.99, 0.95, 0.9, 0.7])
    parser.add_argument("--needles", type=int, default=20)
    args = parser.parse_args()
    measure(args.lengths, args.keep, args.needles, lambda line: print(line, flush=True))
    costs((131072, 1048576), (0.3, 0.1, 0.05), print)


if __name__ == "__main__":
    main()
