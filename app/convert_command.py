"""`qwen2-convert`: a Hugging Face checkpoint becomes an MLX folder."""

import argparse
import sys
from pathlib import Path

from app import cli

PROGRAM = "qwen2-convert"


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run(PROGRAM, lambda: _run(argv))


def build_parser() -> cli.Parser:
    """The flags of `qwen2-convert`; those that mlx-lm has too keep its names."""
    parser = cli.Parser(
        prog=PROGRAM,
        description="Writes an MLX model folder from a Hugging Face checkpoint of the Qwen2 family.",
    )
    add = parser.add_argument
    add("--hf-path", "--model", dest="source", type=cli.text, required=True, metavar="REF",
        help="folder or hub id of the checkpoint")  # fmt: skip
    add("--mlx-path", dest="target", type=Path, default=Path("mlx_model"), metavar="FOLDER",
        help="folder to write; it must not exist yet (default: mlx_model)")  # fmt: skip
    add(
        "--dtype",
        choices=("float32", "float16", "bfloat16"),
        help="type of the weights (default: as the source)",
    )
    add("-q", "--quantize", action="store_true", help="quantise the weights")
    add("--q-bits", type=int, choices=(2, 3, 4, 5, 6, 8), help="bits a weight (default: 4)")
    add("--q-group-size", type=int, choices=(32, 64, 128), help="weights that share a scale (default: 64)")
    add("--version", action=cli.VersionAction)
    return parser


def _run(argv: list[str] | None) -> int:
    parser = build_parser()
    args = parser.parse_args(argv)
    if not args.quantize and (args.q_bits or args.q_group_size):
        parser.error("--q-bits and --q-group-size need -q")
    return _convert(args)


def _convert(args: argparse.Namespace) -> int:
    from convert.hugging_face import Recipe, convert_folder
    from qwen2_mlx.resolve import resolve

    bits = (args.q_bits or 4) if args.quantize else None
    recipe = Recipe(args.dtype, bits, args.q_group_size or 64)
    report = convert_folder(resolve(args.source), args.target, recipe, _show_shard)
    if report.undivided:
        print(
            f"{PROGRAM}: {len(report.undivided)} layers, {report.undivided[0]} among them, stay in floating"
            f" point: their width is no multiple of {recipe.group_size}; a smaller --q-group-size may fit",
            file=sys.stderr,
        )
    print(f"{args.target}: {report.weight_bytes / 1e6:,.1f} MB, {report.bits_per_weight:.2f} bits a weight")
    return 0


def _show_shard(number: int, total: int) -> None:
    print(f"{PROGRAM}: wrote file {number} of {total}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
