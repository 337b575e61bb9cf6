"""What a conversion can be given: a folder, a GGUF file, a hub id or an alias."""

from pathlib import Path


def path_of(ref: str) -> Path:
    """A GGUF file, or the folder that the reference stands for. Raises `ModelNotFoundError`."""
    from qwen2_mlx.resolve import resolve

    file = Path(ref)
    return file if file.suffix.lower() == ".gguf" and file.is_file() else resolve(ref)
