"""Which programs made a folder."""

from importlib.metadata import version

from qwen2_mlx import __version__


def versions() -> dict[str, str]:
    """The versions of this package and of MLX, by name."""
    return {"qwen2-mlx": __version__, "mlx": version("mlx")}
