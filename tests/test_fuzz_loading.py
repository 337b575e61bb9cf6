"""Damaged files: loading works or raises a `Qwen2Error`, and nothing else happens.

Each round takes a complete checkpoint and damages one file in one way: cut at some byte,
a few bytes changed, or one value of its JSON replaced by something unlikely. What loads
all the same must also answer. The seeds are fixed, so a failure can be repeated.
"""

import json
import resource
import signal
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import pytest

from qwen2_mlx import Qwen2Error, load, stream_generate
from tests.checkpoints import DENSE, MOE, edit_json, split_into_shards, write_checkpoint

ROUNDS = 30
MOST_SECONDS = 60.0  # for one round; on an idle machine it takes a hundredth of one
MOST_BYTES = 500 * 2**20  # for all rounds of one test

INDEX = "model.safetensors.index.json"
SHARD = "model-00001-of-00002.safetensors"
SMALL = ("config.json", "generation_config.json", "tokenizer_config.json", INDEX)
FILES = (*SMALL, "tokenizer.json", SHARD)

UNLIKELY: list[Any] = [
    None, True, 0, -1, 3, 0.5, 1e-320, 1e308, float("nan"), 2**31, 10**400, "", "yarn", "../config.json",
    "\0", "\ud800", "a\nb", "{{ 1 // 0 }}", "{{ '\\ud800' }}", [], [[]], [1, 2], ["x"], {}, {"type": "yarn"},
]  # fmt: skip

#: Settings beside the sizes, so that there is more to damage.
YARN = {
    "type": "yarn",
    "factor": 2.0,
    "original_max_position_embeddings": 256,
    "beta_fast": 32,
    "truncate": True,
}
SETTINGS = {"rope_scaling": YARN, "max_window_layers": 2, "layer_types": ["full_attention"], "head_dim": 8}
SAMPLING = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "min_p": 0.01,
            "repetition_penalty": 1.05}  # fmt: skip


@pytest.fixture
def sharded(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A complete checkpoint in two shards, dense unless the test asks for another config."""
    folder = write_checkpoint(tmp_path / "model", {**getattr(request, "param", DENSE), **SETTINGS})
    edit_json(folder / "generation_config.json", **SAMPLING)
    split_into_shards(folder)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_loads_or_says_why(sharded: Path, name: str) -> None:
    whole, rng = (sharded / name).read_bytes(), Random(name)
    survive(sharded, name, (whole[: rng.randrange(len(whole))] for _ in range(ROUNDS)))


@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
@pytest.mark.parametrize("name", FILES)
def test_changed_bytes_load_or_say_why(sharded: Path, name: str) -> None:
    whole, rng = (sharded / name).read_bytes(), Random(name)
    reach = header_length(whole) if name == SHARD else len(whole)

    def changed() -> bytes:
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(reach)] = rng.choice([rng.randrange(256), *b'019-{}[]",:'])
        return bytes(damaged)

    survive(sharded, name, (changed() for _ in range(ROUNDS)))


@pytest.mark.parametrize(
    ("sharded", "name"),
    [*((DENSE, name) for name in SMALL), (MOE, "config.json")],
    indirect=["sharded"],
    ids=[*SMALL, "experts"],
)
def test_every_unlikely_setting_loads_or_says_why(sharded: Path, name: str) -> None:
    settings = json.loads((sharded / name).read_bytes())
    damaged = (with_value(settings, place, value) for place in places(settings) for value in UNLIKELY)
    survive(sharded, name, map(dumps, damaged))


@pytest.mark.parametrize("name", ["tokenizer.json", SHARD])
def test_unlikely_values_anywhere_load_or_say_why(sharded: Path, name: str) -> None:
    whole, rng = (sharded / name).read_bytes(), Random(name)
    length = header_length(whole) if name == SHARD else 0
    value = json.loads(whole[8:length] if length else whole)

    def replaced() -> bytes:
        text = dumps(with_value(value, any_place(rng, value), rng.choice(UNLIKELY)))
        return struct.pack("<Q", len(text)) + text + whole[length:] if length else text

    survive(sharded, name, (replaced() for _ in range(5 * ROUNDS)))


def survive(folder: Path, name: str, versions: Iterable[bytes]) -> None:
    """Takes `versions` of the file `name`; with each the checkpoint must answer or say why not."""
    before = peak_bytes()
    for number, version in enumerate(versions):
        (folder / name).write_bytes(version)
        files = contents(folder.parent)
        with time_limit(MOST_SECONDS):
            reason = refusal(folder)
        assert reason is None or len(reason.splitlines()) == 1, f"round {number}: {reason}"
        assert contents(folder.parent) == files, f"round {number} wrote something"
    assert peak_bytes() - before < MOST_BYTES


def refusal(folder: Path) -> str | None:
    """Why the checkpoint does not load, or None when it loads and answers."""
    question = [{"role": "user", "content": "Where is the harbour?"}]
    try:
        model, tokenizer = load(str(folder))
        list(stream_generate(model, tokenizer, question, max_tokens=1))
    except Qwen2Error as error:
        return str(error)
    return None


def places(value: Any) -> Iterator[list[Any]]:
    """The keys that lead to each value of an object, and to the first few of an object inside it."""
    for key, inner in value.items():
        yield [key]
        if isinstance(inner, dict):
            yield from ([key, *place] for place in islice(places(inner), 6))


def any_place(rng: Random, value: Any) -> list[Any]:
    """The keys that lead to some value, at any depth."""
    place: list[Any] = []
    while isinstance(value, dict | list) and value and (not place or rng.random() < 0.8):
        place.append(rng.choice(list(value) if isinstance(value, dict) else range(len(value))))
        value = value[place[-1]]
    return place


def with_value(whole: Any, place: list[Any], value: Any) -> Any:
    """A copy of `whole` that holds `value` at `place`."""
    copy = inner = deepcopy(whole)
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return copy


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


def header_length(whole: bytes) -> int:
    """Bytes of a safetensors file before its data."""
    return 8 + struct.unpack("<Q", whole[:8])[0]


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def peak_bytes() -> int:
    """The most memory this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kilobytes on Linux


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    def give_up(*_: object) -> NoReturn:
        raise TimeoutError(f"still loading after {seconds} s")

    usual = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)
