"""A damaged folder is reported or refused, whatever the damage is; nothing crashes on it."""

import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from convert.folder.companions import companions_of
from convert.folder.dequantize import open_quantized
from convert.folder.manifest import write_manifest
from convert.folder.origin import origin_of
from convert.folder.summary import summary_of
from convert.folder.verify import verify
from quant.recipe import Recipe
from qwen2_mlx.errors import Qwen2Error
from tests.convert.folder.folders import Q4, write_mlx_folder

MUTANTS = 12
USES: list[Callable[[Path], object]] = [
    open_quantized, companions_of, summary_of, lambda folder: origin_of(folder, {}),
]  # fmt: skip
TOKENS = (b"0", b"9" * 8, b"-1", b"null", b"[]", b"{}", b'"', b"true", b"1e9", b"../x")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "manifest.json"])
def test_damage_anywhere_is_reported_or_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convert.folder.verify.check_forward", lambda folder: [])
    write_mlx_folder(tmp_path / "m")
    write_manifest(tmp_path / "m", Recipe(format=Q4), "source")
    rng = random.Random(name)
    for number in range(MUTANTS):
        mutant = shutil.copytree(tmp_path / "m", tmp_path / str(number))
        content = (mutant / name).read_bytes()
        (mutant / name).write_bytes(damaged(content, name, rng))
        for use in USES:
            with suppress(Qwen2Error):
                use(mutant)
        with suppress(Qwen2Error):
            assert verify(mutant).findings or name == "manifest.json"  # which has no hash itself


def damaged(content: bytes, name: str, rng: random.Random) -> bytes:
    """`content` with a bit flipped, something else in place of a byte, or a part cut out; it differs."""
    end = 8 + int.from_bytes(content[:8], "little") if name.endswith(".safetensors") else len(content)
    changed = bytearray(content)
    while bytes(changed) == content:
        place = rng.randrange(end)
        match rng.randrange(3):
            case 0:
                changed[place] ^= 1 << rng.randrange(8)
            case 1:
                changed[place : place + 1] = rng.choice(TOKENS)
            case _:
                del changed[place : place + rng.randrange(1, 20)]
    return bytes(changed)
