"""Flags that every measurement of `qwen2-eval` shares, and what follows from them."""

import argparse
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import cli
from app.long_context import size
from qwen2_mlx.config import LENGTH_FACTORS, ROPE_MODES

if TYPE_CHECKING:
    from app.eval.engine import Engine
    from app.eval.mode import Mode
    from app.eval.store import Store

KV_BITS = ("16", "8", "8/4")

#: Raised when results of an older version of this program can no longer be continued.
_FORMAT = 1


def add_model_flag(add: Callable[..., Any]) -> None:
    """`--model`, as every evaluation has it."""
    add("-m", "--model", type=cli.text, default="tiny", metavar="REF",
        help="as for qwen2-chat (default: tiny)")  # fmt: skip


def add_mode_flags(add: Callable[..., Any]) -> None:
    """The flags that choose modes; each may be given several times for a comparison."""
    add("--rope", action="append", choices=ROPE_MODES,
        help="how positions are encoded (default: auto)")  # fmt: skip
    add("--length-factor", action="append", choices=LENGTH_FACTORS,
        help="which length sets the temperature of --rope dca (default: prompt)")  # fmt: skip
    add("--kv-bits", action="append", choices=KV_BITS,
        help="bits of the cached keys and values (default: the model's own type)")  # fmt: skip
    add("--yarn-factor", type=cli.positive_float, metavar="X",
        help="factor of --rope yarn (default: the checkpoint's, else 4, or more where the longest text"
        " needs it)")  # fmt: skip


def add_run_flags(add: Callable[..., Any]) -> None:
    """Where results go and how they are shown."""
    add("--seed", type=cli.non_negative_int, default=0, metavar="N", help="of all texts (default: 0)")
    add("--memory-limit", type=size, metavar="SIZE",
        help="such as 32GB (default: what the device recommends)")  # fmt: skip
    add("--out", type=Path, metavar="FOLDER",
        help="for results and pictures (default: one for these settings, with the user's data)")  # fmt: skip
    add("--fresh", action="store_true", help="forget earlier results instead of going on from them")
    add("--json", action="store_true", help="print one JSON object")


def chosen_modes(args: argparse.Namespace, engine: "Engine", longest: int) -> "list[Mode]":
    """The modes that the flags ask for, each once."""
    from app.eval.mode import modes

    return modes(
        engine.config,
        args.rope or ["auto"],
        args.length_factor or ["prompt"],
        args.kv_bits or [None],
        longest,
        args.yarn_factor,
    )


def open_store(
    args: argparse.Namespace,
    task: str,
    parameters: Mapping[str, Any],
    engine: "Engine",
    fields: Set[str],
) -> "Store":
    """The results of these settings so far. `parameters` are those of the task that decide its texts."""
    from app.ask.prompts import whole_document
    from app.eval.fingerprint import checkpoint_fingerprint
    from app.eval.store import Store
    from qwen2_mlx import __version__

    identity = {
        "format": _FORMAT,
        "engine": __version__,
        "task": task,
        "parameters": dict(parameters),
        "seed": args.seed,
        "model": checkpoint_fingerprint(engine.folder),
        "prompt": _short_hash(whole_document("{document}", "{question}")),
    }
    return Store(args.out or default_folder(task, args.model, identity), identity, fields, args.fresh)


def default_folder(task: str, model: str, identity: Mapping[str, Any]) -> Path:
    """The user's own folder for results of these settings, so that the same command finds them again."""
    from platformdirs import user_data_path

    name = re.sub(r"[^\w.-]+", "-", Path(model).name.lower()) or "model"
    return user_data_path("qwen2-mlx") / "eval" / f"{task}-{name}-{_short_hash(json.dumps(identity))}"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
