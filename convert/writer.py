"""Writing an MLX model folder: all of it, or nothing."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import mlx.core as mx

from qwen2_mlx.errors import Qwen2Error, first_line
from qwen2_mlx.weights import INDEX_NAME

SHARD_BYTES = 5 * 10**9

#: Files that belong to a model beside its weights and its config, copied byte for byte.
_COMPANIONS = (
    "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json",
    "vocab.json", "merges.txt", "special_tokens_map.json", "added_tokens.json", "LICENSE",
)  # fmt: skip


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A working folder beside `target` that takes its name when the block succeeds.

    An interrupted or failed block leaves nothing behind. Raises `Qwen2Error` when
    `target` exists with something in it.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Qwen2Error(f"{target} exists already; remove it or choose another --mlx-path")
    place = target.resolve()  # what a link points to; and "." has no name that could be taken
    partial = place.with_name(f".{place.name}.partial-{os.getpid()}")
    new_parents = [parent for parent in place.parents if not parent.exists()]
    try:
        partial.mkdir(parents=True)
        yield partial
        if place.exists():
            place.rmdir()
        partial.rename(place)
    except OSError as error:
        raise Qwen2Error(f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        for parent in new_parents:
            with suppress(OSError):  # it holds the result
                parent.rmdir()


def write_weights(
    folder: Path, tensors: dict[str, mx.array], on_shard: Callable[[int, int], None] | None = None
) -> None:
    """Writes `tensors` as safetensors shards with an index, emptying the dict as it goes.

    Lazy tensors are computed shard by shard, so memory holds one shard at a time.
    """
    sizes = {name: tensor.nbytes for name, tensor in tensors.items()}
    shards = list(_shards(sizes))
    weight_map: dict[str, str] = {}
    for number, names in enumerate(shards, 1):
        file = (
            "model.safetensors"
            if len(shards) == 1
            else f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        )
        shard = {name: tensors.pop(name) for name in names}
        try:
            mx.save_safetensors(str(folder / file), shard, {"format": "mlx"})
        except RuntimeError as error:
            raise Qwen2Error(
                f"{file} cannot be written: {first_line(error)}; check the free space on the disk"
            ) from None
        weight_map |= dict.fromkeys(names, file)
        if on_shard:
            on_shard(number, len(shards))
    index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": dict(sorted(weight_map.items()))}
    write_json(folder / INDEX_NAME, index)


def _shards(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Names in their order, packed into shards of at most `SHARD_BYTES` (one tensor may exceed it)."""
    names: list[str] = []
    held = 0
    for name, size in sizes.items():
        if names and held + size > SHARD_BYTES:
            yield names
            names, held = [], 0
        names.append(name)
        held += size
    if names:
        yield names


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def copy_companions(source: Path, folder: Path) -> None:
    """Copies tokenizer, chat template, generation settings and licence, where present."""
    for name in _COMPANIONS:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
