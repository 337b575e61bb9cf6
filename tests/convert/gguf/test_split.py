"""A model split into numbered files is read whole, from the name of any of them."""

from pathlib import Path

import pytest

from convert.gguf import open_gguf
from convert.gguf.file import read_file
from qwen2_mlx.errors import CheckpointError
from tests.convert.gguf.builder import metadata_of, model_tensors
from tests.convert.gguf.container import gguf
from tests.convert.gguf.models import TIED
from tests.golden.weights import make_weights

PARTS = 3


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """A model in three files, settings in the first of them alone."""
    tensors, _ = model_tensors(TIED, make_weights(TIED, 0), "Q8_0")
    files = []
    for number in range(PARTS):
        split = {"split.no": number, "split.count": PARTS, "split.tensors.count": len(tensors)}
        metadata = {**metadata_of(TIED), **split} if number == 0 else split
        file = tmp_path / f"model-{number + 1:05d}-of-{PARTS:05d}.gguf"
        file.write_bytes(gguf(metadata, tensors[number::PARTS]))
        files.append(file)
    return files


def test_any_part_opens_the_whole_model(parts: list[Path]) -> None:
    opened = [open_gguf(part) for part in parts]
    names = [weight.name for weight in opened[0].weights]
    assert len({source.fingerprint() for source in opened}) == 1
    for source in opened:
        assert [weight.name for weight in source.weights] == names
        for weight in source.weights:
            weight.rows(0, 1)
        assert source.file.parts == parts


def test_a_missing_part_is_named(parts: list[Path]) -> None:
    parts[1].unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-00003\.gguf is missing"):
        read_file(parts[0])


def test_a_part_under_another_name_is_refused(parts: list[Path]) -> None:
    renamed = parts[0].rename(parts[0].with_name("model.gguf"))
    with pytest.raises(CheckpointError, match="one of 3 parts; give it back its name"):
        read_file(renamed)


def test_a_tensor_in_two_parts_is_refused(parts: list[Path]) -> None:
    parts[2].write_bytes(parts[1].read_bytes())
    with pytest.raises(CheckpointError, match="repeats tensor"):
        read_file(parts[0])


def test_a_part_of_another_split_is_noticed(parts: list[Path]) -> None:
    parts[2].write_bytes(gguf({"split.no": 2, "split.count": PARTS}))
    with pytest.raises(CheckpointError, match=r"promises .* tensors, its 3 parts hold"):
        read_file(parts[0])


def test_a_claim_of_countless_parts_ends_at_the_first_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "model-00001-of-99999.gguf"
    path.write_bytes(gguf({"split.count": 99999}))
    with pytest.raises(CheckpointError, match=r"model-00002-of-99999\.gguf is missing"):
        read_file(path)
