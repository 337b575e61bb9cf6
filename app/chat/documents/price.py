"""What questions about a chat's documents will cost, in one line, before it is paid."""

from contextlib import suppress
from typing import TYPE_CHECKING

from app.ask.answer import Mode
from app.chat.options import Setup
from qwen2_mlx.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.ask.library import File, Library
    from app.ask.planning import Plan

UNKNOWN = "unknown until first used"


def price_line(
    library: "Library", files: "Sequence[File]", sets: "Sequence[int]", plan: "Plan", setup: Setup
) -> str:
    """ "412k tokens · whole: no (needs 38 GB) · search about 2 s · read everything about 11 min".

    `sets` are the chunk sets of `files`; "" where they hold no text. Times come from rates measured on
    this machine alone; where nothing was measured yet they are said to be unknown.
    """
    from app.ask.budget import estimate
    from app.ask.levels.material import Material
    from app.ask.speeds import Speeds

    material = Material(library, files, sets, None, plan.sizes.window, plan.tokenizer.count)
    if not material.tokens:
        return ""
    speeds = Speeds(library, plan.model, plan.scout)

    def seconds(mode: Mode) -> float | None:
        return estimate(material, plan.sizes, mode, speeds).seconds

    parts = [f"{count_text(material.tokens)} tokens"]
    if estimate(material, plan.sizes, "auto", speeds).mode == "whole":
        times = {"whole": seconds("whole")}
    else:
        parts.append(f"whole: no ({_why_not(material.tokens, plan, setup)})")
        times = {"search": seconds("retrieve"), "read everything": seconds("read")}
    if any(times.values()):
        parts += [f"{what} {time_text(time)}" for what, time in times.items()]
    else:
        parts.append(f"{' and '.join(times)}: time {UNKNOWN}")
    return " · ".join(parts)


def count_text(count: int) -> str:
    """About so many, in three figures: "999", "41.2k", "412k", "1.04M"."""
    for unit, size in (("M", 10**6), ("k", 1000)):
        if count >= 0.9995 * size:
            value = count / size
            digits = 2 if value < 9.995 and unit == "M" else 1 if value < 99.95 else 0
            return f"{value:.{digits}f}{unit}"
    return str(count)


def time_text(seconds: float | None) -> str:
    """ "about 2 s", "about 11 min", "about 1.5 h"; None is not known yet."""
    if seconds is None:
        return UNKNOWN
    if seconds < 0.95:
        return "under 1 s"
    if seconds < 99.5:
        return f"about {seconds:.0f} s"
    minutes = seconds / 60
    return f"about {minutes:.0f} min" if minutes < 99.5 else f"about {minutes / 60:.1f} h"


def _why_not(tokens: int, plan: "Plan", setup: Setup) -> str:
    """Why so many tokens cannot be shown to the model at once."""
    from qwen2_mlx.memory.limit import memory_limit, size_text

    needed = _bytes(tokens, setup)
    if needed is not None and needed > (setup.memory_limit or memory_limit()):
        return f"needs {size_text(needed)}"
    return f"takes {count_text(plan.sizes.whole)} at once"


def _bytes(tokens: int, setup: Setup) -> int | None:
    """The least memory in which a prompt of so many tokens is read; None where nothing can say."""
    from app.chat.documents.planning import folder_of
    from app.long_context import formats
    from qwen2_mlx.loading import load_model, read_config
    from qwen2_mlx.memory.plan import PREFILL_STEPS, compute_of, predict, weight_bytes

    folder = folder_of(setup.model)
    model = load_model(folder, read_config(folder).with_rope(setup.rope, "position"))  # no weights are read
    totals = []
    for kv in formats(setup.kv_bits):
        with suppress(ConfigError):  # this model's cache cannot be kept so
            plan = predict(model.args, compute_of(model), weight_bytes(model), tokens, kv, PREFILL_STEPS[-1])
            totals.append(plan.total)
    return min(totals, default=None)
