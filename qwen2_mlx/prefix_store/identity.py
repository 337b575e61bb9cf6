"""What the keys and values of a prefix depend on, besides its token ids.

A stored prefix is used only where computing it again would give the same bits: same
weights, same configuration, same arithmetic. Each fact that can change a bit is therefore
part of an entry's key. The tokenizer is not, because the token ids are, and they are all of
it that the model sees.
"""

import dataclasses
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten

from qwen2_mlx import __version__
from qwen2_mlx.cache import KVFormat
from qwen2_mlx.kernels.use import VARIABLE as KERNELS
from qwen2_mlx.models import Model
from qwen2_mlx.prefix_store.key import COMPUTED
from qwen2_mlx.prefix_store.tensors import raw_bytes

#: Of the format of entries. Raise it when what `entry.py` writes changes its meaning.
STORE_VERSION = 1

_TF32 = "MLX_ENABLE_TF32"  # read by MLX itself


def computation(model: Model, kv: KVFormat | None, prefill_step: int) -> dict[str, str]:
    """Every fact about how `model` computes a prefix, each as text, for an entry's header."""
    facts = {
        "store": str(STORE_VERSION),
        "engine": f"{__version__} {_code_fingerprint()}",
        "mlx": version("mlx"),
        "device": _device(),
        "weights": weights_fingerprint(model),
        "config": _as_json(dataclasses.asdict(model.args)),  # dual chunks and their policy too
        "rope": model.args.rope_mode,
        "kv": str(kv) if kv else "as computed",
        "kernels": os.environ.get(KERNELS, ""),
        "sparse": str(model.model.sparse),
        "prefill_step": str(prefill_step),  # another split adds up in another order
    }
    return {f"{COMPUTED}{name}": value for name, value in facts.items()}


def weights_fingerprint(model: Model) -> str:
    """SHA-256 over every weight as it is in memory, with its name, shape and type.

    In full, because a model that was trained further may differ in one row of one matrix. From
    memory, because that is what computes: files may have changed since, been cast, or been
    quantised or fused after loading. All cores hash, 1 to 2 GB/s each, so it takes less time
    than reading the weights did.
    """
    named: dict[str, mx.array] = dict(tree_flatten(model.parameters()))
    weights = sorted(named.items())
    mx.eval(named)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = pool.map(_sha256, (raw_bytes(weight) for _, weight in weights))
        facts = [
            [name, list(weight.shape), str(weight.dtype), digest]
            for (name, weight), digest in zip(weights, digests, strict=True)
        ]
    return _sha256(_as_json(facts).encode())


def _sha256(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


@cache
def _code_fingerprint() -> str:
    """Of this package's source: a corrected line between two releases must reach stored documents too."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _device() -> str:
    """What computes: other chips, and the switch that shortens float32 products, round differently."""
    info = mx.device_info()
    names = (info.get("architecture", ""), info.get("device_name", ""))
    return f"{mx.default_device().type.name} {' '.join(map(str, names))} tf32={os.environ.get(_TF32, '')}"


def _as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
