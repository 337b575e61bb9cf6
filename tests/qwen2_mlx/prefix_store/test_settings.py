"""Where prefixes are kept and how much room they may take."""

from pathlib import Path

import pytest

from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.prefix_store import settings


def test_the_default_folder_lies_in_the_users_cache_folder(home: Path) -> None:
    assert settings.prefix_folder().is_relative_to(home)
    assert not settings.prefix_folder().exists()


def test_the_variable_moves_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QWEN2_MLX_CACHE_DIR", str(tmp_path / "kept"))
    assert settings.prefix_folder() == tmp_path / "kept" / "prefixes"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("5GB", 5 * 10**9),
        ("5 gib", 5 * 2**30),
        ("1.5m", 1_500_000),
        ("200KiB", 200 * 1024),
        ("12b", 12),
        ("2T", 2 * 10**12),
        (" ", 20 * 2**30),
    ],
)
def test_a_limit_is_read_with_its_unit(monkeypatch: pytest.MonkeyPatch, text: str, size: int) -> None:
    monkeypatch.setenv("QWEN2_MLX_CACHE_LIMIT", text)
    assert settings.size_limit() == size


@pytest.mark.parametrize("text", ["5 apples", "-1", "GB", "1e9", "1.GB", "nan", "5GBB", "5 G B", "٥"])
def test_a_limit_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("QWEN2_MLX_CACHE_LIMIT", text)
    with pytest.raises(Qwen2Error, match="QWEN2_MLX_CACHE_LIMIT"):
        settings.size_limit()


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 * 2**20, "5.0 MiB"), (20 * 2**30, "20.0 GiB")],
)
def test_sizes_are_told_in_a_unit_that_fits(size: int, text: str) -> None:
    assert settings.size_text(size) == text
