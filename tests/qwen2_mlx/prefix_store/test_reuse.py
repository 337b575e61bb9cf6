"""Reuse changes how long an answer takes, and nothing else."""

import errno
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from qwen2_mlx.cache import KVFormat
from qwen2_mlx.cache.remember import announce
from qwen2_mlx.generate import prefill, stream_generate
from qwen2_mlx.loading import load
from qwen2_mlx.models import Model
from qwen2_mlx.prefix_store import reuse
from qwen2_mlx.prefix_store.entry import read_header
from qwen2_mlx.prefix_store.folder import Folder
from qwen2_mlx.prefix_store.reuse import PrefixStore, is_reusable
from qwen2_mlx.tokenizer import Tokenizer
from tests.qwen2_mlx.prefix_store.bits import bits

STEP = 128
TEXT = (Path(__file__).parents[3] / "app/ask/examples/chronicle.txt").read_text()
FORMATS = [None, KVFormat(16, 16), KVFormat(8, 8), KVFormat(8, 4)]


@pytest.fixture(scope="module", params=["tiny", "tiny-moe"])
def loaded(request: pytest.FixtureRequest) -> tuple[Model, Tokenizer]:
    return load(request.param, length_factor="position")


@pytest.fixture(scope="module")
def tiny() -> tuple[Model, Tokenizer]:
    return load("tiny", length_factor="position")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "prefixes", 2**40)


def ids_of(tokenizer: Tokenizer, length: int = 450) -> list[int]:
    """More than one trained length of text."""
    return tokenizer.encode(TEXT * 3)[:length]


def cold(model: Model, ids: list[int], form: KVFormat | None = None) -> list[Any]:
    """The cache without a store."""
    cache = model.make_cache(form)
    announce(cache, len(ids) + 10)
    prefill(model, mx.array(ids), cache, prefill_step=STEP)
    return cache


def through(
    folder: Folder, model: Model, ids: list[int], form: KVFormat | None = None, **options: Any
) -> tuple[int, list[Any], list[str]]:
    """Tokens reused, the cache, and the messages of a store in a new process."""
    messages: list[str] = []
    cache = model.make_cache(form)
    store = PrefixStore(model, folder, prefill_step=STEP, notify=messages.append)
    reused = store.prefill(ids, cache, len(ids) + 10, **options)
    return reused, cache, messages


def answer(model: Model, tokenizer: Tokenizer, cache: list[Any]) -> list[int]:
    question = tokenizer.encode("\nThe secret code of Morvan Telun is")
    events = stream_generate(model, tokenizer, question, cache=cache, temperature=0.0, max_tokens=12)
    return [event.token for event in events]


@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_a_second_question_gets_the_same_tokens_without_prefill(
    loaded: tuple[Model, Tokenizer], folder: Folder, form: KVFormat | None
) -> None:
    model, tokenizer = loaded
    ids = ids_of(tokenizer)
    expected = cold(model, ids, form)
    counted: list[tuple[int, int]] = []
    first = through(folder, model, ids, form)
    second = through(folder, model, ids, form, on_prefill=lambda *done: counted.append(done))
    assert (first[0], second[0], counted) == (0, len(ids), [])
    assert first[2] == second[2] == []
    assert bits(first[1]) == bits(second[1]) == bits(expected)
    tokens = answer(model, tokenizer, expected)
    assert answer(model, tokenizer, first[1]) == answer(model, tokenizer, second[1]) == tokens


@pytest.mark.parametrize("form", [None, KVFormat(8, 4)], ids=str)
def test_a_changed_ending_is_computed_from_the_last_whole_step(
    loaded: tuple[Model, Tokenizer], folder: Folder, form: KVFormat | None
) -> None:
    model, tokenizer = loaded
    ids = ids_of(tokenizer)
    through(folder, model, ids, form)
    changed = [*ids[:400], *ids[401:], *ids[:50]]
    reused, cache, _ = through(folder, model, changed, form)
    assert reused == 400 // STEP * STEP
    assert bits(cache) == bits(cold(model, changed, form))
    assert through(folder, model, changed, form)[0] == len(changed)


def test_a_longer_and_a_shorter_text_use_what_they_share(
    tiny: tuple[Model, Tokenizer], folder: Folder
) -> None:
    model, tokenizer = tiny
    ids = ids_of(tokenizer)
    through(folder, model, ids[:300])
    done: list[tuple[int, int]] = []
    assert through(folder, model, ids, on_prefill=lambda *counts: done.append(counts))[0] == 256
    assert done == [(384, 450), (450, 450)]
    reused, cache, _ = through(folder, model, ids[:290])
    assert reused == 256
    assert bits(cache) == bits(cold(model, ids[:290]))


def test_the_entry_that_saves_most_is_used(tiny: tuple[Model, Tokenizer], folder: Folder) -> None:
    model, tokenizer = tiny
    ids = ids_of(tokenizer)
    for length in (300, 400, 200):
        through(folder, model, ids[:length])
    assert through(folder, model, ids)[0] == 384


def test_an_interrupted_prefill_goes_on_where_it_stopped(
    loaded: tuple[Model, Tokenizer], folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(model: Model, tokens: mx.array, cache: list[Any], on_prefill: Any, step: int) -> None:
        prefill(model, tokens[: 2 * step], cache, on_prefill, step)
        model(tokens[None, 2 * step : 3 * step], cache=cache)  # begun and not done
        raise KeyboardInterrupt

    model, tokenizer = loaded
    ids, messages, cache = ids_of(tokenizer), list[str](), model.make_cache()
    store = PrefixStore(model, folder, prefill_step=STEP, notify=messages.append)
    with monkeypatch.context() as patch:
        patch.setattr(reuse, "prefill", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.prefill(ids, cache, len(ids) + 10)
    assert messages == ["256 of 450 tokens are kept; ask again to go on from there"]
    reused, cache, _ = through(folder, model, ids)
    assert reused == 2 * STEP
    assert bits(cache) == bits(cold(model, ids))
    assert [stored.tokens for stored in folder.files()] == [len(ids)]  # the part is no longer needed


def test_an_interrupt_before_the_first_step_stores_nothing(
    tiny: tuple[Model, Tokenizer], folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    model, tokenizer = tiny
    monkeypatch.setattr(reuse, "prefill", interrupt)
    with pytest.raises(KeyboardInterrupt):
        through(folder, model, ids_of(tokenizer))
    assert folder.files() == []


def test_an_entry_that_shares_only_a_part_stays(tiny: tuple[Model, Tokenizer], folder: Folder) -> None:
    model, tokenizer = tiny
    ids = ids_of(tokenizer)
    for length in (300, 450):
        through(folder, model, ids[:length])
    assert sorted(stored.tokens for stored in folder.files()) == [300, 450]


def test_texts_that_share_less_than_a_step_share_nothing(
    tiny: tuple[Model, Tokenizer], folder: Folder
) -> None:
    model, tokenizer = tiny
    ids = ids_of(tokenizer)
    through(folder, model, ids)
    assert through(folder, model, [*ids[: STEP - 1], *ids[200:400]])[0] == 0


def test_cache_formats_share_nothing_and_leave_each_other_alone(
    tiny: tuple[Model, Tokenizer], folder: Folder
) -> None:
    model, tokenizer = tiny
    ids = ids_of(tokenizer, 200)
    results = [through(folder, model, ids, form) for form in FORMATS]
    assert [(reused, messages) for reused, _, messages in results] == [(0, [])] * len(FORMATS)
    assert len(folder.files()) == len(FORMATS)


def test_reuse_counts_as_use(tiny: tuple[Model, Tokenizer], folder: Folder) -> None:
    model, tokenizer = tiny
    ids = ids_of(tokenizer)
    through(folder, model, ids[:200])
    through(folder, model, ids[200:])
    assert folder.files()[0].tokens == 250
    through(folder, model, ids[:200])
    assert folder.files()[0].tokens == 200


@pytest.mark.parametrize(
    ("policy", "rope", "lengths"),
    [("prompt", "dca", 384), ("position", "dca", 10**9), ("off", "dca", 10**9), ("prompt", "plain", 10**9)],
)
def test_only_prompts_whose_temperature_is_their_own_alone_are_not_reusable(
    policy: str, rope: str, lengths: int
) -> None:
    model, _ = load("tiny", rope=rope, length_factor=policy)
    assert is_reusable(model, lengths)
    assert is_reusable(model, lengths + 1) == (lengths == 10**9)


def test_a_prompt_with_a_temperature_of_its_own_is_neither_stored_nor_served(folder: Folder) -> None:
    model, tokenizer = load("tiny", length_factor="prompt")
    ids = ids_of(tokenizer)
    for _ in range(2):
        reused, cache, _ = through(folder, model, ids)
        assert reused == 0
        assert bits(cache) == bits(cold(model, ids))
    assert folder.files() == []
    short = ids[:300]
    assert [through(folder, model, short)[0] for _ in range(2)] == [0, 300]
    assert through(folder, model, ids)[0] == 0  # its first 256 tokens are stored, at another temperature


def test_a_whole_prompt_is_refused(tiny: tuple[Model, Tokenizer], folder: Folder) -> None:
    """The first logits need a pass, and a pass needs a token."""
    model, _ = tiny
    store = PrefixStore(model, folder)
    for tokens, length in (([1, 2], 2), ([], 2), ([1, 2, 3], 2)):
        with pytest.raises(ValueError, match="no beginning"):
            store.prefill(tokens, model.make_cache(), length)


def test_a_limit_of_nothing_stores_nothing_and_says_nothing(
    tiny: tuple[Model, Tokenizer], folder: Folder
) -> None:
    model, tokenizer = tiny
    off = Folder(folder.path, 0)
    assert through(off, model, ids_of(tokenizer, 200))[::2] == (0, [])
    assert not off.path.exists()


def test_a_text_above_the_limit_is_computed_and_that_is_said(
    tiny: tuple[Model, Tokenizer], folder: Folder
) -> None:
    model, tokenizer = tiny
    ids = ids_of(tokenizer, 200)
    reused, cache, messages = through(Folder(folder.path, 1000), model, ids)
    assert reused == 0
    assert bits(cache) == bits(cold(model, ids))
    assert len(messages) == 1
    assert "more than the limit of 1000 B" in messages[0]


@pytest.mark.parametrize("broken", ["sweep", "files", "add"])
def test_a_disk_that_fails_costs_time_and_never_the_answer(
    tiny: tuple[Model, Tokenizer], folder: Folder, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    model, tokenizer = tiny
    ids = ids_of(tokenizer, 200)
    monkeypatch.setattr(folder, broken, fail)
    _, cache, messages = through(folder, model, ids)
    assert bits(cache) == bits(cold(model, ids))
    assert len(messages) == 1
    assert "Input/output error" in messages[0]


def test_a_folder_that_cannot_be_made_costs_no_answer(tiny: tuple[Model, Tokenizer], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    model, tokenizer = tiny
    reused, _, messages = through(
        Folder(tmp_path / "file" / "prefixes", 2**40), model, ids_of(tokenizer, 200)
    )
    assert (reused, len(messages)) == (0, 1)


def test_the_header_says_what_people_want_to_know(tiny: tuple[Model, Tokenizer], folder: Folder) -> None:
    model, tokenizer = tiny
    store = PrefixStore(model, folder, "tiny", prefill_step=STEP)
    store.prefill(ids_of(tokenizer, 200), model.make_cache(), 1000, "chronicle.txt")
    with folder.files()[0].path.open("rb") as file:
        facts = read_header(file).facts
    assert (facts["label"], facts["model"], facts["computed.rope"]) == ("chronicle.txt", "tiny", "dca")
    assert facts["created"].endswith("+00:00")
