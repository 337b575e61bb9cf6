"""`qwen2-convert card`: what was measured of a folder joins its model card."""

import argparse
from pathlib import Path

from app import cli

DESCRIPTION = """\
Adds the numbers of a comparison with the original to the model card of a converted folder, in place
of earlier ones: qwen2-quant compare ORIGINAL FOLDER --json > report.json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `card`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="a folder that qwen2-convert made")
    add("--report", type=Path, required=True, metavar="FILE", help="what qwen2-quant compare --json printed")


def run(args: argparse.Namespace) -> int:
    """Rewrites the card and its entry in the manifest."""
    from convert.folder.measured import CARD, add_measured
    from convert.folder.report import read_report

    add_measured(args.folder, read_report(args.report, args.folder.resolve().name))
    print(cli.clean(f"{args.folder / CARD}: numbers added"))
    return 0
