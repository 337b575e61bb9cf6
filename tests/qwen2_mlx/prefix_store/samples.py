"""Small entries without a model, as the tests of files and folders need them."""

from array import array
from pathlib import Path
from random import Random

from qwen2_mlx.prefix_store.entry import TOKENS, Header, Tensor
from qwen2_mlx.prefix_store.folder import Folder
from qwen2_mlx.prefix_store.key import entry_key


def sample(seed: int, tokens: int = 8, floats: int = 64) -> tuple[str, Header, list[memoryview]]:
    """Key, header and payload of an entry; the same seed gives the same entry."""
    rng = Random(seed)
    ids = array("I", (rng.randrange(1000) for _ in range(tokens)))
    header = Header(
        {"computed.weights": f"weights {seed}", "label": f"text {seed}.txt", "model": "tiny"},
        (Tensor(TOKENS, "U32", (tokens,)), Tensor("0.keys", "F32", (1, 1, floats))),
    )
    data = [memoryview(ids.tobytes()), memoryview(rng.randbytes(4 * floats))]
    return entry_key(header.facts, ids.tobytes()), header, data


def add_sample(folder: Folder, seed: int, tokens: int = 8, floats: int = 64) -> Path:
    """Stores the sample and returns its file."""
    key, header, data = sample(seed, tokens, floats)
    return folder.add(key, tokens, header, data)
