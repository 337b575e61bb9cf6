"""What models will be given at once, found out without reading their weights."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from app.ask.chunking import Cutter
from app.ask.events import Working
from app.ask.library import File, Library
from app.ask.progress import Watcher
from app.ask.roles.engine import Engine
from app.ask.roles.protocol import Sizes
from app.ask.roles.scout import choose_scout
from app.ask.roles.sizes import sizes
from app.ask.roles.usage import Counter
from qwen2_mlx.loading import load_model, read_config
from qwen2_mlx.memory.limit import memory_limit
from qwen2_mlx.memory.plan import weight_bytes
from qwen2_mlx.models import Model
from qwen2_mlx.resolve import resolve
from qwen2_mlx.tokenizer import Tokenizer


@dataclass(frozen=True)
class Plan:
    """The tokenizer of the answering model, the models' names, and their sizes."""

    tokenizer: Tokenizer
    model: str
    scout: str
    sizes: Sizes

    def cut(self, files: Sequence[File], library: Library, watcher: Watcher) -> list[int]:
        """The chunk sets of `files`, which are cut and indexed now where they are not yet."""
        cutter = Cutter(self.tokenizer, self.sizes.chunk, self.sizes.overlap)
        return [
            library.cut(
                file.id,
                cutter,
                lambda done, total, name=file.name: watcher.happened(
                    Working("indexing", done, total, "characters", best=name)
                ),
            )
            for file in files
        ]


def plan_models(args: argparse.Namespace) -> Plan:
    """What the flags' models would be given. Raises `Qwen2Error` as loading them would."""
    limit = args.memory_limit or memory_limit()
    model, tokenizer = _unread(args.model, args.rope)
    ref = choose_scout(args.scout, args.model, model.args)
    if ref == args.model:
        answering = scouting = _engine(args, model, tokenizer, limit)
    else:
        small, small_tokenizer = _unread(ref, args.rope)
        answering = _engine(args, model, tokenizer, limit - weight_bytes(small))
        scouting = _engine(args, small, small_tokenizer, limit - weight_bytes(model))
    return Plan(tokenizer, args.model, ref, sizes(answering, scouting, limit))


def _unread(ref: str, rope: str) -> tuple[Model, Tokenizer]:
    """A model whose weights stay on disk, because nothing asks for their values."""
    folder = resolve(ref)
    config = read_config(folder).with_rope(rope, "position")
    return load_model(folder, config), Tokenizer.from_folder(folder)


def _engine(args: argparse.Namespace, model: Model, tokenizer: Tokenizer, limit: int) -> Engine:
    return Engine(model, tokenizer, args.model, Counter(), kv_bits=args.kv_bits, memory_limit=max(1, limit))
