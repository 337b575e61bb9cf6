"""The flags of a conversion, and what they ask for."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from app import cli
from app.long_context import size

if TYPE_CHECKING:
    from quant.recipe import Recipe

CALIBRATED_METHODS = ("gptq", "awq")
AFFINE_METHODS = ("fit", "round", *CALIBRATED_METHODS)
MICROSCALING_METHODS = ("mxfp4", "mxfp8", "nvfp4")
_QUANTISING = ("q_bits", "q_group_size", "method", "shared_expert_bits", "target_bpw", "target_size")
DTYPES = ("float32", "float16", "bfloat16")

BIT_WIDTHS = (2, 3, 4, 5, 6, 8)
BITS, GROUP_SIZE = 4, 64


def add_flags(parser: cli.Parser) -> None:
    """Adds them; those that mlx-lm has too keep its names."""
    add = parser.add_argument
    add("--hf-path", "--model", dest="source", type=cli.text, required=True, metavar="REF",
        help="folder, GGUF file or hub id of the checkpoint")  # fmt: skip
    add("--mlx-path", dest="target", type=Path, default=Path("mlx_model"), metavar="FOLDER",
        help="folder to write; it must not exist yet (default: mlx_model)")  # fmt: skip
    add("--dtype", choices=DTYPES, help="type of weights in floating point (default: as the source)")
    add("--import-dtype", choices=DTYPES,
        help="type of scales and biases of a source that is quantised (default: float16)")  # fmt: skip
    add("-q", "--quantize", action="store_true", help="quantise the weights")
    add("--q-bits", type=int, choices=BIT_WIDTHS, help=f"bits a weight (default: {BITS})")
    add("--q-group-size", type=int, choices=(32, 64, 128),
        help=f"weights that share a scale (default: {GROUP_SIZE})")  # fmt: skip
    add("--method", choices=(*AFFINE_METHODS, *MICROSCALING_METHODS),
        help="how codes are chosen: fit looks for those nearest to the weights, round is MLX's own,"
        " gptq and awq look at what calibration text makes of them; mxfp4, mxfp8 and nvfp4 are"
        " floating-point codes (default: fit)")  # fmt: skip
    add("--shared-expert-bits", type=int, choices=BIT_WIDTHS, metavar="BITS",
        help="bits of the shared expert, which every token passes (default: as the rest)")  # fmt: skip
    add("--calibration", type=Path, metavar="FILE",
        help="text for gptq, awq and budgets: plain, or one JSON object a line (default: a bundled"
        " one)")  # fmt: skip
    add_budget_flags(parser)
    add("--dequantize", action="store_true",
        help="turn a quantised MLX folder into a floating-point checkpoint for other software")  # fmt: skip
    add("--upload-repo", type=cli.text, metavar="NAME", help="upload the result to this hub repository")
    add("--base-model", type=cli.text, metavar="NAME",
        help="what the model card calls the original (default: what the source says)")  # fmt: skip
    add("--dry-run", action="store_true", help="print what would be written, and write nothing")
    add("--version", action=cli.VersionAction)


def add_budget_flags(parser: cli.Parser) -> None:
    """Flags that leave the bits of each matrix to a budget."""
    group = parser.add_argument_group(
        "mixed precision", "bits for each matrix by what they cost in quality, within a budget"
    )
    budgets = group.add_mutually_exclusive_group()
    budgets.add_argument("--target-bpw", type=cli.positive_float, metavar="BITS",
                         help="bits a weight on average, everything counted, such as 4.5")  # fmt: skip
    budgets.add_argument("--target-size", type=size, metavar="SIZE",
                         help="bytes of all weights, such as 40GB")  # fmt: skip
    group.add_argument("--sensitivity", type=Path, metavar="FILE",
                       help="table of qwen2-quant sensitivity (default: measured now)")  # fmt: skip


def check(parser: cli.Parser, args: argparse.Namespace) -> None:
    """A usage error for flags that do not go together."""
    if not args.quantize and (unused := _given(args, _QUANTISING)):
        parser.error(f"{unused} needs -q")
    if args.dequantize and (other := _given(args, ("quantize", "import_dtype"))):
        parser.error(f"--dequantize and {other} exclude each other")
    budget = args.target_bpw is not None or args.target_size is not None
    if args.calibration and args.method not in CALIBRATED_METHODS and not budget:
        parser.error(f"--calibration needs --method {' or '.join(CALIBRATED_METHODS)}, or a budget")
    if args.sensitivity and not budget:
        parser.error("--sensitivity needs --target-bpw or --target-size")
    if budget and (other := _given(args, ("q_bits", "shared_expert_bits"))):
        parser.error(f"a budget chooses the bits of every matrix; leave {other} out")
    if args.method in MICROSCALING_METHODS and (args.q_bits or args.q_group_size or budget):
        parser.error(f"--method {args.method} sets bits and group size by itself")


def _given(args: argparse.Namespace, names: Iterable[str]) -> str | None:
    """The flag of the first of `names` that was given."""
    given = (name for name in names if getattr(args, name) not in (None, False))
    return next((f"--{name.replace('_', '-')}" for name in given), None)


def recipe_of(args: argparse.Namespace) -> "Recipe":
    """What the flags ask for."""
    from quant.format import MICROSCALING, Format
    from quant.recipe import Recipe

    if not args.quantize:
        return Recipe(args.dtype)
    if args.method in MICROSCALING_METHODS:
        return Recipe(args.dtype, MICROSCALING[args.method])
    format = Format(args.q_bits or BITS, args.q_group_size or GROUP_SIZE)
    return Recipe(args.dtype, format, args.method or "fit", shared_expert_bits=args.shared_expert_bits)
