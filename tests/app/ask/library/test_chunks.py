"""Cutting and indexing: once, transaction by transaction, whoever is killed and whoever else writes."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from app.ask.documents.document import Heading
from app.ask.library import Chunk, Library, Term, chunks
from qwen2_mlx.errors import Qwen2Error
from tests.app.ask.library.samples import cutter, document, prose
from tests.app.programs import ROOT

#: Cuts the file whose id it is given, and says when it has stored something, then the set's id.
_PROGRAM = """
import sys
from pathlib import Path
from app.ask.library import Library, chunks
from tests.app.ask.library.samples import cutter
chunks.AT_ONCE = 8
with Library.open(Path(sys.argv[1])) as library:
    told = []

    def tell(done, total):
        told.append(done)
        if len(told) == 2:
            print("begun", flush=True)

    print(library.cut(int(sys.argv[2]), cutter(), tell), flush=True)
"""


def start(place: Path, file: int) -> "subprocess.Popen[str]":
    """A program that cuts the file."""
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(place), str(file)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def without_ids(found: list[Chunk]) -> list[tuple[int, int, int, int]]:
    return [(chunk.start, chunk.end, chunk.tokens, chunk.overlap) for chunk in found]


def whole(library: Library, text: str, headings: tuple[Heading, ...] = ()) -> list[tuple[int, int, int, int]]:
    """The chunks of a text as a single run without interruption cuts them."""
    return [(cut.start, cut.end, cut.tokens, cut.overlap) for cut in cutter().cut(text, headings)]


def test_a_set_holds_the_cutters_chunks_in_order(library: Library) -> None:
    text = prose(900) + "\n" + prose(100, language="zh")
    file = library.add(document(text, headings=[Heading(500, 1, "Two")]), None).id
    set_id = library.cut(file, cutter())
    found = library.chunks([set_id])
    assert without_ids(list(found)) == whole(library, text, (Heading(500, 1, "Two"),))
    assert {chunk.file for chunk in found} == {file}
    assert [chunk.id for chunk in found] == sorted({chunk.id for chunk in found})
    assert library.tokens([set_id]) == sum(chunk.tokens - chunk.overlap for chunk in found)


def test_a_file_is_cut_once_for_each_cutter(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    file = library.add(document(prose(50)), None).id
    one, two = library.cut(file, cutter()), library.cut(file, cutter(100, 20))
    assert one != two
    monkeypatch.setattr("app.ask.chunking.Cutter.cut", lambda *_: pytest.fail("cut again"))
    assert (library.cut(file, cutter()), library.cut(file, cutter(100, 20))) == (one, two)
    assert len(library.chunks([one])) > len(library.chunks([two]))


def test_sets_are_read_in_the_order_they_are_asked_for(library: Library) -> None:
    sets = [library.cut(library.add(document(prose(20, seed)), None).id, cutter()) for seed in (1, 2)]
    one, two = (library.chunks([set_id]) for set_id in sets)
    assert library.chunks(sets[::-1]) == [*two, *one]
    assert library.tokens(sets) == library.tokens(sets[:1]) + library.tokens(sets[1:])
    with pytest.raises(KeyError):
        library.chunks([77])
    with pytest.raises(KeyError):
        library.tokens([77])


def test_an_empty_document_has_an_empty_set(library: Library) -> None:
    set_id = library.cut(library.add(document(" \n "), None).id, cutter())
    assert (library.chunks([set_id]), library.tokens([set_id])) == ([], 0)


def test_progress_counts_characters_up_to_all_of_them(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "AT_ONCE", 16)
    text, told = prose(300), []
    library.cut(library.add(document(text), None).id, cutter(), lambda *done: told.append(done))
    assert told[0] == (0, len(text))
    assert told[-1] == (len(text), len(text))
    assert len(told) > 5
    assert told == sorted(told)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_cut_goes_on_where_it_was(
    library: Library, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    monkeypatch.setattr(chunks, "AT_ONCE", 16)
    text = prose(300)
    file = library.add(document(text), None).id
    seen: list[int] = []

    def stop_at_the_third(done: int, total: int) -> None:
        seen.append(done)
        if len(seen) == 3:
            raise error

    with pytest.raises(error):
        library.cut(file, cutter(), stop_at_the_third)
    again: list[int] = []
    set_id = library.cut(file, cutter(), lambda done, _: again.append(done))
    assert again[0] == seen[-1] > 0
    assert without_ids(list(library.chunks([set_id]))) == whole(library, text)
    assert library.verify() == []


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_kills_leave_a_whole_library_and_equal_chunks(place: Path, kills: int) -> None:
    text, rng = prose(1500 * kills), Random(7)
    with Library.open(place) as library:
        file = library.add(document(text), None).id
    progress = []
    for _ in range(kills):
        program = start(place, file)
        assert program.stdout
        assert program.stdout.readline() == "begun\n"
        time.sleep(rng.uniform(0, 0.1))
        program.send_signal(signal.SIGKILL)
        program.communicate()
        with Library.open(place) as library:
            assert library.verify() == []
            progress.append(library._database.rows("SELECT count(*) FROM chunks")[0][0])
    assert progress == sorted(set(progress))
    with Library.open(place) as library:
        set_id = library.cut(file, cutter())
        assert without_ids(list(library.chunks([set_id]))) == whole(library, text)
        assert library.verify() == []
        assert len(library.search([set_id], [Term("harbour")], 5)) == 5


def test_two_programs_that_cut_the_same_file_share_the_work(place: Path) -> None:
    text = prose(1500)
    with Library.open(place) as library:
        file = library.add(document(text), None).id
        programs = [start(place, file), start(place, file)]
        outputs = [program.communicate(timeout=120)[0] for program in programs]
        assert [program.returncode for program in programs] == [0, 0]
        sets = {int(output.split()[-1]) for output in outputs}
        assert len(sets) == 1
        assert without_ids(list(library.chunks(list(sets)))) == whole(library, text)
        assert library.verify() == []


def test_one_program_asks_while_another_indexes(place: Path) -> None:
    with Library.open(place) as library:
        file = library.add(document("The zebra left. " + prose(20)), None).id
        sets = [library.cut(file, cutter())]
        other = library.add(document(prose(3000), "other.txt"), None).id
        program = start(place, other)
        asked = 0
        while program.poll() is None:
            assert library.search(sets, [Term("zebra")], 5)[0].chunk.start == 0
            library.save_scores({str(asked): 1.0})
            asked += 1
        program.communicate()
        assert asked > 3
        assert program.returncode == 0
        assert library.verify() == []


def test_a_file_removed_while_it_is_cut_is_a_clear_error(place: Path) -> None:
    with Library.open(place) as library, Library.open(place) as other:
        file = library.add(document(prose(600)), None).id
        with pytest.raises(Qwen2Error, match="removed"):
            library.cut(file, cutter(), lambda *_: other.remove(file) if other.files() else None)
        assert library.verify() == []
        assert library._database.rows("SELECT count(*) FROM chunks")[0][0] == 0


def test_a_killed_removal_is_finished_by_the_next(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    file = library.add(document(prose(300)), None).id
    library.cut(file, cutter())
    monkeypatch.setattr("app.ask.library.files.sweep", lambda _: None)
    library.remove(file)
    assert library.files() == []
    assert library.verify() == []
    monkeypatch.undo()
    library.add(document("One."), None)
    assert library._database.rows("SELECT count(*) FROM chunks")[0][0] == 0
    assert library.verify() == []
