"""Chunks cover a text in whole sentences and exact tokens, whatever the text is."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.ask import chunking
from app.ask.chunking import Cut, Cutter
from app.ask.documents.document import Heading
from qwen2_mlx.tokenizer import Tokenizer
from tests.app.ask.library.samples import cutter, prose, tiny_tokenizer

_PARTS = st.sampled_from(
    [
        *(
            "The mayor sold a boat. ",
            "Dr. Vann paid 3.50 for it! ",
            "老磨坊在河边。",
            "他走了！",
            "a",
            "\n",
            "\n\n",
            " ",
        ),
        *(
            " " * 70,
            "x" * 90,
            "1,2,3;4\n",
            "<|im_end|>",
            "\U0001f469\u200d\U0001f680",
            "e\u0301",
            "\t",
            "\x00",
        ),
        *("# Head\n", "\r\n", "“Yes.” ", "- item\n"),
    ]
)
_TEXTS = st.lists(_PARTS, max_size=120).map("".join)


def check(text: str, cuts: list[Cut], cutter: Cutter) -> None:
    """What holds for every text."""
    covered = 0
    for number, cut in enumerate(cuts):
        piece = text[cut.start : cut.end]
        assert piece == piece.strip() != ""
        assert cut.tokens == len(tiny_tokenizer().encode(piece)) <= cutter.size
        assert not text[covered : cut.start].strip()
        assert cut.end > covered
        assert number == 0 or cut.start > cuts[number - 1].start
        covered = cut.end
    assert not text[covered:].strip()


@pytest.mark.parametrize("block_size", [1 << 16, 128])
@given(text=_TEXTS, size=st.integers(12, 60), overlap=st.integers(0, 11))
@example(text="x" * 3000, size=20, overlap=5)
@example(text="word " * 600, size=20, overlap=5)
@example(text="\n".join(f"{i},{i * i}" for i in range(300)), size=30, overlap=8)
def test_chunks_hold_every_character_once_or_in_an_overlap(
    block_size: int, text: str, size: int, overlap: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunking, "BLOCK", block_size)
        patch.setattr(chunking, "REACH", block_size // 4)
        chosen = cutter(size, overlap)
        check(text, list(chosen.cut(text)), chosen)


@given(text=_TEXTS, size=st.integers(12, 60), overlap=st.integers(0, 11))
@settings(max_examples=60)
def test_a_cut_that_goes_on_after_any_chunk_is_the_same(text: str, size: int, overlap: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunking, "BLOCK", 128)
        patch.setattr(chunking, "REACH", 32)
        chosen = cutter(size, overlap)
        headings = [Heading(at, 1, "Head") for at in range(len(text)) if text.startswith("# Head", at)]
        cuts = list(chosen.cut(text, headings))
        for number, cut in enumerate(cuts):
            assert list(chosen.cut(text, headings, (cut.start, cut.end))) == cuts[number + 1 :]


def test_prose_is_cut_at_sentences_and_chunks_are_full() -> None:
    text, chosen = prose(3000), cutter(120, 30)
    assert len(text) > 2 * chunking.BLOCK
    cuts = list(chosen.cut(text))
    assert all(text[cut.end - 1] in ".!?" for cut in cuts)
    assert all(cut.start == 0 or text[cut.start - 1] in " \n" for cut in cuts)
    assert sum(cut.tokens for cut in cuts[:-1]) / len(cuts[:-1]) > 0.8 * chosen.size


def test_no_chunk_is_larger_than_any_size_that_is_asked_for() -> None:
    """A sentence may have more tokens without the space before it, and just fit with it."""
    text = prose(40)
    for size in range(4, 60):
        assert all(cut.tokens <= size for cut in cutter(size, 0).cut(text)), size


def test_blocks_end_where_paragraphs_do() -> None:
    text = prose(3000)
    borders = [chunking._border(text, number) for number in range(len(text) // chunking.BLOCK + 2)]
    assert borders[0] == 0
    assert borders[-1] == len(text)
    assert len(borders) > 3
    assert all(text[border] == "\n" for border in borders[1:-1])


def test_overlaps_are_whole_sentences_within_their_limit() -> None:
    text, chosen = prose(400), cutter(120, 40)
    cuts = list(chosen.cut(text))
    shared = [text[after.start : before.end] for before, after in pairwise(cuts)]
    counts = [len(tiny_tokenizer().encode(piece)) for piece in shared]
    assert max(counts) <= chosen.overlap
    assert sum(count > 0 for count in counts) > 0.8 * len(counts)
    for count, cut in zip(counts, cuts[1:], strict=True):
        assert abs(cut.overlap - count) <= 3


def test_tokens_without_overlaps_are_those_of_the_text() -> None:
    text = prose(600)
    counted = sum(cut.tokens - cut.overlap for cut in cutter(100, 30).cut(text))
    assert counted == pytest.approx(len(tiny_tokenizer().encode(text)), rel=0.02)


def test_chinese_is_cut_at_its_full_stops() -> None:
    text = prose(200, language="zh")
    assert all(text[cut.end - 1] in "。！？" for cut in cutter(200, 40).cut(text))


def test_a_table_without_full_stops_is_cut_at_its_lines() -> None:
    text = "\n".join(f"{row};Lamp {row % 7};{row * 3}" + ";x" * 20 for row in range(400))
    cuts = list(cutter(150, 0).cut(text))
    assert all(cut.end == len(text) or text[cut.end] == "\n" for cut in cuts)


def test_a_chunk_ends_before_a_heading_and_names_it() -> None:
    parts = [(f"Part {number}", prose(6, seed=number)) for number in range(20)]
    text, headings = "", []
    for number, (title, body) in enumerate(parts):
        headings.append(Heading(len(text), 1 if number % 5 == 0 else 2, title))
        text += f"{title}\n\n{body}\n\n"
    starts = [heading.start for heading in headings]
    cuts = list(cutter(150, 20).cut(text, headings))
    assert sum(cut.start in starts for cut in cuts) > 5
    for cut in cuts:
        part = sum(start <= cut.start for start in starts) - 1
        above = part - part % 5
        assert cut.heading == (f"Part {above}" if part == above else f"Part {above} > Part {part}")
        for inside in (start for start in starts if cut.start < start < cut.end):
            assert len(tiny_tokenizer().encode(text[cut.start : inside])) < 0.72 * 150


def test_a_heading_of_any_length_stays_short_in_the_path() -> None:
    text = "Prose stands here."
    headings = [Heading(0, level, "long " * 500) for level in range(1, 50)]
    assert len(next(cutter().cut(text, headings)).heading) <= 300


def test_control_tokens_in_a_text_count_as_the_text_they_are() -> None:
    text = "<|im_end|>" * 50
    cuts = list(cutter(20, 4).cut(text))
    assert len(cuts) > 20
    check(text, cuts, cutter(20, 4))


def test_white_space_alone_has_no_chunks() -> None:
    assert list(cutter().cut(" \n\t" * 1000)) == []
    assert list(cutter().cut("")) == []


@pytest.mark.parametrize("text", ["a " + " " * 200_000 + "b", "\n" * 200_000 + "b", "x" * 100_000])
def test_time_grows_with_the_length_of_any_text_and_not_faster(text: str) -> None:
    cuts = list(cutter(400, 60).cut(text))  # quadratic work would take minutes
    assert cuts[-1].end == len(text)


def test_equal_settings_have_equal_keys_and_others_have_others() -> None:
    keys = {cutter(64, 10).key, cutter(64, 10).key, cutter(64, 9).key, cutter(65, 10).key}
    assert len(keys) == 3


def test_a_tokenizer_with_other_content_has_another_key(shared_data: Path) -> None:
    other = Tokenizer.from_folder(shared_data / "qwen2-tokenizer")
    assert Cutter(other, 64, 10).key != cutter(64, 10).key


@pytest.mark.parametrize(("size", "overlap"), [(10, 10), (10, 11), (10, -1), (0, 0)])
def test_an_overlap_that_does_not_fit_is_a_bug(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        cutter(size, overlap)
