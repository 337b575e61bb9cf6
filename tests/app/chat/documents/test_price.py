"""The line of cost: honest about what is not known, and about what does not fit."""

from pathlib import Path

import pytest

from app.ask.chunking import Cutter
from app.ask.library import Library
from app.ask.speeds import Speeds
from app.chat.documents.planning import folder_of, plan_of
from app.chat.documents.price import _bytes, count_text, price_line, time_text
from app.chat.options import Setup
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.memory.limit import size_text
from tests.app.ask.levels.writing import document

TINY = Setup("tiny")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library.open(tmp_path / "library.sqlite")


def line(library: Library, texts: list[str], setup: Setup = TINY) -> str:
    plan = plan_of(setup)
    cutter = Cutter(plan.tokenizer, plan.sizes.chunk, plan.sizes.overlap)
    files = [library.add(document(text, f"{at}.txt"), None) for at, text in enumerate(texts)]
    return price_line(library, files, [library.cut(file.id, cutter) for file in files], plan, setup)


def measure(library: Library) -> None:
    """A machine that reads 1,000 tokens a second and writes 64."""
    speeds = Speeds(library, "tiny", "tiny")
    for rate, tokens in (("read", 1000), ("prefill", 1000), ("generate", 64)):
        speeds.measured(rate, tokens, 1.0)
    speeds.save()


SHORT = "The code of Ab is 5."
LONG = "The code of Ab is 5. " * 10_000


def test_a_short_text_is_taken_whole(library: Library) -> None:
    assert line(library, [SHORT]).endswith(" tokens · whole: time unknown until first used")
    measure(library)
    assert line(library, [SHORT]).endswith(" tokens · whole about 1 s")


def test_times_are_those_measured_here(library: Library) -> None:
    assert line(library, [LONG]).endswith(" · search and read everything: time unknown until first used")
    measure(library)
    said = line(library, [LONG])
    tokens = said.partition(" ")[0]
    assert tokens.endswith("k")
    seconds = float(tokens[:-1]) * 1000 / 1000
    assert said.startswith(f"{tokens} tokens · whole: no (takes ")
    assert "search about 1 s · read everything about " in said
    minutes = int(said.rpartition("about ")[2].removesuffix(" min"))
    assert seconds / 60 <= minutes <= 1.3 * seconds / 60 + 1


def test_what_was_measured_in_part_is_told_in_part(library: Library) -> None:
    Speeds(library, "tiny", "tiny").measured("read", 1000, 1.0)
    speeds = Speeds(library, "tiny", "tiny")
    speeds.measured("prefill", 1000, 1.0)
    speeds.measured("generate", 64, 1.0)
    speeds.save()
    assert line(library, [LONG]).endswith("search about 1 s · read everything unknown until first used")


def test_memory_is_named_where_it_is_what_lacks(library: Library) -> None:
    plan = plan_of(TINY)
    tokens = plan.tokenizer.count(LONG)
    needed = _bytes(tokens, TINY)
    assert needed is not None
    short = Setup("tiny", memory_limit=int(0.9 * needed))
    assert f" · whole: no (needs {size_text(needed)[:3]}" in line(library, [LONG], short)
    assert " · whole: no (takes " in line(library, [LONG], Setup("tiny", memory_limit=2 * needed))


def test_nothing_is_said_of_texts_without_text(library: Library) -> None:
    assert line(library, []) == ""


def test_nothing_is_downloaded() -> None:
    for model in ("7b", "somebody/some-model"):
        with pytest.raises(Qwen2Error, match="is not on this machine"):
            plan_of(Setup(model))
    with pytest.raises(Qwen2Error):
        folder_of("/nowhere")
    assert folder_of("tiny").is_dir()


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (41_234, "41.2k"),
        (412_345, "412k"),
        (999_499, "999k"),
        (999_600, "1.00M"),
        (1_040_000, "1.04M"),
        (12_345_678, "12.3M"),
        (123_456_789, "123M"),
    ],
)
def test_counts_have_three_figures(count: int, text: str) -> None:
    assert count_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown until first used"),
        (0.2, "under 1 s"),
        (2.4, "about 2 s"),
        (99, "about 99 s"),
        (100, "about 2 min"),
        (660, "about 11 min"),
        (5400, "about 90 min"),
        (7200, "about 2.0 h"),
    ],
)
def test_times_are_rounded_as_people_do(seconds: float | None, text: str) -> None:
    assert time_text(seconds) == text
