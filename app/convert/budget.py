"""Bits for each matrix within a budget, by what they cost where it was measured."""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convert.source import Source
    from quant.recipe import Recipe
    from quant.report.table import Table

#: Widths that are measured where no table is given.
_BITS = (2, 3, 4, 5, 6, 8)


def within_budget(program: str, args: argparse.Namespace, source: "Source", recipe: "Recipe") -> "Recipe":
    """`recipe` with the formats that `--target-bpw` or `--target-size` leave room for, if one was given.

    Without `--sensitivity` the costs are measured first, with progress under the name `program`. Raises
    `Qwen2Error` for a source that cannot be measured, a table of another checkpoint, and a budget
    that is too small.
    """
    if args.target_bpw is None and args.target_size is None:
        return recipe
    from quant.allocate import allocate

    table = _table(program, args, source, recipe)
    budget = args.target_size if args.target_bpw is None else table.bytes_at(args.target_bpw)
    return replace(recipe, layers=allocate(table, budget))


def _table(program: str, args: argparse.Namespace, source: "Source", recipe: "Recipe") -> "Table":
    from app.eval.fingerprint import checkpoint_fingerprint
    from app.quant.sensitivity_command import measured
    from quant.format import Format
    from quant.report.table import read_table
    from qwen2_mlx.errors import Qwen2Error

    if source.format or not source.path.is_dir():
        raise Qwen2Error("a budget needs a source in floating point, in a folder; convert it to one first")
    if args.sensitivity is None:
        assert recipe.format is not None
        formats = [Format(bits, recipe.format.group_size) for bits in _BITS]
        return measured(program, source.path, formats, args.calibration, dtype=args.dtype)
    table = read_table(args.sensitivity)
    if table.model != checkpoint_fingerprint(source.path):
        raise Qwen2Error(
            f"{args.sensitivity} was measured on another checkpoint; make one with qwen2-quant sensitivity"
        )
    if args.dtype and args.dtype != table.dtype:
        raise Qwen2Error(f"{args.sensitivity} counts bytes in {table.dtype}; leave --dtype out")
    return table
