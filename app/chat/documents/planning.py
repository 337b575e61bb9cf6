"""What the agent will be given of a model, found out beside the loaded one: nothing is downloaded."""

import argparse
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from app.chat.options import Setup
from qwen2_mlx.errors import Qwen2Error

if TYPE_CHECKING:
    from app.ask.planning import Plan


@lru_cache(4)
def plan_of(setup: Setup) -> "Plan":
    """Tokenizer and sizes of the agent's models. Raises `Qwen2Error` where they are not on this machine."""
    from app.ask.planning import plan_models
    from app.ask.roles.scout import choose_scout
    from qwen2_mlx.loading import read_config

    folder = folder_of(setup.model)
    scout = choose_scout("auto", setup.model, read_config(folder))
    args = argparse.Namespace(
        model=str(folder),
        scout="none" if scout == setup.model else str(folder_of(scout)),
        rope=setup.rope,
        kv_bits=setup.kv_bits,
        memory_limit=setup.memory_limit,
    )
    return replace(plan_models(args), model=setup.model, scout=scout)


def folder_of(ref: str) -> Path:
    """The folder of a model that is on this machine; the network is not asked. Raises `Qwen2Error`."""
    from app.ask.roles.scout import cached_folder
    from qwen2_mlx.resolve import ALIASES, BUNDLED, resolve

    if ref in BUNDLED or Path(ref).is_dir() or ref.startswith((".", "/", "~")):
        return resolve(ref)
    if folder := cached_folder(ALIASES.get(ref.lower(), ref)):
        return folder
    raise Qwen2Error(f"{ref} is not on this machine")
