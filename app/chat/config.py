"""The user's settings: a commented TOML file that is read, and written only when asked for.

`SETTINGS` is the one table of them: what may stand in the file, how it is checked, and what the file
and docs/chat.md say about it. Flags overrule the file, and the options of a stored chat overrule both.
"""

import argparse
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from app import cli, long_context
from app.ask.answer import Mode
from app.chat.options import DEFAULT_MODEL, Options, Sampling, Setup
from qwen2_mlx.config import ROPE_MODES
from qwen2_mlx.errors import Qwen2Error


@dataclass(frozen=True)
class Config:
    """What the file says, and the defaults for what it does not; `SETTINGS` explains each.

    `memory_limit` is in bytes, `context` in tokens, `max_time` and `notify_after` in seconds. `keymap`
    maps ids of `app.chat.keys` to Textual's names of keys, comma-separated.
    """

    model: str = DEFAULT_MODEL
    system: str | None = None
    rope: str = "auto"
    kv_bits: str = "auto"
    memory_limit: int | None = None
    context: int | None = None
    sampling: Sampling = field(default_factory=dict)
    mode: Mode = "auto"
    max_time: float | None = None
    theme: str = ""
    show_list: bool = True
    mouse: bool = True
    notify: bool = True
    notify_after: float = 10.0
    editor: str = ""
    isolate: bool = False
    keep_answers: bool = False
    keymap: Mapping[str, str] = field(default_factory=dict)

    def options(self) -> Options:
        """How a new chat answers."""
        setup = Setup(self.model, self.rope, self.kv_bits, self.memory_limit)
        return Options(setup, self.system, self.sampling, self.context, self.mode, self.max_time)


@dataclass(frozen=True)
class Setting:
    """One line of the file. `example` stands there commented out: the default where there is one.

    `check` turns the value of the file into that of `Config`, or raises argparse.ArgumentTypeError.
    """

    name: str
    example: Any
    help: str
    check: Callable[[Any], Any]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise argparse.ArgumentTypeError("must be text in quotes")
    return value


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise argparse.ArgumentTypeError("must be true or false")
    return value


def _number(check: Callable[[str], Any]) -> Callable[[Any], Any]:
    """The check of the flag, for a number."""

    def checked(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise argparse.ArgumentTypeError("must be a number")
        return check(str(value))

    return checked


def _choice(*names: str) -> Callable[[Any], str]:
    def checked(value: Any) -> str:
        if value not in names:
            raise argparse.ArgumentTypeError(f"must be one of {', '.join(names)}")
        return value

    return checked


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise argparse.ArgumentTypeError('must be a list such as ["END"]')
    return [cli.stop_string(_text(item)) for item in value]


def _size(value: Any) -> int:
    return long_context.size(_text(value))


SETTINGS: tuple[Setting, ...] = (
    Setting("model", DEFAULT_MODEL, "Model of new chats: bundled name, folder, hub id or alias.",
            lambda value: cli.text(_text(value))),
    Setting("system", "Be brief.", "System prompt of new chats; without it the model's own.",
            lambda value: cli.text(_text(value))),
    Setting("rope", "auto", f"How positions are encoded: {', '.join(ROPE_MODES)}.", _choice(*ROPE_MODES)),
    Setting("kv_bits", "auto", f"Bits of cached keys and values: {', '.join(long_context.KV_BITS)}.",
            _choice(*long_context.KV_BITS)),
    Setting("memory_limit", "32GB", "Most memory to use; without it what the device recommends.", _size),
    Setting("context", 32768, "Most tokens of a chat; without it what the model handles.",
            _number(cli.positive_int)),
    Setting("mode", "auto", f"How documents are read: {', '.join(get_args(Mode))}.",
            _choice(*get_args(Mode))),
    Setting("max_time", 300.0, "Seconds after which a question about documents is answered with what was"
            " found; without it there is no limit.", _number(cli.positive_float)),
    Setting("theme", "", "Colours: the name of a theme; all are in the command palette.", _text),
    Setting("show_list", True, "Whether the list of chats is shown where the terminal is wide enough.",
            _switch),
    Setting("mouse", True, "Whether the mouse works inside the chat instead of the terminal.", _switch),
    Setting("notify", True, "Whether the terminal is asked to notify when long work ends.", _switch),
    Setting("notify_after", 10.0, "Seconds from which work is long.", _number(cli.non_negative_float)),
    Setting("editor", "", "Command that F4 writes the prompt with; without it $VISUAL or $EDITOR.", _text),
    Setting("isolate", False, "Whether the model runs in a process of its own, as with --isolate.", _switch),
    Setting("keep_answers", False, "Whether every answer to -p is stored as a chat, not only with -c.",
            _switch),
    Setting("sampling.temperature", 0.7, "0 is greedy.", _number(cli.non_negative_float)),
    Setting("sampling.top_p", 0.8, "Keep the likeliest tokens up to this share.",
            _number(cli.unit_above_zero)),
    Setting("sampling.top_k", 20, "Keep this many likeliest tokens; 0 is all.",
            _number(cli.non_negative_int)),
    Setting("sampling.min_p", 0.0, "Keep tokens above this share of the best.", _number(cli.unit_below_one)),
    Setting("sampling.repetition_penalty", 1.05, "1 is none.", _number(cli.positive_float)),
    Setting("sampling.max_tokens", 1024, "Longest answer, in tokens.", _number(cli.positive_int)),
    Setting("sampling.seed", 1, "Makes sampling repeatable.", _number(cli.seed)),
    Setting("sampling.stop", ["END"], "End the answer before one of these.", _texts),
)  # fmt: skip

#: The table of the file whose keys are ids of `app.chat.keys`.
KEYS_TABLE = "keys"

_TABLES = {
    "sampling": "What is absent comes from the model.",
    KEYS_TABLE: "Other keys for an action, by its id; docs/chat.md and F1 list both.",
}
_EXAMPLE_KEYS = '#"chat.new" = "ctrl+n,f6"\n'


def read_config(path: Path | None = None) -> tuple[Config, list[str]]:
    """The settings, and one line for each thing in the file that is not known.

    `path` None is the user's own file, which need not exist. Raises `Qwen2Error` for a file that is no
    TOML or holds a value that cannot be, OSError where a given file cannot be read.
    """
    from app.chat.paths import config_path

    file = path or config_path()
    if path is None and not file.exists():
        return Config(), []
    values = _parse(file)
    known = {setting.name: setting for setting in SETTINGS}
    keymap = _keymap(values.pop(KEYS_TABLE, {}), file)
    settings: dict[str, Any] = {}
    sampling: dict[str, Any] = {}
    warnings: list[str] = []
    for name, value in _flat(values, file):
        if name not in known:
            warnings.append(f"{file}: unknown setting {cli.clean(name)}{_suggestion(name, known)}")
            continue
        table, _, key = name.rpartition(".")
        (sampling if table else settings)[key] = _checked(known[name], value, file)
    return Config(**settings, sampling=sampling, keymap=keymap), warnings


def unknown_keys(keymap: Mapping[str, str], ids: Mapping[str, Any] | set[str]) -> list[str]:
    """One line for each id of the key map that no action has."""
    return [
        f"unknown id {cli.clean(name)} in [{KEYS_TABLE}]{_suggestion(name, ids)}"
        for name in keymap
        if name not in ids
    ]


def write_default(path: Path) -> None:
    """Writes a file in which every setting is explained and commented out.

    Raises `Qwen2Error` when there is one already: it may hold what nobody wants to lose.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(default_text())
    except FileExistsError:
        raise Qwen2Error(f"{path} is there already; edit it, or remove it first") from None


def default_text() -> str:
    """The commented file."""
    lines = ["# Settings of qwen2-chat. Remove a # to set what stands behind it.\n"]
    table = ""
    for setting in SETTINGS:
        section, _, key = setting.name.rpartition(".")
        if section != table:
            table = section
            lines.append(_heading(table))
        lines.append(f"# {setting.help}\n#{key} = {_toml(setting.example)}\n")
    return "\n".join([*lines, _heading(KEYS_TABLE) + _EXAMPLE_KEYS])


def _heading(table: str) -> str:
    return f"[{table}]\n# {_TABLES[table]}\n"


def _toml(value: Any) -> str:
    """A value as TOML; of texts, numbers, switches and lists of texts JSON is a part of it."""
    return json.dumps(value, ensure_ascii=False)


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_bytes().decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Qwen2Error(f"{file} is no valid TOML: {error}; correct it, or move it away") from None


def _flat(values: Mapping[str, Any], file: Path) -> Iterator[tuple[str, Any]]:
    """Names and values, those inside the table of sampling as `sampling.NAME`."""
    for name, value in values.items():
        if name not in _TABLES:
            yield name, value
        elif isinstance(value, dict):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            raise Qwen2Error(f"{file}: {name} must be a table, with the line [{name}] above its settings")


def _checked(setting: Setting, value: Any, file: Path) -> Any:
    try:
        return setting.check(value)
    except argparse.ArgumentTypeError as error:
        raise Qwen2Error(f"{file}: {setting.name} {error}") from None


def _keymap(table: Any, file: Path) -> dict[str, str]:
    if not isinstance(table, dict) or not all(isinstance(keys, str) for keys in table.values()):
        raise Qwen2Error(f'{file}: [{KEYS_TABLE}] must hold lines such as "chat.new" = "ctrl+n"')
    return table


def _suggestion(name: str, known: Mapping[str, Any] | set[str]) -> str:
    from difflib import get_close_matches

    nearest = get_close_matches(name, known, 1)
    return f"; did you mean {nearest[0]}?" if nearest else ""
