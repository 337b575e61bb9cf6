"""`qwen2-bench kernels`: launches, bytes and predicted times of our kernels and of what they replace."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from app import cli
from app.bench.sizes import OFFICIAL

if TYPE_CHECKING:
    from app.bench.kernels.decode import Token
    from app.bench.kernels.work import Work

#: Contexts of the table, in tokens.
CONTEXTS = (4096, 32768, 131072)


def add_flags(parser: cli.Parser) -> None:
    """The flags of the accounting."""
    add = parser.add_argument
    add("-m", "--model", type=cli.text, default="7b", metavar="REF",
        help=f"one of {', '.join(OFFICIAL)}, a folder, or a bundled name (default: 7b)")  # fmt: skip
    add("--context", type=cli.positive_int, action="append", metavar="N",
        help="tokens in the cache, may be repeated (default: 4096, 32768, 131072)")  # fmt: skip
    add("--kv-bits", choices=("16", "8", "8/4"), default="16", help="of our cache (default: 16)")
    add("--q-bits", type=int, choices=(4, 8), default=4, help="bits of the weights (default: 4)")
    add("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Prints what one decoded token takes, and where there is Metal what its attention took."""
    from app.bench.kernels.measure import measured

    tokens = [_token(args, context) for context in args.context or CONTEXTS]
    results = [_as_json(token) | {"measured": measured(token)} for token in tokens]
    if args.json:
        print(
            json.dumps({"model": args.model, "kv_bits": args.kv_bits, "predicted": True, "contexts": results})
        )
        return 0
    for token, result in zip(tokens, results, strict=True):
        _print(args, token, result)
    return 0


def _token(args: argparse.Namespace, context: int) -> "Token":
    from app.bench.kernels.decode import Token
    from qwen2_mlx.attention.positions import pieces
    from qwen2_mlx.cache.format import KVFormat
    from qwen2_mlx.config import ModelConfig
    from qwen2_mlx.loading import read_config
    from qwen2_mlx.resolve import resolve

    raw = OFFICIAL.get(args.model.lower())
    config = (ModelConfig.from_dict(raw) if raw else read_config(resolve(args.model))).with_rope("auto")
    kv = KVFormat.parse(args.kv_bits)
    spans = len(next(pieces(context - 1, 1, config.dual_chunk)).spans)
    return Token(config, context, args.q_bits, kv if kv.is_quantized else None, spans)


def _as_json(token: "Token") -> dict[str, Any]:
    from app.bench.kernels.decode import head, our_layer, stock_layer
    from app.bench.kernels.prefill import prefill_attention
    from app.bench.kernels.work import MACS, seconds, total

    layers, around = token.config.num_hidden_layers, head(token)
    result: dict[str, Any] = {
        "context": token.keys,
        "prefill_attention": [vars(row) for row in prefill_attention(token)],
    }
    for name, layer in (("stock", stock_layer(token)), ("ours", our_layer(token))):
        whole = total([total(layer).times(layers), *around])
        result[name] = {
            "layer": [vars(row) for row in layer],
            "launches": whole.launches,
            "bytes": whole.bytes,
            "flops": whole.flops,
            "attention_bytes": layers * sum(row.bytes for row in layer if row.name == "attention"),
            "tokens_per_second": {mac.name: 1 / seconds(whole, mac) for mac in MACS},
        }
    return result


def _print(args: argparse.Namespace, token: "Token", result: dict[str, Any]) -> None:
    from app.bench.kernels.decode import our_layer, stock_layer
    from app.bench.kernels.prefill import PIECE, prefill_attention
    from app.bench.kernels.work import MACS, total

    what = f"{cli.clean(args.model)}, {token.keys:,} tokens, weights {token.bits} bits"
    print(f"{what}; one token decoded, calculated")
    stock, ours = result["stock"], result["ours"]
    layers = (("mlx-lm, KV 16 bits", stock_layer(token)), (f"ours, KV {args.kv_bits} bits", our_layer(token)))
    for name, layer in layers:
        print(f"\n{_table(name, [*layer, total(layer)])}")
    print(f"\n{_table(f'prefill attention of {PIECE:,} tokens, one layer', prefill_attention(token))}")
    print("\nwhole model      mlx-lm        ours   ratio")
    for label, key, unit in (
        ("launches", "launches", 1),
        ("MB", "bytes", 1e6),
        ("attention MB", "attention_bytes", 1e6),
    ):
        ratio = ours[key] / stock[key]
        print(f"{label:<12}{stock[key] / unit:>11,.0f} {ours[key] / unit:>11,.0f} {ratio:>7.2f}")
    print("\npredicted tokens/s, memory alone and launches in a row")
    for mac in MACS:
        before, after = (side["tokens_per_second"][mac.name] for side in (stock, ours))
        print(f"{mac.name:<12}{before:>11,.1f} {after:>11,.1f} {after / before:>7.2f}")
    if result["measured"]:
        print(f"\nattention of one layer, measured here: {result['measured']}")
    print()


def _table(title: str, rows: "list[Work]") -> str:
    lines: list[tuple[str, ...]] = [(title, "launches", "MB", "MFLOP")]
    for row in rows:
        lines.append((row.name, f"{row.launches}", f"{row.bytes / 1e6:,.2f}", f"{row.flops / 1e6:,.1f}"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
