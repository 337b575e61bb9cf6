"""`qwen2-chat` without a screen and with what is stored: `-c`, `--chat`, export, import, settings, paths."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.chat import command, one_shot
from app.chat.options import Options, Setup
from app.chat.store import Store
from app.chat.store.records import Attachment, Message
from qwen2_mlx.errors import CheckpointError
from tests.app.chat.scripted import ScriptedSession
from tests.app.chat.test_command import Input

Play = Callable[[ScriptedSession], list[Options]]


@pytest.fixture(autouse=True)
def terminal_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Input(terminal=True))


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Puts a scripted session in the place of a model; returns the options it is opened with."""

    def install(session: ScriptedSession) -> list[Options]:
        opened: list[Options] = []

        def open_session(options: Options) -> ScriptedSession:
            opened.append(options)
            return session

        monkeypatch.setattr(one_shot, "open_session", open_session)
        return opened

    return install


def stored() -> list[Message]:
    """The messages that the last chat shows."""
    with Store.open() as store:
        chat = store.last_chat()
        return [] if chat is None else store.messages(stub.id for stub in store.path(chat.id))


def said(messages: list[Message]) -> list[tuple[str, str, str]]:
    return [(message.role, message.content, message.state) for message in messages]


def test_a_plain_answer_keeps_nothing(play: Play, home: Path) -> None:
    play(ScriptedSession("x"))
    assert command.main(["-p", "hi"]) == 0
    assert not list(home.rglob("*.sqlite*"))


def test_continuing_begins_the_first_chat_and_goes_on_with_it(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    play(ScriptedSession("In the ", "harbour."))
    assert command.main(["-c", "-p", "Where is the boat, and whose is it?"]) == 0
    session = ScriptedSession("Emma's.")
    play(session)
    assert command.main(["-c", "-p", "Whose?"]) == 0
    assert capsys.readouterr().out == "In the harbour.\nEmma's.\n"
    conversation = ["Where is the boat, and whose is it?", "In the harbour.", "Whose?", "Emma's."]
    assert [message["content"] for message in session.messages] == conversation
    assert said(stored()) == [
        ("user", "Where is the boat, and whose is it?", "complete"),
        ("assistant", "In the harbour.", "complete"),
        ("user", "Whose?", "complete"),
        ("assistant", "Emma's.", "complete"),
    ]
    with Store.open() as store:
        (chat,) = store.chats()
        assert chat.title.startswith("Where is the boat")
        assert not chat.named


def test_a_piped_question_and_json_continue_as_well(
    play: Play, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play(ScriptedSession("In the harbour."))
    command.main(["-c", "-p", "Where?"])
    monkeypatch.setattr(sys, "stdin", Input(b"Whose?\n"))
    session = ScriptedSession("Emma's.")
    play(session)
    capsys.readouterr()
    assert command.main(["-c", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "Emma's."
    assert len(session.messages) == 4
    assert [message.content for message in stored()][2:] == ["Whose?", "Emma's."]


def test_a_chat_goes_on_with_its_own_options_and_flags_overrule_them(play: Play) -> None:
    play(ScriptedSession("x"))
    command.main(["-c", "-m", "7b", "--system", "Be brief.", "--temp", "0.5", "--seed", "3", "-p", "hi"])
    opened = play(ScriptedSession("x"))
    command.main(["-c", "-p", "hi"])
    assert opened[0].setup == Setup("7b")
    assert opened[0].system == "Be brief."
    assert opened[0].sampling == {"temperature": 0.5, "seed": 3}
    opened = play(ScriptedSession("x"))
    command.main(["-c", "-m", "0.5b", "--temp", "0", "-p", "hi"])
    assert opened[0].setup == Setup("0.5b")
    assert opened[0].sampling == {"temperature": 0.0, "seed": 3}


def test_a_chat_is_chosen_by_its_number(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open() as store:
        first, second = (store.new_chat(Options(), title) for title in ("first", "second"))
        store.add_message(second.id, None, "user", "only here")
    play(ScriptedSession("x"))
    assert command.main(["--chat", str(first.id), "-p", "to the first"]) == 0
    with Store.open() as store:
        assert [stub.role for stub in store.path(first.id)] == ["user", "assistant"]
        assert len(store.path(second.id)) == 1
    capsys.readouterr()
    assert command.main(["--chat", "999", "-p", "hi"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_what_the_engine_says_of_an_answer_is_kept_with_it(play: Play) -> None:
    play(ScriptedSession("x", finish="length"))
    command.main(["-c", "-m", "7b", "--seed", "3", "-p", "hi"])
    answer = stored()[1]
    assert answer.state == "length"
    generation = answer.generation
    assert generation is not None
    assert (generation.model, generation.seed, generation.sampling) == ("7b", 3, {"seed": 3})
    assert (generation.prompt_tokens, generation.reused_tokens, generation.output_tokens) == (40, 5, 2)
    assert generation.stop_reason == "length"


def test_an_interrupted_answer_is_kept_as_stopped(play: Play) -> None:
    play(ScriptedSession("half an", KeyboardInterrupt()))
    assert command.main(["-c", "-p", "hi"]) == 130
    assert said(stored())[1] == ("assistant", "half an", "stopped")


def test_a_failed_answer_is_kept_with_its_reason(play: Play) -> None:
    play(ScriptedSession("half an", CheckpointError("broken")))
    assert command.main(["-c", "-p", "hi"]) == 1
    assert said(stored())[1] == ("assistant", "half an", "error")
    assert stored()[1].error == "broken"


def test_what_was_printed_is_on_disk_already(play: Play) -> None:
    seen: list[str] = []
    play(ScriptedSession("In the ", lambda: seen.extend(m.content for m in stored()), "harbour."))
    command.main(["-c", "-p", "Where?"])
    assert seen == ["Where?", "In the "]


def test_a_model_that_cannot_be_opened_leaves_no_chat(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def open_session(options: Options) -> ScriptedSession:
        raise CheckpointError("cut off")

    monkeypatch.setattr(one_shot, "open_session", open_session)
    assert command.main(["-c", "-p", "hi"]) == 1
    assert capsys.readouterr() == ("", "qwen2-chat: cut off\n")
    assert stored() == []


def test_documents_of_a_chat_are_said_to_be_left_out(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open() as store:
        store.attach(store.new_chat(Options()).id, Attachment(1, "f00d", "lease.pdf", "/lease.pdf", 1.0))
    play(ScriptedSession("x"))
    assert command.main(["-c", "-p", "hi"]) == 0
    assert capsys.readouterr() == ("x\n", "qwen2-chat: the documents of this chat are not read with -p\n")


def test_the_settings_decide_what_flags_do_not(
    play: Play, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "my.toml"
    file.write_text('model = "7b"\nkeep_answers = true\nthme = "nord"\n[sampling]\ntop_k = 5\nseed = 1\n')
    opened = play(ScriptedSession("x"))
    assert command.main(["--config", str(file), "--seed", "2", "-p", "hi"]) == 0
    assert opened == [Options(Setup("7b"), sampling={"top_k": 5, "seed": 2})]
    assert capsys.readouterr().err == f"qwen2-chat: {file}: unknown setting thme; did you mean theme?\n"
    assert len(stored()) == 2, "keep_answers"


def test_a_broken_file_of_settings_is_one_line(
    play: Play, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = play(ScriptedSession("x"))
    file = tmp_path / "my.toml"
    file.write_text("model = ")
    for flags in (["-p", "hi", "--config", str(file)], ["-p", "hi", "--config", str(tmp_path / "none")]):
        assert command.main(flags) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"qwen2-chat: {tmp_path}")
        assert err.count("\n") == 1
    assert not opened


def test_a_file_of_settings_is_written_on_request_and_not_over_another(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / "config" / "qwen2-mlx" / "chat.toml"
    assert command.main(["--write-config"]) == 0
    assert capsys.readouterr() == ("", f"qwen2-chat: wrote {file}\n")
    assert file.read_text().startswith("# Settings of qwen2-chat.")
    assert command.main(["--write-config"]) == 1
    assert "is there already" in capsys.readouterr().err


def test_paths_says_where_everything_is_and_makes_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--paths"]) == 0
    lines = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    assert {name: Path(path.strip()) for name, path in lines.items()} == {
        "settings": home / "config" / "qwen2-mlx" / "chat.toml",
        "chats": home / "data" / "qwen2-mlx" / "chats.sqlite",
        "documents": home / "data" / "qwen2-mlx" / "library.sqlite",
        "processed texts": home / "cache" / "qwen2-mlx" / "prefixes",
        "models": home / "huggingface" / "hub",
    }
    assert not (home / "config").exists()
    assert not (home / "data").exists()


def test_the_folder_of_models_is_that_of_the_hubs_library(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    import subprocess

    from app.chat.paths import locations

    for settings in (
        {},
        {"HF_HOME": str(home / "hf")},
        {"HF_HUB_CACHE": "~/cache"},
        {"XDG_CACHE_HOME": str(home / "x")},
    ):
        for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        code = "from huggingface_hub.constants import HF_HUB_CACHE; print(HF_HUB_CACHE)"
        theirs = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert dict(locations())["models"] == Path(theirs.stdout.strip()), settings


def test_an_exported_chat_comes_back(play: Play, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    play(ScriptedSession("In the harbour."))
    command.main(["-c", "-p", "Where?"])
    capsys.readouterr()
    assert command.main(["--export", "markdown"]) == 0
    assert "In the harbour." in capsys.readouterr().out
    assert command.main(["--export", "json"]) == 0
    file = tmp_path / "chat.json"
    file.write_text(capsys.readouterr().out)
    assert command.main(["--import", str(file)]) == 0
    assert capsys.readouterr() == ("", "qwen2-chat: imported 1 chat\n")
    with Store.open() as store:
        assert len(store.chats()) == 2
    file.write_text("[]]")
    assert command.main(["--import", str(file)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_nothing_to_export_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--export", "json"]) == 1
    assert capsys.readouterr() == ("", "qwen2-chat: there is no chat to export yet\n")


@pytest.mark.parametrize(
    "flags",
    [
        ["--export", "json", "-p", "hi"],
        ["--export", "json", "--import", "x"],
        ["--import", "x", "-c"],
        ["--export", "pdf"],
        ["--chat", "0", "-p", "hi"],
    ],
)
def test_flags_that_exclude_each_other_are_usage_errors(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(flags) == 2
    assert capsys.readouterr().err.count("\n") == 1
