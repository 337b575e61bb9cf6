"""Which checkpoint results belong to, without loading it.

Small files count in full. Of a file of weights, its size, its header and a sample of its
bytes do: any training changes nearly every weight, and a checkpoint of 72B would otherwise
take a minute to hash before every run.
"""

import hashlib
from pathlib import Path

_NAMES = ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")

_BLOCK = 64 * 2**10
_EVERY = 16 * 2**20


def checkpoint_fingerprint(folder: Path) -> str:
    """A hash of the checkpoint in `folder`, tagged with its method. Raises `OSError`."""
    digest = hashlib.sha256()
    for name in _NAMES:
        path = folder / name
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{name} {len(content)}\n".encode() + content)
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            for start in sorted({*range(0, size, _EVERY), max(0, size - _BLOCK)}):
                file.seek(start)
                digest.update(file.read(_BLOCK))
    return f"sha256-sampled:{digest.hexdigest()[:32]}"
