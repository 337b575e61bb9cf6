"""The models screen: choosing, whether it fits, downloading inside it, and what is typed."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.widgets import Static

from app.chat.engine.messages import Fitted
from app.chat.models.download import Meter
from app.chat.options import Options, Setup
from app.chat.screens.choice import Choice
from app.chat.screens.models import Models
from qwen2_mlx.errors import ModelNotFoundError
from tests.app.chat.models.test_installed import QUANTISED, entry
from tests.app.chat.screens.host import Hand, box, buttons, show
from tests.app.chat.screens.sample import assert_nothing_escapes
from tests.app.chat.scripted import model_info

LINE = "weights 4.3 + KV 7.0 at 32K + work 0.6 of 27.0 GB safe"


class Asked:
    """A session that keeps the questions; `answer` replies to all from now on."""

    def __init__(self, options: Options | None = None, answer: Fitted | None = None) -> None:
        self.options, self.model = options or Options(), None
        self.answer = answer
        self.questions: list[tuple[Setup, int, Callable[[Fitted], None]]] = []

    def fit(self, setup: Setup, context: int, reply: Callable[[Fitted], None]) -> None:
        self.questions.append((setup, context, reply))
        if self.answer is not None:
            reply(self.answer)


def models(session: Any, tmp_path: Path, *folders: str, fetch: Any = None) -> Models:
    return Models(session, folders, cache=tmp_path / "cache", fetch=fetch)


def told(hand: Hand[Any], id: str) -> str:
    return str(hand.app.screen.query_one(f"#{id}", Static).render())


FITS = Fitted(1, True, LINE, 131072)


def test_enter_loads_what_is_highlighted(tmp_path: Path) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.sees("tiny", "tiny-moe", "1.8 MB", "fits; the most is 128K", LINE)
        await hand.press("down", "enter")
        assert await hand.result() == Setup("tiny-moe")

    show(models(Asked(answer=FITS), tmp_path), play)


def test_the_model_of_the_chat_is_highlighted_and_the_open_one_marked(tmp_path: Path) -> None:
    session: Any = Asked(Options(setup=Setup("tiny-moe", "yarn", "8", 10**10)), FITS)
    session.model = model_info(Setup("tiny-moe"))

    async def play(hand: Hand[Any]) -> None:
        await hand.sees("• tiny-moe", "[yarn]", "[8]")
        await hand.press("enter")
        assert await hand.result() == Setup("tiny-moe", "yarn", "8", 10**10)

    show(models(session, tmp_path), play)


def test_length_positions_and_bits_are_chosen_by_keys_and_asked_for(tmp_path: Path) -> None:
    session = Asked(answer=FITS)

    async def play(hand: Hand[Any]) -> None:
        await hand.sees("fits;")
        await hand.tab_to("context")
        await hand.press("right")
        await hand.tab_to("rope")
        await hand.press("right", "right")
        await hand.tab_to("kv")
        await hand.press("right")
        wanted = (Setup("tiny", "yarn", "16"), 65536)
        await hand.until(lambda: session.questions[-1][:2] == wanted)
        await hand.press("tab")
        assert buttons(hand) == {"load"}
        await hand.press("enter")
        assert await hand.result() == wanted[0]

    show(models(session, tmp_path), play)


def test_more_than_the_model_handles_is_not_asked_as_a_question_of_memory(tmp_path: Path) -> None:
    session = Asked(Options(context=1024**2), FITS)

    async def play(hand: Hand[Any]) -> None:
        await hand.sees("[1M]", "its positions end at 6K")
        assert session.questions[-1][1] == 6144

    show(models(session, tmp_path), play)


def test_a_late_answer_to_an_older_question_is_ignored(tmp_path: Path) -> None:
    session = Asked()

    async def play(hand: Hand[Any]) -> None:
        await hand.until(lambda: session.questions)
        await hand.press("down")
        await hand.until(lambda: len(session.questions) >= 2 and session.questions[-1][0].model == "tiny-moe")
        session.questions[-1][2](Fitted(2, True, "the newer line", 0))
        session.questions[0][2](Fitted(1, True, "the older line", 0))
        await hand.pilot.pause()
        assert "the newer line" in told(hand, "fit")
        await hand.press("escape")
        await hand.result()
        session.questions[-1][2](Fitted(3, True, "after the end", 0))  # no crash

    show(models(session, tmp_path), play)


def test_what_does_not_fit_can_be_loaded_anyway(tmp_path: Path) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.sees("! does not fit; fits to 96K")
        await hand.press("enter")
        assert await hand.result() == Setup("tiny")

    show(models(Asked(answer=Fitted(1, False, LINE, 98304)), tmp_path), play)


def test_weights_too_large_for_the_memory_are_loaded_only_after_a_question(tmp_path: Path) -> None:
    async def play(hand: Hand[Any]) -> None:
        await hand.sees("the weights alone are too large")
        await hand.press("enter")
        await hand.sees("Sure?", "Load anyway")
        await hand.press("n")
        assert not hand.closed
        await hand.press("enter")
        await hand.sees("Sure?")
        await hand.press("y")
        assert await hand.result() == Setup("tiny")

    show(models(Asked(answer=Fitted(1, False, LINE, 0)), tmp_path), play)


def test_unloading(tmp_path: Path) -> None:
    session: Any = Asked(answer=FITS)
    session.model = model_info()

    async def play(hand: Hand[Any]) -> None:
        await hand.tab_to("unload")
        await hand.press("enter")
        assert await hand.result() == "unload"

    show(models(session, tmp_path), play)


def test_typing_finds_and_a_folder_or_hub_id_is_offered(tmp_path: Path) -> None:
    entry(tmp_path / "cache", "owner/nice-model", QUANTISED)
    snapshot = tmp_path / "cache" / "models--owner--nice-model" / "snapshots"
    folder = next(snapshot.iterdir())

    async def play(hand: Hand[Any]) -> None:
        await hand.sees("owner/nice-model")
        await hand.type("nice")
        await hand.until(lambda: "tiny-moe" not in hand.text)
        assert "owner/nice-model" in hand.text
        box(hand).value = "someone/else"
        await hand.sees("someone/else", "download", "Download")
        box(hand).value = "nothing like it"
        await hand.sees("no model of that name")
        await hand.press("enter")
        assert not hand.closed
        box(hand).value = str(folder)
        await hand.sees("100 kB")
        await hand.press("enter")
        assert await hand.result() == Setup(str(folder))

    show(models(Asked(answer=FITS), tmp_path), play)


def test_a_broken_model_says_why_and_does_not_load(tmp_path: Path) -> None:
    entry(tmp_path / "cache", "owner/broken", b"{")

    async def play(hand: Hand[Any]) -> None:
        await hand.sees("! broken")
        await hand.type("broken")
        await hand.until(lambda: "cannot be read" in told(hand, "fit"))
        await hand.press("enter")
        await hand.until(lambda: "cannot be read" in hand.problem)
        assert not hand.closed

    show(models(Asked(answer=FITS), tmp_path), play)


def test_a_folder_without_weights_is_not_looked_for_on_the_hub(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text(json.dumps(QUANTISED))

    async def play(hand: Hand[Any]) -> None:
        await hand.sees("! lacks the weights")
        await hand.type("mine")
        await hand.until(lambda: "tiny-moe" not in hand.text)
        await hand.press("enter")
        await hand.until(lambda: "this folder lacks the weights" in hand.problem)

    show(models(Asked(answer=FITS), tmp_path, str(tmp_path / "mine")), play)


class FakeFetch:
    """A hub whose bytes come when the test lets them."""

    def __init__(self, cache: Path, error: str = "") -> None:
        self.cache, self.error = cache, error
        self.go, self.half = threading.Event(), threading.Event()
        self.ended: list[str] = []
        self.begun = 0

    def __call__(self, hub_id: str, meter: Meter) -> Path:
        self.begun += 1
        try:
            meter.expect(4_000_000_000, 1_000_000_000 if self.begun > 1 else 0)
            meter.add(1_000_000_000)
            self.half.set()
            while not self.go.wait(0.005):
                meter.check()
            if self.error:
                raise ModelNotFoundError(self.error)
            meter.add(3_000_000_000)
            return entry(self.cache, hub_id, QUANTISED)
        finally:
            self.ended.append(hub_id)


def test_a_download_shows_its_progress_and_then_the_model_is_here(tmp_path: Path) -> None:
    fetch = FakeFetch(tmp_path / "cache")

    async def play(hand: Hand[Any]) -> None:
        box(hand).value = "owner/new"
        await hand.sees("owner/new", "Download")
        await hand.press("enter")
        await hand.sees("25% 1.0 GB of 4.0 GB", "esc stops the download")
        await hand.press("enter")
        assert "a download is running" in hand.problem
        fetch.go.set()
        await hand.until(lambda: "25%" not in hand.text and "Load" in hand.text and "512" in hand.text)
        await hand.press("enter")
        assert (await hand.result()).model == "owner/new"

    show(models(Asked(answer=FITS), tmp_path, fetch=fetch), play)


def test_escape_stops_a_download_keeps_the_screen_and_it_goes_on_later(tmp_path: Path) -> None:
    fetch = FakeFetch(tmp_path / "cache")

    async def play(hand: Hand[Any]) -> None:
        box(hand).value = "owner/new"
        await hand.sees("owner/new", "Download")
        await hand.press("enter")
        await hand.sees("25%")
        await hand.press("escape")
        await hand.until(lambda: fetch.ended)
        assert not hand.closed
        assert hand.problem.startswith("! stopped; choosing it again goes on")
        await hand.press("enter")
        await hand.sees("50%")
        await hand.press("escape", "escape")
        assert await hand.result() is None
        await hand.until(lambda: len(fetch.ended) == 2)

    show(models(Asked(answer=FITS), tmp_path, fetch=fetch), play)


def test_a_download_that_fails_is_one_line(tmp_path: Path) -> None:
    fetch = FakeFetch(tmp_path / "cache", "there is no model owner/new on the hub; check the spelling")
    fetch.go.set()

    async def play(hand: Hand[Any]) -> None:
        box(hand).value = "owner/new"
        await hand.sees("Download")
        await hand.press("enter")
        await hand.until(lambda: "there is no model owner/new" in hand.problem)
        await hand.press("escape")
        assert await hand.result() is None

    show(models(Asked(answer=FITS), tmp_path, fetch=fetch), play)


def test_closing_the_app_stops_the_download(tmp_path: Path) -> None:
    fetch = FakeFetch(tmp_path / "cache")

    async def play(hand: Hand[Any]) -> None:
        box(hand).value = "owner/new"
        await hand.sees("Download")
        await hand.press("enter")
        await hand.until(fetch.half.is_set)

    show(models(Asked(answer=FITS), tmp_path, fetch=fetch), play)
    for _ in range(1000):
        if fetch.ended:
            return
        threading.Event().wait(0.01)
    raise AssertionError("the thread goes on")


def test_hostile_names_and_lines_are_only_text(tmp_path: Path) -> None:
    folder = tmp_path / "[red]e\x1b[31mvil\u202e"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "\\u001b[31m"}')
    answer = Fitted(1, None, "[red]line\x1b[2J\nnext")

    async def play(hand: Hand[Any]) -> None:
        await hand.sees("[red]e[31mvil", "[red]line")
        await hand.type("vil")
        await hand.until(lambda: "tiny-moe" not in hand.text)
        await hand.press("enter")
        await hand.until(lambda: hand.problem)
        assert_nothing_escapes(hand.text)

    show(models(Asked(answer=answer), tmp_path, str(folder)), play)


def test_the_choice_goes_round_with_one_key() -> None:
    choice = Choice(("a", "b", "c"), "c")
    assert choice.value == "c"
    choice.action_step(1)
    assert choice.value == "a"
    choice.action_step(-1)
    assert choice.value == "a"
    assert Choice(("a", "b"), "unknown").value == "a"
