"""`qwen2-bench plan`: memory for any size and context, without loading or downloading weights."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from app import cli, long_context
from app.bench.sizes import OFFICIAL

if TYPE_CHECKING:
    from qwen2_mlx.cache.format import KVFormat
    from qwen2_mlx.config import ModelConfig
    from qwen2_mlx.memory.plan import Plan
    from qwen2_mlx.memory.workspace import Compute
    from qwen2_mlx.models import Model

#: Contexts of the table, in tokens, as far as the model goes.
CONTEXTS = tuple(2**n for n in range(12, 21))

GROUP_SIZE = 64

_COLUMNS = ("context", "KV bits", "weights", "cache", "workspace", "total", "fits", "prefill step")


def add_flags(parser: cli.Parser) -> None:
    """The flags of the plan."""
    add = parser.add_argument
    add("-m", "--model", type=cli.text, default="7b", metavar="REF",
        help=f"one of {', '.join(OFFICIAL)}, a folder, or a bundled name (default: 7b)")  # fmt: skip
    add("--context", type=cli.positive_int, metavar="N", help="tokens (default: a table from 4,096 on)")
    add("--q-bits", type=int, choices=(2, 3, 4, 5, 6, 8, 16), default=4,
        help="bits of the weights of an official size; 16 is not quantised (default: 4)")  # fmt: skip
    add("--device", choices=("metal", "cpu"), help="where it would run (default: as on this machine)")
    long_context.add_memory_flags(add)
    add("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Prints the table; exit code 1 if no row fits."""
    from qwen2_mlx.memory.limit import memory_limit
    from qwen2_mlx.memory.plan import longest, weight_bytes

    compute = _compute(args.device)
    model = _described(args, compute)
    config, weights = model.args, weight_bytes(model)
    limit = args.memory_limit or memory_limit()
    formats = long_context.formats(args.kv_bits)
    contexts = [n for n in CONTEXTS if n <= config.context_length] or [config.context_length]
    if args.context:
        contexts = [args.context]
    plans = [_plan(config, compute, weights, n, limit, kv) for n in contexts for kv in formats]
    most = {_bits(kv): longest(config, compute, weights, limit, [kv]) for kv in formats}
    if args.json:
        print(json.dumps(_as_json(args, plans, limit, most)))
    else:
        _print_table(args, plans, limit, most)
    return 0 if any(plan.total <= limit for plan in plans) else cli.ERROR


def _plan(
    config: "ModelConfig", compute: "Compute", weights: int, context: int, limit: int, kv: "KVFormat | None"
) -> "Plan":
    """With the fastest prefill that fits, or the slowest where none does."""
    from qwen2_mlx.memory.plan import PREFILL_STEPS, predict

    plans = [predict(config, compute, weights, context, kv, step) for step in PREFILL_STEPS]
    return next((plan for plan in plans if plan.total <= limit), plans[-1])


def _described(args: argparse.Namespace, compute: "Compute") -> "Model":
    """The model with weights that have shapes and types and are never computed."""
    import mlx.core as mx

    from quant.affine import quantize_model
    from qwen2_mlx.config import ModelConfig
    from qwen2_mlx.loading import load_model, read_config
    from qwen2_mlx.models import build
    from qwen2_mlx.resolve import resolve

    raw = OFFICIAL.get(args.model.lower())
    if raw is None:
        folder = resolve(args.model)
        return load_model(folder, read_config(folder).with_rope("auto"))
    model = build(ModelConfig.from_dict(raw).with_rope("auto"))
    model.set_dtype(mx.bfloat16 if compute.itemsize == 2 else mx.float32)
    if args.q_bits < 16:
        quantize_model(model, args.q_bits, GROUP_SIZE)
    return model


def _compute(device: str | None) -> "Compute":
    import mlx.core as mx

    from qwen2_mlx.memory.plan import cpu, metal

    here = "metal" if mx.default_device().type == mx.DeviceType.gpu else "cpu"
    return metal() if (device or here) == "metal" else cpu()


def _print_table(args: argparse.Namespace, plans: "list[Plan]", limit: int, most: dict[str, int]) -> None:
    from qwen2_mlx.memory.limit import size_text

    print(f"{cli.clean(args.model)}: memory as calculated, limit {size_text(limit)}")
    lines: list[tuple[str, ...]] = [_COLUMNS]
    for plan in plans:
        sizes = (plan.weights, plan.cache, plan.workspace, plan.total)
        fits = "yes" if plan.total <= limit else "no"
        lines.append(
            (f"{plan.context:,}", _bits(plan.kv), *map(size_text, sizes), fits, f"{plan.prefill_step}")
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    print("longest that fits: " + ", ".join(f"{n:,} tokens at {bits}" for bits, n in most.items()))


def _bits(kv: "KVFormat | None") -> str:
    return str(kv) if kv else "model's"


def _as_json(
    args: argparse.Namespace, plans: "list[Plan]", limit: int, most: dict[str, int]
) -> dict[str, Any]:
    return {
        "model": args.model,
        "limit": limit,
        "calculated": True,
        "plans": [
            {
                "context": plan.context,
                "kv_bits": _bits(plan.kv),
                "prefill_step": plan.prefill_step,
                "weights": plan.weights,
                "cache": plan.cache,
                "workspace": plan.workspace,
                "total": plan.total,
                "fits": plan.total <= limit,
            }
            for plan in plans
        ],
        "longest": most,
    }
