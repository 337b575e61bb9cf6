"""Several programs on one file: nobody loses anything, and nobody takes a living one for dead."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.chat.options import Options
from app.chat.store import Chat, Store
from app.chat.store.process import is_alive, this_process
from tests.app.chat.store.samples import GENERATION, check, say, texts
from tests.app.programs import ROOT

#: Begins an answer in chat 1, writes a piece of it, says so, and waits for its stdin to end.
ANSWERING = """
import sys
from pathlib import Path
from app.chat.store import Generation, Store
store = Store.open(Path(sys.argv[1]))
answer = store.begin_answer(1, store.chat(1).head, Generation("tiny"))
store.journal().append(answer.id, "as far as it")
print(answer.id, flush=True)
sys.stdin.read()
"""


@contextmanager
def answering(place: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another program that is writing an answer, and the answer's id."""
    program = subprocess.Popen(
        [sys.executable, "-c", ANSWERING, str(place)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    with program:
        yield program, int(program.stdout.readline())
        program.kill()


def test_an_answer_of_a_living_program_is_left_to_it(store: Store, chat: Chat) -> None:
    say(store, chat.id, "one")
    with answering(store.file) as (_, id):
        with Store.open(store.file) as other:
            message = other.message(id)
            assert (message.state, message.content) == ("streaming", "as far as it")
        say(store, chat.id, "meanwhile")
        assert store.message(id).state == "streaming"


def test_an_answer_of_a_dead_program_is_kept_as_far_as_it_came(store: Store, chat: Chat) -> None:
    say(store, chat.id, "one")
    with answering(store.file) as (program, id):
        program.kill()
    assert store.message(id).state == "streaming"  # nobody has looked yet
    with Store.open(store.file) as other:
        message = other.message(id)
        assert (message.state, message.content) == ("interrupted", "as far as it")
        assert message.finished is not None
        assert [hit.message for hit in other.search("far as")] == [id]
        assert other.path(chat.id)[-1].characters == 12
        more = other.resume_answer(id, GENERATION)
        assert more.content == "as far as it"
        check(other)


def test_only_the_dead_ones_of_several_are_interrupted(store: Store, chat: Chat) -> None:
    say(store, chat.id, "one")
    mine = store.begin_answer(chat.id, store.chat(chat.id).head, GENERATION)
    with answering(store.file) as (program, dead), answering(store.file) as (_, living):
        program.kill()
        program.wait()
        with Store.open(store.file) as other:
            states = [other.message(id).state for id in (mine.id, dead, living)]
    assert states == ["streaming", "interrupted", "streaming"]


def test_a_program_that_died_and_is_not_yet_buried_is_dead(store: Store, chat: Chat) -> None:
    with answering(store.file) as (program, id):
        program.kill()
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
        with Store.open(store.file) as other:
            assert other.message(id).state == "interrupted"


def test_a_number_that_was_given_to_another_process_is_noticed() -> None:
    pid, _, began = this_process().partition(":")
    assert began
    assert is_alive(this_process())
    assert is_alive(f"{pid}:")  # where nothing is known, the number decides
    assert not is_alive(f"{pid}:at another time")
    assert not is_alive(f"{2**22 + 1}:{began}")


@pytest.mark.parametrize("writer", ["", ":", "x", "-1:x", "0:x", f"{2**40}:x", "١:x"])
def test_what_names_no_process_is_dead(writer: str) -> None:
    assert not is_alive(writer)


def test_the_beginning_of_a_process_is_also_known_without_proc() -> None:
    from app.chat.store.process import _beginning_by_ps

    try:
        subprocess.run(["ps", "-o", "lstart=", "-p", "1"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs ps")
    assert _beginning_by_ps(os.getpid()) == _beginning_by_ps(os.getpid()) != ""
    assert _beginning_by_ps(2**22 + 1) == ""


def test_an_answer_taken_for_dead_by_mistake_is_finished_all_the_same(store: Store, chat: Chat) -> None:
    say(store, chat.id, "one")
    answer = store.begin_answer(chat.id, store.chat(chat.id).head, GENERATION)
    journal = store.journal()
    journal.append(answer.id, "the first")
    database = store._database
    database.run("UPDATE messages SET writer = '999999999:x' WHERE id = ?", (answer.id,))
    with Store.open(store.file) as other:
        assert other.message(answer.id).state == "interrupted"
    database.run("UPDATE messages SET writer = ? WHERE id = ?", (this_process(), answer.id))
    store.finish_answer(answer.id, "complete", content="the whole answer")
    assert store.message(answer.id).content == "the whole answer"
    assert store.search("first") == []
    assert [hit.message for hit in store.search("whole")] == [answer.id]
    check(store)


def test_programs_that_start_together_make_one_file(place: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from app.chat.store import Store; "
        "from app.chat.options import Options\n"
        "with Store.open(Path(sys.argv[1])) as store: store.new_chat(Options(), sys.argv[2])"
    )
    programs = [
        subprocess.Popen([sys.executable, "-c", code, str(place), f"n{number}"], cwd=ROOT)
        for number in range(4)
    ]
    assert [program.wait(timeout=60) for program in programs] == [0] * 4
    with Store.open(place) as store:
        assert sorted(chat.title for chat in store.chats()) == ["n0", "n1", "n2", "n3"]
        check(store)


def test_windows_that_write_at_once_lose_nothing(store: Store) -> None:
    chats = [store.new_chat(Options()).id for _ in range(3)]
    problems: list[BaseException] = []

    def write(chat: int) -> None:
        try:
            with Store.open(store.file) as own:
                say(own, chat, *(f"{chat}-{number}" for number in range(40)))
        except BaseException as error:  # noqa: BLE001 - it is shown below
            problems.append(error)

    threads = [threading.Thread(target=write, args=(chat,)) for chat in chats]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    for chat in chats:
        assert texts(store, chat) == [f"{chat}-{number}" for number in range(40)]
    check(store)


def test_a_chat_that_another_window_removed_is_one_line(store: Store, chat: Chat) -> None:
    from qwen2_mlx.errors import Qwen2Error

    (message,) = say(store, chat.id, "one")
    with Store.open(store.file) as other:
        other.delete_chat(chat.id)
        other.purge()
    for work in (
        lambda: store.add_message(chat.id, message.id, "assistant", "x"),
        lambda: store.begin_answer(chat.id, message.id, GENERATION),
        lambda: store.update_chat(chat.id, draft="x"),
        lambda: store.select(message.id),
        lambda: store.message(message.id),
    ):
        with pytest.raises(Qwen2Error, match="not there any more"):
            work()
