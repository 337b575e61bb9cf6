"""Conversions as tests run them."""

from pathlib import Path

from convert.conversion import Events, convert
from convert.plan import Plan, make_plan
from convert.source import open_source
from quant.format import Format
from quant.recipe import Recipe

#: What most tests quantise to; the tiny checkpoints are 32 wide.
FOUR_BITS = Recipe(format=Format(4, 32))
EIGHT_BITS = Recipe(format=Format(8, 32))


def convert_folder(
    source: Path, target: Path, recipe: Recipe | None = None, events: Events | None = None
) -> Plan:
    """Converts `source` to `target`, all at once or from where an earlier call stopped."""
    opened = open_source(source)
    plan = make_plan(opened, recipe or Recipe())
    convert(opened, plan, target, events)
    return plan


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` by its path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
