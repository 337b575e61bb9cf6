"""The wheel that people install: an editable checkout would not notice what it lacks."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import qwen2_mlx

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("qwen2_mlx", "quant", "convert", "app")
METADATA = f"qwen2_mlx-{qwen2_mlx.__version__}.dist-info"


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all files in a freshly built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_file_of_the_packages_is_in_the_wheel(wheel_files: set[str]) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.name != ".DS_Store"
    }
    assert not files - wheel_files


@pytest.mark.parametrize(
    "name",
    [
        "qwen2_mlx/data/tiny/model.safetensors",
        "qwen2_mlx/data/tiny-moe/model.safetensors",
        "app/ask/prompts/whole.txt",
        "app/ask/examples/chronicle.txt",
    ],
)
def test_what_the_programs_need_offline_is_in_the_wheel(wheel_files: set[str], name: str) -> None:
    assert name in wheel_files


def test_nothing_but_the_packages_is_in_the_wheel(wheel_files: set[str]) -> None:
    assert {name.partition("/")[0] for name in wheel_files} == {*PACKAGES, METADATA}


def test_the_licence_is_in_the_wheel(wheel_files: set[str]) -> None:
    assert f"{METADATA}/licenses/LICENSE" in wheel_files
