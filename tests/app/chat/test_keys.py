"""Every key of the table does what the table says. One scenario for each, played for each of its keys."""

import sys
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from app.ask.documents.read import read_document
from app.ask.library import Library
from app.chat.app import ChatApp
from app.chat.config import Config
from app.chat.engine.messages import Generate
from app.chat.keymap import keys_for
from app.chat.keys import KEYS
from app.chat.options import Options
from app.chat.screens.main import MainScreen
from app.chat.store import Attachment, Citation, Generation, Store
from app.chat.widgets.chat_list import ChatList
from app.chat.widgets.citations import Citations
from app.chat.widgets.doc_panel import DocPanel
from app.chat.widgets.find_bar import FindBar
from app.chat.widgets.heat_strip import HeatStrip
from app.chat.widgets.transcript import Transcript
from tests.app.chat.screen import ChatScreen, play

#: Plays with the screen; the second argument is the key to press.
Scenario = Callable[[ChatScreen, str], Awaitable[None]]

SCENARIOS: dict[str, Scenario] = {}
ANSWERS = ["one", "two", "three", "four"]


def key(id: str) -> Callable[[Scenario], Scenario]:
    """Enters a scenario for the key of this id."""

    def enter(scenario: Scenario) -> Scenario:
        assert id not in SCENARIOS
        SCENARIOS[id] = scenario
        return scenario

    return enter


async def in_transcript(see: ChatScreen, *questions: str) -> Transcript:
    """Asks, and goes into the conversation."""
    for question in questions:
        await see.ask(question)
        await see.until_idle()
    await see.press("escape")
    await see.until(lambda: see.focused == "Transcript")
    return see.app.main.transcript


@key("prompt.send")
async def sends(see: ChatScreen, press: str) -> None:
    await see.type("hi")
    await see.press(press)
    await see.until(lambda: see.texts == ["hi", "one"])
    assert see.prompt.text == ""


@key("prompt.newline")
async def breaks_the_line(see: ChatScreen, press: str) -> None:
    await see.press("a", press, "b")
    assert see.prompt.text == "a\nb"
    assert see.texts == []


@key("prompt.earlier")
async def brings_back_what_was_asked(see: ChatScreen, press: str) -> None:
    await see.ask("first")
    await see.ask("second")
    await see.type("draft")
    await see.press(press)
    assert see.prompt.text == "second"
    await see.press(press)
    assert see.prompt.text == "first"


@key("prompt.later")
async def goes_back_to_the_draft(see: ChatScreen, press: str) -> None:
    await see.ask("first")
    await see.type("draft")
    await see.press("up")
    await see.until(lambda: see.prompt.text == "first")
    await see.press(press)
    assert see.prompt.text == "draft"


@key("prompt.editor")
async def writes_with_the_editor(see: ChatScreen, press: str) -> None:
    await see.type("draft")
    await see.press(press)
    await see.until(lambda: see.prompt.text == "draft and more")


@key("stop")
async def stops_once_then_changes_places(see: ChatScreen, press: str) -> None:
    see.engine.answers.clear()
    await see.ask("hi")
    see.engine.say("The har")
    await see.press(press)
    await see.until(lambda: see.messages[-1].state == "stopped")
    assert see.texts[-1] == "The har"
    assert see.focused == "Prompt"
    await see.press(press)
    assert see.focused == "Transcript"
    await see.press(press)
    assert see.focused == "Prompt"


@key("chat.new")
async def begins_a_chat(see: ChatScreen, press: str) -> None:
    await see.ask("hi")
    await see.until_idle()
    await see.press(press)
    await see.until(lambda: see.session.chat is None)
    assert see.texts == []


@key("chat.switch")
async def finds_a_chat(see: ChatScreen, press: str) -> None:
    await see.ask("about harbours")
    await see.until_idle()
    await see.press("ctrl+n")
    await see.press(press)
    await see.until_box("Switcher")
    await see.type("harbours")
    await see.until_seen("about harbours")
    await see.pilot.pause(0.2)
    await see.press("enter")
    await see.until(lambda: see.texts[:1] == ["about harbours"])


@key("find")
async def finds_words(see: ChatScreen, press: str) -> None:
    await see.ask("about harbours")
    await see.press(press)
    await see.until(lambda: see.find(FindBar).is_open)
    await see.type("harbours")
    await see.until_seen("1 of 1")


@key("answer.retry")
async def answers_again(see: ChatScreen, press: str) -> None:
    await see.ask("hi")
    await see.until_idle()
    await see.press(press)
    await see.until(lambda: see.texts == ["hi", "two"])
    assert see.messages[-1].siblings == 2


@key("chat.settings")
async def opens_settings(see: ChatScreen, press: str) -> None:
    await see.press(press)
    await see.until_box("ChatSettings")


@key("documents")
async def shows_and_hides_documents(see: ChatScreen, press: str) -> None:
    assert not see.find(DocPanel).display
    await see.press(press)
    await see.until(lambda: see.find(DocPanel).display)
    await see.press(press)
    await see.until(lambda: not see.find(DocPanel).display)


@key("chat.list")
async def shows_and_hides_the_list(see: ChatScreen, press: str) -> None:
    assert see.find(ChatList).display
    await see.press(press)
    await see.until(lambda: not see.find(ChatList).display)
    await see.press(press)
    await see.until(lambda: see.find(ChatList).display)


@key("chat.export")
async def exports(see: ChatScreen, press: str) -> None:
    await see.ask("hi")
    await see.until_idle()
    await see.press(press)
    await see.until_box("Export")


@key("palette")
async def opens_the_palette(see: ChatScreen, press: str) -> None:
    await see.press(press)
    await see.until_box("CommandPalette")
    await see.until_seen("Begin a new chat")


@key("help")
async def opens_the_help(see: ChatScreen, press: str) -> None:
    await see.press(press)
    await see.until_box("Help")
    await see.until_seen("Begin a new chat")


@key("models")
async def opens_the_models(see: ChatScreen, press: str) -> None:
    await see.press(press)
    await see.until_box("Models")


@key("copy")
async def copies_stops_or_quits(see: ChatScreen, press: str) -> None:
    await see.type("hi")
    see.prompt.select_all()
    await see.press(press)
    await see.until(lambda: see.app.clipboard == "hi")
    see.engine.answers.clear()
    await see.ask("hi")
    await see.press(press)
    await see.until(lambda: see.messages[-1].state == "stopped")
    await see.press(press)
    assert see.app.is_running
    await see.press(press)
    await see.until(lambda: see.app.return_code == 0)


@key("quit")
async def quits(see: ChatScreen, press: str) -> None:
    await see.press(press)
    await see.until(lambda: see.app.return_code == 0)


@key("transcript.next")
async def goes_to_the_next_message(see: ChatScreen, press: str) -> None:
    transcript = await in_transcript(see, "first", "second")
    await see.press("home")
    await see.press(press)
    assert transcript.current == see.messages[1].id


@key("transcript.previous")
async def goes_to_the_message_before(see: ChatScreen, press: str) -> None:
    transcript = await in_transcript(see, "first", "second")
    await see.press("end")
    await see.press(press)
    assert transcript.current == see.messages[-2].id


@key("transcript.first")
async def goes_to_the_first_message(see: ChatScreen, press: str) -> None:
    transcript = await in_transcript(see, "first", "second")
    await see.press(press)
    assert transcript.current == see.messages[0].id


@key("transcript.last")
async def goes_to_the_last_message(see: ChatScreen, press: str) -> None:
    transcript = await in_transcript(see, "first", "second")
    await see.press("home")
    await see.press(press)
    assert transcript.current == see.messages[-1].id


@key("transcript.page")
async def turns_a_page_on(see: ChatScreen, press: str) -> None:
    transcript = await in_transcript(see, "\n".join(f"- {n}" for n in range(100)))
    await see.press("home")
    before = transcript.top
    await see.press(press)
    assert transcript.top > before


@key("transcript.back")
async def turns_a_page_back(see: ChatScreen, press: str) -> None:
    transcript = await in_transcript(see, "\n".join(f"- {n}" for n in range(100)))
    await see.press("end")
    before = transcript.top
    await see.press(press)
    assert transcript.top < before


async def _two_versions(see: ChatScreen) -> None:
    await in_transcript(see, "hi")
    await see.press("ctrl+r")
    await see.until(lambda: see.texts == ["hi", "two"])
    await see.until_idle()
    await see.press("end")


@key("sibling.previous")
async def shows_the_version_before(see: ChatScreen, press: str) -> None:
    await _two_versions(see)
    await see.press(press)
    await see.until(lambda: see.texts == ["hi", "one"])


@key("sibling.next")
async def shows_the_next_version(see: ChatScreen, press: str) -> None:
    await _two_versions(see)
    await see.press("left_square_bracket")
    await see.until(lambda: see.texts == ["hi", "one"])
    await see.press(press)
    await see.until(lambda: see.texts == ["hi", "two"])


@key("message.edit")
async def edits_as_a_new_branch(see: ChatScreen, press: str) -> None:
    await in_transcript(see, "frist")
    await see.press("home")
    await see.press(press)
    await see.until(lambda: see.prompt.text == "frist")
    see.prompt.write("first")
    await see.press("enter")
    await see.until(lambda: see.texts == ["first", "two"])
    assert see.messages[0].siblings == 2


@key("message.retry")
async def answers_a_message_again(see: ChatScreen, press: str) -> None:
    await in_transcript(see, "hi")
    await see.press(press)
    await see.until(lambda: see.texts == ["hi", "two"])


@key("message.continue")
async def goes_on_with_a_stopped_answer(see: ChatScreen, press: str) -> None:
    see.engine.answers.clear()
    await see.ask("hi")
    see.engine.say("The har")
    await see.press("escape")
    await see.until_idle()
    see.engine.answers.append("bour.")
    await in_transcript(see)
    await see.press(press)
    await see.until(lambda: see.texts[-1] == "The harbour.")
    assert see.engine.of(Generate)[-1].resume


@key("message.copy")
async def copies_a_message(see: ChatScreen, press: str) -> None:
    await in_transcript(see, "hi")
    await see.press(press)
    await see.until(lambda: see.app.clipboard == "one")


@key("code.copy")
async def copies_a_code_block(see: ChatScreen, press: str) -> None:
    see.engine.answers[:] = ["text\n\n```python\nprint(1)\n```\n"]
    await in_transcript(see, "hi")
    await see.press(press)
    await see.until(lambda: see.app.clipboard.strip() == "print(1)")


@key("message.delete")
async def deletes_a_message(see: ChatScreen, press: str) -> None:
    await in_transcript(see, "hi")
    await see.press(press)
    await see.until(lambda: see.texts == ["hi"])


@key("undo")
async def takes_a_deletion_back(see: ChatScreen, press: str) -> None:
    await in_transcript(see, "hi")
    await see.press("d")
    await see.until(lambda: see.texts == ["hi"])
    await see.press(press)
    await see.until(lambda: see.texts == ["hi", "one"])


@key("branches")
async def shows_the_branches(see: ChatScreen, press: str) -> None:
    await _two_versions(see)
    await see.press(press)
    await see.until_box("Branches")
    await see.until_seen("one")


@key("message.fold")
async def folds_a_message(see: ChatScreen, press: str) -> None:
    see.engine.answers[:] = ["unfolded words\n\n- more\n- and more"]
    await in_transcript(see, "hi")
    await see.press("end")
    await see.until_seen("and more")
    await see.press(press)
    await see.until(lambda: "and more" not in see.text)
    await see.press(press)
    await see.until_seen("and more")


def with_document(folder: Path) -> int:
    """Stores a chat with a document and an answer that cites it twice; returns the chat."""
    letter = folder / "letter.txt"
    letter.write_text("\n".join(f"Line {n} of the letter says {n * 7}." for n in range(400)))
    with Library.open(folder / "library.sqlite") as library:
        file = library.add(read_document(letter), letter)
    with Store.open(folder / "chats.sqlite") as store:
        chat = store.new_chat(Options())
        store.attach(chat.id, Attachment(file.id, file.sha256, file.name, str(letter), 0.0))
        question = store.add_message(chat.id, None, "user", "What does it say?")
        answer = store.begin_answer(chat.id, question.id, Generation("tiny"))
        where = [(n, n * 900, n * 900 + 20) for n in (1, 2)]
        citations = tuple(
            Citation(n, file.id, file.sha256, file.name, f"line {n}", start, end, "Line", "exact", 100.0)
            for n, start, end in where
        )
        store.finish_answer(
            answer.id,
            "complete",
            content="Seven [1] and more [2].",
            document={"status": "found", "standalone": "What does it say?"},
            citations=citations,
        )
    return chat.id


async def in_documents(see: ChatScreen) -> DocPanel:
    """Waits for the document, and goes there."""
    panel: DocPanel = see.find(DocPanel)
    await see.until(lambda: see.session.documents.ready)
    await see.until(lambda: panel.display)
    panel.focus()
    await see.pilot.pause()
    return panel


@key("citation.open")
async def opens_a_citation(see: ChatScreen, press: str) -> None:
    await in_transcript(see)
    await see.press(press)
    await see.until_box("Reader")


@key("documents.next")
async def goes_on_in_the_strip(see: ChatScreen, press: str) -> None:
    await in_documents(see)
    strip: HeatStrip = see.find(HeatStrip)
    await see.press("right")
    before = strip.cursor
    await see.press(press)
    assert (before or 0) < (strip.cursor or 0)


@key("documents.previous")
async def goes_back_in_the_strip(see: ChatScreen, press: str) -> None:
    await in_documents(see)
    strip: HeatStrip = see.find(HeatStrip)
    await see.press("right", "right")
    before = strip.cursor
    await see.press(press)
    assert (strip.cursor or 0) < (before or 0)


@key("documents.open")
async def opens_the_page(see: ChatScreen, press: str) -> None:
    await in_documents(see)
    await see.press("right", press)
    await see.until_box("Reader")


@key("documents.next_citation")
async def goes_to_the_next_citation(see: ChatScreen, press: str) -> None:
    await in_documents(see)
    cited: Citations = see.find(Citations)
    await see.press(press)
    await see.until(lambda: cited.chosen is not None)
    first = cited.chosen
    await see.press(press)
    await see.until(lambda: cited.chosen != first)


@key("documents.previous_citation")
async def goes_to_the_citation_before(see: ChatScreen, press: str) -> None:
    await in_documents(see)
    cited: Citations = see.find(Citations)
    await see.press("n", "n")
    second = cited.chosen
    await see.press(press)
    await see.until(lambda: cited.chosen is not None and cited.chosen != second)


NEED_DOCUMENT = {"citation.open", *(each.id for each in KEYS if each.where == "documents")}


@pytest.mark.parametrize(("id", "press"), [(each.id, name) for each in KEYS for name in keys_for(each, {})])
def test_a_key_does_what_the_table_says(
    id: str, press: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ChatApp, "suspend", lambda self: nullcontext())
    script = "import sys; open(sys.argv[1], 'a').write(' and more')"
    config = Config(editor=f'{sys.executable} -c "{script}"')
    chat = with_document(tmp_path) if id in NEED_DOCUMENT else None

    async def scenario(see: ChatScreen) -> None:
        assert isinstance(see.app.screen, MainScreen)
        await SCENARIOS[id](see, press)

    play(scenario, tmp_path, *ANSWERS, config=config, chat=chat)


def test_every_key_of_the_table_has_a_scenario() -> None:
    assert set(SCENARIOS) == {each.id for each in KEYS}
