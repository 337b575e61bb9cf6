"""Words written out by hand from the public descriptions of the formats, and what they hold."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from convert.packed import columns as columns_module
from convert.packed.awq import AwqLayout
from convert.packed.bits import unpack, unpack_awq, unpack_awq_rows
from convert.packed.columns import Held, all_columns, columns
from convert.packed.gptq import GptqLayout
from convert.safetensors_file import StoredTensor, stored_tensors


def stored(folder: Path, words: np.ndarray) -> StoredTensor:
    folder.mkdir(exist_ok=True)
    before = {"a": np.arange(3, dtype=np.int32)}  # so that the tensor does not begin its file
    save_file({**before, "qweight": words.view(np.int32)}, folder / "model.safetensors")
    return stored_tensors(folder)["qweight"]


@pytest.mark.parametrize(
    ("word", "bits", "codes"),
    [
        (0x76543210, 4, [0, 1, 2, 3, 4, 5, 6, 7]),
        (0xFEDCBA98, 4, [8, 9, 10, 11, 12, 13, 14, 15]),
        (0x04030201, 8, [1, 2, 3, 4]),
        (0xFF7F8000, 8, [0, 128, 127, 255]),
    ],
)
def test_the_first_code_lies_in_the_lowest_bits(word: int, bits: int, codes: list[int]) -> None:
    assert unpack(np.array([[word]], np.uint32), bits).tolist() == [codes]


def test_awq_puts_even_columns_into_the_lower_half() -> None:
    """AutoAWQ's order_map: place i of a word, from the low end, takes column [0, 2, 4, 6, 1, 3, 5, 7][i]."""
    word = np.array([[0x75316420]], np.uint32)
    assert unpack_awq(word).tolist() == [[0, 1, 2, 3, 4, 5, 6, 7]]
    assert unpack_awq_rows(word).ravel().tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_gptq_packs_along_the_input(tmp_path: Path) -> None:
    """Row 1 of the words holds inputs 8 to 15, column 2 is output 2."""
    words = np.zeros((4, 8), np.uint32)
    words[1, 2] = 0x76543210
    codes = GptqLayout().codes(stored(tmp_path, words), 0, 8, 4, Held())
    expected = np.zeros((8, 32), np.uint8)
    expected[2, 8:16] = range(8)
    assert np.array_equal(codes, expected)


def test_gptq_packs_zeros_along_the_output() -> None:
    words = np.array([[0x77777777, 0x87777777], [0x77777778, 0x77777777]], np.uint32)
    zeros = GptqLayout().zeros(words, 4)
    expected = np.full((2, 16), 7)
    expected[0, 15] = expected[1, 0] = 8
    assert np.array_equal(zeros, expected)


def test_awq_packs_along_the_output(tmp_path: Path) -> None:
    """Row 5 of the words is input 5, column 1 holds outputs 8 to 15."""
    words = np.zeros((32, 2), np.uint32)
    words[5, 1] = 0x75316420
    expected = np.zeros((16, 32), np.uint8)
    expected[8:, 5] = range(8)
    tensor = stored(tmp_path, words)
    assert np.array_equal(AwqLayout().codes(tensor, 0, 16, 4, Held()), expected)
    assert np.array_equal(AwqLayout().codes(tensor, 7, 11, 4, Held()), expected[7:11])


@pytest.mark.parametrize("block_columns", [1, 3, 8, 100])
@pytest.mark.parametrize("step", [1, 5, 24])
def test_columns_read_in_order_are_read_once(
    block_columns: int, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = np.random.default_rng(0).integers(0, 2**32, (17, 24), np.uint32)
    tensor = stored(tmp_path, words)
    monkeypatch.setattr(columns_module, "BLOCK_BYTES", block_columns * 17 * 4)
    monkeypatch.setattr(columns_module, "_STRIP_BYTES", 200)
    read = 0
    fill = columns_module._fill

    def counted(file, tensor, word, place) -> None:
        nonlocal read
        read += place.size
        fill(file, tensor, word, place)

    monkeypatch.setattr(columns_module, "_fill", counted)
    held = Held()
    got = [columns(tensor, start, min(24, start + step), held) for start in range(0, 24, step)]
    assert np.array_equal(np.concatenate(got), words.T)
    assert read == words.size


def test_all_columns_are_read_once_for_any_order(tmp_path: Path) -> None:
    words = np.random.default_rng(0).integers(0, 2**32, (8, 16), np.uint32)
    held = Held()
    tensor = stored(tmp_path, words)
    assert np.array_equal(all_columns(tensor, held), words.T)
    assert all_columns(tensor, held) is all_columns(tensor, held)


def test_the_last_block_is_let_go_before_the_next_is_read() -> None:
    held = Held()
    alive = []

    class Block:
        def __init__(self) -> None:
            alive.append(self)

    import weakref

    first = weakref.ref(held.get("block", 1, Block))
    alive.clear()
    held.get("block", 2, lambda: alive.append(first()))
    assert alive == [None]
