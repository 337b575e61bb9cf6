"""Damaged and malicious headers are one-line errors, found before memory or time is spent on them."""

import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from convert.gguf import open_gguf
from convert.gguf.header import read_header
from qwen2_mlx.errors import CheckpointError, Qwen2Error
from tests.convert.gguf.container import Tensor, Typed, gguf, text, value
from tests.convert.gguf.models import MOE, write_model

MOST_SECONDS = 2.0  # for one file; an idle machine needs milliseconds
MOST_BYTES = 64 * 2**20
ROUNDS = 150

HUGE = 2**63
HEAD = b"GGUF" + struct.pack("<I", 3)


@contextmanager
def measured() -> Iterator[None]:
    """Fails when the block takes long or much memory."""
    tracemalloc.start()
    started = time.monotonic()
    try:
        yield
        assert time.monotonic() - started < MOST_SECONDS
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


def counts(tensors: int, keys: int) -> bytes:
    return HEAD + struct.pack("<QQ", tensors, keys)


def one_key(payload: bytes) -> bytes:
    """A file whose only key has `payload` as type and value."""
    return counts(0, 1) + text("general.name") + payload


def one_tensor(shape: tuple[int, ...], kind: int = 0, offset: int = 0, data: bytes = bytes(64)) -> bytes:
    entry = text("a") + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
    header = counts(1, 0) + entry + struct.pack("<IQ", kind, offset)
    return header + bytes(-len(header) % 32) + data


def array(kind: int, count: int, payload: bytes = b"") -> bytes:
    return struct.pack("<IIQ", 9, kind, count) + payload


def nested(depth: int) -> bytes:
    return struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * depth + struct.pack("<IQ", 0, 1) + b"\0"


F32_A, F32_B = Tensor("a", (8,), "F32", bytes(32)), Tensor("b", (8,), "F32", bytes(32))

HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is no GGUF file"),
    "other magic": (b"GGML" + bytes(100), "is no GGUF file"),
    "magic alone": (b"GGUF", "its header runs past its end"),
    "version 1": (b"GGUF" + struct.pack("<I", 1) + bytes(16), "is GGUF version 1; versions 2 and 3"),
    "big endian": (b"GGUF" + struct.pack(">I", 3) + bytes(16), "is big endian"),
    "countless tensors": (counts(HUGE, 0), "claims 9223372036854775808 tensors"),
    "countless keys": (counts(0, HUGE), "and 9223372036854775808 keys"),
    "tensors without entries": (counts(2**16, 0), "its header runs past its end"),
    "keys without entries": (counts(0, 2**13), "its header runs past its end"),
    "endless key": (counts(0, 1) + struct.pack("<Q", HUGE), "holds a text of 9223372036854775808 bytes"),
    "endless text": (one_key(struct.pack("<IQ", 8, HUGE)), "holds a text of 9223372036854775808 bytes"),
    "long text": (one_key(struct.pack("<IQ", 8, 2**26)), "its header runs past its end"),
    "no UTF-8": (one_key(struct.pack("<IQ", 8, 2) + b"\xff\xfe"), "a text that is not UTF-8"),
    "endless array": (one_key(array(0, HUGE)), "claims arrays of 9223372036854775808 elements"),
    "long array": (one_key(array(10, 2**21)), "its header runs past its end"),
    "long array of texts": (one_key(array(8, 2**21)), "its header runs past its end"),
    "array of nothing known": (one_key(array(77, 2)), "a value of unknown type 77"),
    "nested arrays": (one_key(nested(2)), "holds arrays of arrays"),
    "deep arrays": (one_key(nested(50_000)), "holds arrays of arrays"),
    "unknown type": (one_key(struct.pack("<I", 13) + bytes(8)), "a value of unknown type 13"),
    "truth of 7": (one_key(struct.pack("<IB", 7, 7)), "a truth value that is neither 0 nor 1"),
    "key twice": (counts(0, 2) + 2 * (text("a.b") + value(1)), "its key 'a.b' stands there twice"),
    "no dimensions": (one_tensor(()), "claims 0 dimensions"),
    "many dimensions": (one_tensor((1,) * 5), "claims 5 dimensions"),
    "countless dimensions": (
        counts(1, 0) + text("a") + struct.pack("<I", 2**32 - 1), "claims 4294967295 dimensions"),
    "dimension of 0": (one_tensor((8, 0)), "has shape [0, 8]"),
    "part of a block": (one_tensor((33,), kind=8), "of type Q8_0 has shape [33]"),
    "overflowing dimensions": (one_tensor((2**32,) * 4), "is cut short: tensor a ends beyond it"),
    "wrapping to 0 bytes": (one_tensor((2**62, 4)), "is cut short: tensor a ends beyond it"),
    "outside the file": (one_tensor((16,), offset=32), "is cut short: tensor a ends beyond it"),
    "far outside": (one_tensor((16,), offset=2**64 - 32), "is cut short: tensor a ends beyond it"),
    "unaligned": (one_tensor((8,), offset=8), "tensor 'a' is misplaced"),
    "one upon the other": (gguf({}, [F32_A, F32_B], offsets={"b": 0}), "is misplaced"),
    "name twice": (gguf({}, [F32_A, F32_A]), "its tensor 'a' stands there twice"),
    "alignment of 0": (gguf({"general.alignment": 0}), "general.alignment is 0; a positive whole number"),
    "alignment of 12": (gguf({"general.alignment": 12}), "its alignment is 12"),
    "vast alignment": (gguf({"general.alignment": Typed("u64", HUGE)}), "alignment is 9223372036854775808"),
    "worded alignment": (gguf({"general.alignment": "32"}), "general.alignment is '32'; a positive whole"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_header_is_a_cheap_one_line_error(name: str, tmp_path: Path) -> None:
    content, said = HOSTILE[name]
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with measured(), pytest.raises(CheckpointError) as caught:
        read_header(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_claims_backed_by_a_huge_empty_file_are_still_refused(tmp_path: Path) -> None:
    """A sparse file costs its maker nothing; its length must not buy memory."""
    path = tmp_path / "model.gguf"
    for payload, said in (
        (struct.pack("<IQ", 8, 2**34), "a text of 17179869184 bytes"),
        (struct.pack("<IQ", 8, 2**26 - 8), "claims more than 64 MB"),
        (array(8, 2**34), "claims arrays of"),
        (array(12, 2**21 + 1), "claims arrays of"),
    ):
        path.write_bytes(one_key(payload))
        with path.open("r+b") as stream:
            stream.truncate(2**40)
        with measured(), pytest.raises(CheckpointError, match=said):
            read_header(path)


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.gguf"):
        with pytest.raises(CheckpointError, match="cannot be read"):
            open_gguf(path)


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A sparse model, which has every kind of setting."""
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_model(path, "MIXED", MOE)
    return path.read_bytes()


def header_length(content: bytes) -> int:
    return content.index(b"output_norm.weight") + 4096


def flipped(content: bytes, random: Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(random.randint(1, 4)):
        damaged[random.randrange(header_length(content))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def overwritten(content: bytes, random: Random) -> bytes:
    """A number of 4 or 8 bytes anywhere becomes an unlikely one."""
    damaged = bytearray(content)
    number = random.choice([0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, random.getrandbits(64)])
    raw = struct.pack("<Q", number)[: random.choice([4, 8])]
    at = random.randrange(header_length(content))
    damaged[at : at + len(raw)] = raw
    return bytes(damaged)


def cut(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(header_length(content))]


def moved(content: bytes, random: Random) -> bytes:
    """Some bytes are missing or stand there twice, so that all that follows is shifted."""
    at, length = random.randrange(header_length(content)), random.randint(1, 64)
    return content[:at] + content[at + random.choice([-1, 1]) * min(at, length) :]


@pytest.mark.parametrize("damage", [flipped, overwritten, cut, moved])
def test_a_damaged_header_opens_or_says_why(
    damage: Callable[[bytes, Random], bytes], valid: bytes, tmp_path: Path
) -> None:
    random, path = Random(damage.__name__), tmp_path / "model.gguf"
    refused = 0
    for _ in range(ROUNDS):
        path.write_bytes(damage(valid, random))
        started = time.monotonic()
        try:
            for weight in open_gguf(path).weights[:3]:
                weight.rows(0, 1)
        except Qwen2Error:
            refused += 1
        assert time.monotonic() - started < MOST_SECONDS
    assert refused > ROUNDS // 10
