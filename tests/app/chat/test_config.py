"""The file of settings: commented, checked, and never a riddle when it is wrong."""

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from app.chat import config
from app.chat.config import SETTINGS, Config, read_config, write_default
from app.chat.options import Options, Setup
from qwen2_mlx.errors import Qwen2Error


def written(folder: Path, text: str) -> Path:
    file = folder / "chat.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_a_file_everything_is_the_default() -> None:
    assert read_config() == (Config(), [])


def test_the_file_in_the_users_folder_is_read(home: Path) -> None:
    folder = home / "config" / "qwen2-mlx"
    folder.mkdir(parents=True)
    written(folder, 'theme = "nord"\n')
    assert read_config() == (Config(theme="nord"), [])


def test_every_setting_of_the_file_changes_the_setting_of_its_name(tmp_path: Path) -> None:
    other = {"rope": "yarn", "kv_bits": "8", "mode": "read"}
    for setting in SETTINGS:
        table, _, name = setting.name.rpartition(".")
        value = other.get(name, setting.example)
        if isinstance(value, bool):
            value = not value
        elif value == "":
            value = "other"
        elif value in (10.0, "tiny"):
            value = {10.0: 5, "tiny": "7b"}[value]
        heading = f"[{table}]\n" if table else ""
        read, warnings = read_config(written(tmp_path, f"{heading}{name} = {config._toml(value)}\n"))
        assert not warnings
        assert read != Config(), f"{setting.name} does nothing"
        if table:
            assert read.sampling == {name: value}
        elif name != "memory_limit":
            assert getattr(read, name) == value


def test_every_field_can_be_set() -> None:
    names = {setting.name.partition(".")[0] for setting in SETTINGS}
    assert names | {"keymap"} == {field.name for field in fields(Config)}


def test_a_new_chat_is_set_up_as_the_file_says(tmp_path: Path) -> None:
    text = (
        'model = "7b"\nmemory_limit = "32GB"\nsystem = "Be brief."\ncontext = 4096\nmode = "read"\n'
        'max_time = 60\n[sampling]\ntemperature = 0\nstop = ["END"]\n'
    )
    read, _ = read_config(written(tmp_path, text))
    setup = Setup("7b", memory_limit=32 * 10**9)
    sampling = {"temperature": 0.0, "stop": ["END"]}
    assert read.options() == Options(setup, "Be brief.", sampling, 4096, "read", 60.0)


def test_keys_are_kept_by_their_ids(tmp_path: Path) -> None:
    read, warnings = read_config(written(tmp_path, '[keys]\n"chat.new" = "f6,ctrl+n"\n'))
    assert read.keymap == {"chat.new": "f6,ctrl+n"}
    assert not warnings
    assert config.unknown_keys({"chat.nwe": "f6", "chat.new": "f6"}, {"chat.new", "help"}) == [
        "unknown id chat.nwe in [keys]; did you mean chat.new?"
    ]


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("thme = 'nord'", "unknown setting thme; did you mean theme?"),
        ("xyzzy = 1", "unknown setting xyzzy"),
        (
            "[sampling]\ntemprature = 1",
            "unknown setting sampling.temprature; did you mean sampling.temperature?",
        ),
        ("[colours]\nback = 1", "unknown setting colours"),
    ],
)
def test_what_is_unknown_is_said_with_the_nearest_name(tmp_path: Path, line: str, warning: str) -> None:
    file = written(tmp_path, f"model = '7b'\n{line}\n")
    assert read_config(file) == (Config(model="7b"), [f"{file}: {warning}"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("theme = nord", "is no valid TOML"),
        ("theme = 5", "theme must be text in quotes"),
        ("notify = 1", "notify must be true or false"),
        ("context = 3.5", "context must be a whole number"),
        ("context = true", "context must be a number"),
        ("context = 0", "context must be at least 1"),
        ("memory_limit = '32 parrots'", "memory_limit"),
        ("rope = 'spiral'", "rope must be one of auto, "),
        ("[sampling]\ntemperature = -1", "sampling.temperature must be at least 0"),
        ("[sampling]\ntemperature = nan", "sampling.temperature must be a finite number"),
        ("[sampling]\nstop = 'END'", "sampling.stop must be a list"),
        ("[sampling]\nstop = ['']", "sampling.stop must not be empty"),
        ("sampling = 5", "sampling must be a table"),
        ("[keys.chat]\nnew = 'f6'", '[keys] must hold lines such as "chat.new"'),
        ("a = " + "[" * 5000, "is no valid TOML"),
    ],
)
def test_a_wrong_file_is_one_clear_line(tmp_path: Path, text: str, words: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(Qwen2Error) as raised:
        read_config(file)
    assert str(file) in str(raised.value)
    assert words in str(raised.value)


def test_a_file_that_is_no_text_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "chat.toml"
    file.write_bytes(b"theme = '\xff'")
    with pytest.raises(Qwen2Error, match="no valid TOML"):
        read_config(file)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_config(tmp_path / "none.toml")


def test_the_written_file_changes_nothing_and_explains_everything(tmp_path: Path) -> None:
    file = tmp_path / "new" / "chat.toml"
    write_default(file)
    assert read_config(file) == (Config(), [])
    text = file.read_text(encoding="utf-8")
    for setting in SETTINGS:
        assert f"# {setting.help}\n#{setting.name.rpartition('.')[2]} = " in text


def test_every_suggestion_of_the_written_file_is_accepted(tmp_path: Path) -> None:
    lines = config.default_text().splitlines()
    text = "\n".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") else line for line in lines
    )
    read, warnings = read_config(written(tmp_path, text))
    assert not warnings
    assert len(tomllib.loads(text)["sampling"]) == len(read.sampling) == 8
    assert read.keymap == {"chat.new": "ctrl+n,f6"}


def test_the_examples_are_the_defaults_where_there_are_any() -> None:
    defaults = Config()
    for setting in SETTINGS:
        if (default := getattr(defaults, setting.name, None)) is not None:
            assert setting.example == default, setting.name


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    file = written(tmp_path, "theme = 'nord'")
    with pytest.raises(Qwen2Error, match="is there already"):
        write_default(file)
    assert file.read_text() == "theme = 'nord'"
