"""The prompt: typing, sending, completing, remembering."""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from textual.events import Key, Paste
from textual.widgets._toast import Toast

from app.chat.app import ChatApp
from app.chat.config import Config
from app.chat.engine.messages import Count
from app.chat.keymap import clashes
from app.chat.options import Options
from app.chat.store import Store, Template
from tests.app.chat.screen import ChatScreen, play


def toasts(see: ChatScreen) -> str:
    """All notices that are shown."""
    return "\n".join(str(toast.render()) for toast in see.app.screen.query(Toast))


def test_keys_that_arrive_at_once_are_taken_in_order(tmp_path: Path) -> None:
    """A terminal delivers fast typing as one block; Enter must not overtake the letters."""

    async def scenario(see: ChatScreen) -> None:
        for key in ("h", "i", "ctrl+j", "y", "enter", "m", "o"):
            see.app.post_message(Key(key, key if len(key) == 1 else None))
        await see.until(lambda: see.prompt.text == "mo")
        assert see.texts[0] == "hi\ny"

    play(scenario, tmp_path, "x")


def test_keys_of_the_app_come_after_what_was_typed_before_them(tmp_path: Path) -> None:
    """They are handled elsewhere than letters: a quick ctrl+n must not carry these into the next chat."""

    async def scenario(see: ChatScreen) -> None:
        for key in ("h", "i", "enter", "ctrl+n", "m", "o"):
            see.app.post_message(Key(key, key if len(key) == 1 else None))
        await see.until(lambda: see.prompt.text == "mo")
        assert see.session.chat is None or see.texts == []
        assert [chat.title for chat in see.store.chats()] == ["hi"]

    play(scenario, tmp_path, "x")


def test_a_refused_question_stays_in_the_prompt(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("first")
        await see.type("second")
        await see.press("enter")
        await see.pilot.pause()
        assert see.prompt.text == "second"
        assert len(see.texts) == 2
        assert "esc stops it" in toasts(see)

    play(scenario, tmp_path)


def test_a_backslash_before_enter_breaks_the_line(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.press("a", "backslash", "enter", "b")
        assert see.prompt.text == "a\nb"
        assert see.texts == []

    play(scenario, tmp_path, "x")


def test_a_blank_prompt_is_not_sent(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.press("space", "enter", "enter")
        assert see.texts == []

    play(scenario, tmp_path, "x")


def test_the_prompt_grows_with_its_text_and_no_further(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        assert see.prompt.size.height == 1
        see.prompt.write("1\n2\n3")
        await see.until(lambda: see.prompt.size.height == 3)
        see.prompt.write("\n".join("x" for _ in range(60)))
        await see.until(lambda: see.prompt.size.height == 10)

    play(scenario, tmp_path)


def test_up_within_a_text_moves_the_cursor(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("earlier")
        await see.until_idle()
        see.prompt.write("one\ntwo")
        await see.press("up")
        assert (see.prompt.text, see.prompt.cursor_location[0]) == ("one\ntwo", 0)
        await see.press("up")
        assert see.prompt.text == "earlier"

    play(scenario, tmp_path, "x")


def test_a_draft_comes_back_with_its_chat(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("first")
        await see.until_idle()
        first = see.session.chat
        assert first is not None
        await see.type("half a thought")
        await see.press("ctrl+n")
        await see.until(lambda: see.session.chat is None)
        assert see.prompt.text == ""
        see.app.main.open_chat(first.id)
        await see.until(lambda: see.prompt.text == "half a thought")

    play(scenario, tmp_path, "x")


def test_a_draft_is_stored_while_it_is_written(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.type("half a thought")
        await see.until(lambda: [chat.draft for chat in see.store.chats()] == ["half a thought"])

    play(scenario, tmp_path)


def test_a_draft_is_stored_when_the_reader_quits_at_once(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.type("half")
        await see.press("ctrl+q")

    play(scenario, tmp_path)
    with Store.open(tmp_path / "chats.sqlite") as store:
        assert [chat.draft for chat in store.chats()] == ["half"]


def test_a_sent_question_is_no_draft_any_more(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.type("half a thought")
        await see.until(lambda: see.session.chat is not None and see.session.chat.draft)
        await see.press("enter")
        await see.until(lambda: see.session.chat is not None and not see.session.chat.draft)

    play(scenario, tmp_path, "x")


def test_tokens_of_the_draft_are_counted_once_the_typing_pauses(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.type("one two three")
        await see.until(lambda: see.prompt.border_subtitle == "3 tok")
        assert len(see.engine.of(Count)) <= 3  # not one for each letter
        await see.press("enter")
        await see.until(lambda: see.prompt.border_subtitle == "")

    play(scenario, tmp_path, "x")


def test_leaving_an_edit_brings_the_draft_back(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("frist")
        await see.until_idle()
        await see.type("draft")
        await see.press("escape", "home", "e")
        await see.until(lambda: see.prompt.text == "frist")
        await see.press("escape")
        assert (see.prompt.text, see.prompt.editing) == ("draft", None)
        assert see.texts == ["frist", "x"]

    play(scenario, tmp_path, "x")


def test_a_slash_offers_commands_and_tab_takes_one(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.type("/ren")
        await see.until_seen("/rename title")
        await see.press("tab")
        assert see.prompt.text == "/rename "
        await see.type("Mine")
        await see.press("enter")
        await see.until_seen("empty")  # there is nothing to name yet

    play(scenario, tmp_path, "x")


def test_enter_takes_what_is_not_typed_out_and_sends_what_is(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.type("/hel")
        await see.press("enter")
        assert see.prompt.text == "/help "
        await see.press("enter")
        await see.until_box("Help")

    play(scenario, tmp_path)


def test_arrows_choose_in_the_menu_and_escape_closes_it(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.type("/")
        first = see.prompt.menu.candidate
        await see.press("down")
        assert see.prompt.menu.candidate != first
        await see.press("up", "up")
        assert see.prompt.menu.candidate not in (None, first)
        await see.press("escape")
        assert see.prompt.menu.candidate is None
        assert see.focused == "Prompt"

    play(scenario, tmp_path)


def test_an_unknown_command_is_not_sent_to_the_model(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        see.prompt.write("/renmae Mine")
        await see.press("enter")
        await see.pilot.pause()
        assert "/renmae" in toasts(see)
        assert (see.prompt.text, see.texts) == ("/renmae Mine", [])

    play(scenario, tmp_path, "x")


@pytest.mark.parametrize("text", ["/etc/hosts is what?", "/\nhello", "what is /help?", "/ help", " /new"])
def test_what_only_looks_like_a_command_is_sent(text: str, tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask(text)
        await see.until_idle()
        assert see.texts == [text.strip(), "x"]

    play(scenario, tmp_path, "x")


def test_a_template_is_written_into_the_prompt(tmp_path: Path) -> None:
    with Store.open(tmp_path / "chats.sqlite") as store:
        store.save_template(Template("short", "Be brief", "In one sentence: "))

    async def scenario(see: ChatScreen) -> None:
        await see.type("/sho")
        await see.press("tab")
        assert see.prompt.text == "In one sentence: "
        see.prompt.write("/short why?")
        await see.press("enter")
        await see.until(lambda: see.prompt.text == "In one sentence: why?")
        assert see.texts == []

    play(scenario, tmp_path)


def test_an_at_sign_attaches_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "letter.txt").write_text("The code is 5.")
    monkeypatch.chdir(tmp_path / "here")

    async def scenario(see: ChatScreen) -> None:
        await see.type("what @let")
        await see.until_seen("letter.txt")
        await see.press("enter")
        assert see.prompt.text == "what "
        await see.until(lambda: see.session.documents.ready)
        await see.until_seen("letter.txt")

    play(scenario, tmp_path)


def test_an_address_with_an_at_sign_offers_nothing(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.type("me@example")
        assert see.prompt.menu.candidate is None

    play(scenario, tmp_path)


def test_a_dropped_document_can_be_attached_or_kept_as_text(tmp_path: Path) -> None:
    letter = tmp_path / "my letter.txt"
    letter.write_text("The code is 5.")
    dropped = str(letter).replace(" ", "\\ ")  # as terminals paste it

    async def scenario(see: ChatScreen) -> None:
        see.app.post_message(Paste(dropped))
        await see.until_seen("attach my letter.txt")
        assert see.prompt.text == dropped
        await see.press("down", "enter")
        assert see.prompt.text == f"{dropped} "
        see.prompt.write("look: ")
        see.app.post_message(Paste(dropped))
        await see.until_seen("attach my letter.txt")
        await see.press("enter")
        assert see.prompt.text == "look: "
        await see.until(lambda: see.session.documents.items)

    play(scenario, tmp_path)


def test_a_pasted_text_of_several_lines_is_not_sent(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        see.app.post_message(Paste("one\ntwo\n"))
        await see.until(lambda: see.prompt.text == "one\ntwo\n")
        assert see.texts == []

    play(scenario, tmp_path)


def test_an_editor_that_fails_leaves_the_prompt_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ChatApp, "suspend", lambda self: nullcontext())

    async def scenario(see: ChatScreen) -> None:
        await see.type("draft")
        await see.press("f4")
        await see.until(lambda: "did not edit" in toasts(see))
        assert see.prompt.text == "draft"

    play(scenario, tmp_path, config=Config(editor=f'{sys.executable} -c "raise SystemExit(1)"'))


def test_a_terminal_that_cannot_be_handed_over_says_so(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.press("f4")
        await see.until(lambda: "editor" in toasts(see))

    play(scenario, tmp_path)


def test_keys_can_be_set_by_their_ids(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.press("a", "enter", "b")
        assert see.prompt.text == "a\nb"  # Enter is a text area's again
        await see.press("ctrl+s")
        await see.until(lambda: see.texts == ["a\nb", "x"])
        await see.press("f8")
        await see.until(lambda: see.session.chat is None)
        await see.press("f1")
        await see.until_seen("f8")

    keymap = {"prompt.send": "ctrl+s", "chat.new": "f8", "chat.export": "f9"}
    play(scenario, tmp_path, "x", config=Config(keymap=keymap))


def test_a_key_of_the_table_wins_over_the_text_area(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.type("some words")
        await see.press("ctrl+k")  # the text area would delete the rest of the line
        await see.until(lambda: see.prompt.text == "" and see.session.chat is None)
        assert [chat.draft for chat in see.store.chats()] == ["some words"]

    play(scenario, tmp_path, config=Config(keymap={"chat.new": "ctrl+k"}))


def test_an_unknown_id_in_the_key_map_is_told_once(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.until(lambda: "chat.nwe" in toasts(see))
        await see.press("a", "b")
        assert toasts(see).count("chat.nwe") == 1

    play(scenario, tmp_path, config=Config(keymap={"chat.nwe": "f8"}))


def test_a_key_that_is_set_twice_is_told(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.until(lambda: "ctrl+o is set for chat.new and chat.switch" in toasts(see))
        await see.type("half")
        await see.press("ctrl+o")
        await see.until(lambda: see.session.chat is None and see.prompt.text == "")

    play(scenario, tmp_path, config=Config(keymap={"chat.new": "ctrl+o"}))


def test_the_table_sets_no_key_twice() -> None:
    assert clashes({}) == []


def test_the_first_frame_needs_nothing_heavy() -> None:
    """What only a model or a document needs is imported on their threads, after the first frame."""
    heavy = ("mlx", "lxml", "tokenizers", "huggingface_hub", "numpy", "jinja2", "pypdfium2", "pygments")
    code = (
        "import sys, app.chat.app, app.chat.session.session\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_options_of_the_flags_are_those_of_the_first_chat(tmp_path: Path) -> None:
    async def scenario(see: ChatScreen) -> None:
        await see.ask("hi")
        assert see.session.options.system == "Be brief."

    play(scenario, tmp_path, "x", options=Options(system="Be brief."))
