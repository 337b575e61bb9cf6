"""Damaged packed checkpoints: a message in one line, or weights; nothing else, and no memory blow-up."""

import random
from pathlib import Path

import pytest

from convert.packed import open_packed
from convert.weights import CodedWeight
from qwen2_mlx.errors import Qwen2Error
from tests import checkpoints
from tests.convert import quantised_checkpoints as made

SMALL = {
    **checkpoints.MOE,
    "hidden_size": 128,
    "intermediate_size": 128,
    "moe_intermediate_size": 128,
    "shared_expert_intermediate_size": 128,
    "num_hidden_layers": 1,
    "num_experts": 2,
}
FLIPS = 60


@pytest.mark.parametrize("packing", [made.INT4, made.AWQ], ids=["gptq", "awq"])
@pytest.mark.parametrize("part", ["header", "numbers", "config"])
def test_flipped_bits_and_cuts_end_in_a_message(packing: made.Packing, part: str, tmp_path: Path) -> None:
    made.write_packed(tmp_path, SMALL, packing)
    file = tmp_path / ("config.json" if part == "config" else "model.safetensors")
    whole = file.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    first, last = {"config": (0, len(whole)), "header": (0, header), "numbers": (header, len(whole))}[part]
    chance = random.Random(f"{part} {packing.method}")
    refused = 0
    for attempt in range(FLIPS):
        damaged = bytearray(whole)
        place = chance.randrange(first, last)
        if attempt % 10 == 0:
            del damaged[place:]
        else:
            damaged[place] ^= 1 << chance.randrange(8)
        file.write_bytes(damaged)
        said = _first_rows(tmp_path)
        assert "\n" not in said
        refused += bool(said)
    assert refused >= FLIPS // 10  # a cut is never overlooked


def _first_rows(folder: Path) -> str:
    """Reads the first row of every weight; returns what is said instead. Any other end fails the test."""
    try:
        for weight in open_packed(folder).weights:
            if isinstance(weight, CodedWeight):
                assert weight.rows(0, 1).codes.shape == (1, weight.shape[-1])
            else:
                assert weight.rows(0, 1).shape == (1, weight.shape[-1])
    except Qwen2Error as error:
        return str(error)
    return ""
