"""`qwen2-chat`: one answer on stdout, or a full-screen chat when nothing was asked."""

import argparse
import dataclasses
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from app import cli, long_context
from app.chat.config import Config, read_config, write_default
from app.chat.options import DEFAULT_MODEL, Options
from qwen2_mlx.errors import Qwen2Error

if TYPE_CHECKING:
    from app.chat.store import Store
    from app.chat.store.records import Chat

PROGRAM = "qwen2-chat"

DESCRIPTION = """\
Chat with a Qwen2 model. With -p or text on stdin the answer is streamed to stdout;
without either, on a terminal, a full-screen chat opens, which keeps every chat."""

EPILOG = """\
-p together with text on stdin asks the prompt, then a blank line, then that text:
    qwen2-chat -p "Summarise this." < notes.md
-p keeps nothing, unless with -c:
    qwen2-chat -c -p "And in one sentence?"

exit codes: 0 answered, 1 error, 2 usage, 130 interrupted, 141 the reader of stdout left,
128 + n when the full-screen chat was ended by signal n"""

Format = Literal["markdown", "json", "html"]

#: Flags that decide what a model answers, by the names that `Options.sampling` has for them.
SAMPLING = {
    "max_tokens": "max_tokens",
    "temp": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "repetition_penalty": "repetition_penalty",
    "seed": "seed",
    "stop": "stop",
}


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run(PROGRAM, lambda: _run(argv))


def _run(argv: list[str] | None) -> int:
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.paths:
        return _print_paths(args.config)
    if args.write_config:
        return _write_config(args.config)
    if args.export or args.import_:
        return _transfer(args, parser)
    if args.prompt is None and not args.json and _has_screen():
        from app.chat.supervisor import supervise

        # The child reads the flags again, which were found to be right.
        return supervise(
            "from app.chat.open import main; sys.exit(main())", sys.argv[1:] if argv is None else argv
        )
    return _answer(args, _prompt(args, parser))


def build_parser() -> cli.Parser:
    """The flags of `qwen2-chat`."""
    parser = cli.Parser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("-m", "--model", type=cli.text, metavar="REF",
        help="bundled name (tiny, tiny-moe), folder, hub id, or alias 0.5b 1.5b 7b 57b-a14b 72b"
        f" (default: {DEFAULT_MODEL})")  # fmt: skip
    add("-p", "--prompt", type=cli.text, metavar="TEXT", help="print the answer to TEXT and exit")
    add("-c", "--continue", dest="resume", action="store_true",
        help="go on with the last chat, or begin the first")  # fmt: skip
    add("--chat", type=cli.positive_int, metavar="ID", help="go on with this chat, or export it")
    add("--system", type=cli.text, metavar="TEXT", help="system prompt (default: the model's own)")
    long_context.add_flags(add)
    add("--json", action="store_true", help="print one JSON object when the answer is complete")
    add("-v", "--verbose", action="store_true", help="print statistics on stderr")
    add("--version", action=cli.VersionAction)
    parser.set_defaults(rope=None, kv_bits=None)  # what is not given comes from the settings or the chat

    sampling = parser.add_argument_group("sampling", "what is not given comes from the model")
    add = sampling.add_argument
    add("--max-tokens", type=cli.positive_int, metavar="N", help="longest answer, in tokens")
    add("--temp", type=cli.non_negative_float, metavar="T", help="temperature; 0 is greedy")
    add("--top-p", type=cli.unit_above_zero, metavar="P", help="keep the likeliest tokens up to P")
    add("--top-k", type=cli.non_negative_int, metavar="K", help="keep the K likeliest; 0 is all")
    add("--min-p", type=cli.unit_below_one, metavar="P", help="keep tokens above P times the best")
    add("--repetition-penalty", type=cli.positive_float, metavar="R", help="1 is none")
    add("--seed", type=cli.seed, metavar="N", help="makes sampling repeatable")
    add("--stop", type=cli.stop_string, action="append", metavar="STR",
        help="end the answer before STR (may be repeated)")  # fmt: skip

    screen = parser.add_argument_group("full screen")
    add = screen.add_argument
    add("--isolate", action="store_true", default=None,
        help="run the model in a process of its own, which may die without the chat")  # fmt: skip
    add("--theme", type=cli.text, metavar="NAME", help="colours; the palette of commands lists them")

    files = parser.add_argument_group("files")
    add = files.add_argument
    add("--config", type=Path, metavar="FILE", help="settings to use in place of the user's own")
    add("--write-config", action="store_true", help="write a file of settings, with every one explained")
    add("--paths", action="store_true", help="print where settings, chats and models lie")
    add("--export", choices=get_args(Format), metavar="FORMAT",
        help="print the last chat, or that of --chat, as markdown, json or html")  # fmt: skip
    add("--import", dest="import_", type=Path, metavar="FILE", help="add the chats of an exported json file")
    return parser


def settings(args: argparse.Namespace) -> tuple[Config, list[str]]:
    """The user's settings under the flags, and a line for each thing in the file that is not known."""
    config, warnings = read_config(args.config)
    return dataclasses.replace(config, **_given({"theme": args.theme, "isolate": args.isolate})), warnings


def given_options(args: argparse.Namespace, base: Options) -> Options:
    """`base` with what the flags say otherwise."""
    setup = {name: getattr(args, name) for name in ("model", "rope", "kv_bits", "memory_limit")}
    sampling = {name: getattr(args, flag) for flag, name in SAMPLING.items()}
    return dataclasses.replace(
        base,
        setup=dataclasses.replace(base.setup, **_given(setup)),
        system=base.system if args.system is None else args.system,
        sampling={**base.sampling, **_given(sampling)},
    )


def chat_of(args: argparse.Namespace, store: "Store") -> "Chat | None":
    """The chat that --chat or -c names; None without them, and for -c where there is no chat yet."""
    if args.chat is not None:
        return store.chat(args.chat)
    return store.last_chat() if args.resume else None


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _has_screen() -> bool:
    """Whether a full-screen chat can open; it reads stdin and draws on stderr."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def _prompt(args: argparse.Namespace, parser: cli.Parser) -> str:
    """What to ask, from -p and stdin; leaves with a usage error when there is nothing."""
    try:
        piped = cli.read_piped_text().rstrip()
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    parts = [part for part in (args.prompt, piped) if part]
    if not parts:
        reason = "--json needs one" if args.json else "the chat screen needs a terminal"
        parser.error(f"no prompt: give -p TEXT or pipe it in ({reason})")
    return "\n\n".join(parts)


def _answer(args: argparse.Namespace, prompt: str) -> int:
    """Asks once, in a chat that is kept where the flags or the settings say so."""
    from app.chat import one_shot

    config, warnings = settings(args)
    for warning in warnings:
        _tell(warning)
    if not (args.resume or args.chat is not None or config.keep_answers):
        return one_shot.ask(given_options(args, config.options()), prompt, args.json, args.verbose)
    with closing(_open_store()) as store:
        chat = chat_of(args, store)
        if chat is not None and store.attachments(chat.id):
            _tell("the documents of this chat are not read with -p")
        options = given_options(args, chat.options if chat else config.options())
        return one_shot.ask_in(store, chat, options, prompt, args.json, args.verbose)


def _open_store() -> "Store":
    from app.chat.store import Store

    return Store.open(notify=_tell)


def _tell(message: str) -> None:
    print(f"{PROGRAM}: {cli.clean(message)}", file=sys.stderr)


def _print_paths(config: Path | None) -> int:
    from app.chat.paths import locations

    for name, path in locations(config):
        print(f"{name + ':':17}{cli.clean(str(path))}")
    return 0


def _write_config(path: Path | None) -> int:
    from app.chat.paths import config_path

    path = path or config_path()
    write_default(path)
    _tell(f"wrote {path}")
    return 0


def _transfer(args: argparse.Namespace, parser: cli.Parser) -> int:
    """Prints a chat, or adds those of a file."""
    if args.prompt is not None or args.resume or (args.export and args.import_):
        parser.error("--export and --import go with no question and not with each other")
    from app.chat.portable import export_chat, import_chats

    with closing(_open_store()) as store:
        if args.import_:
            chats = import_chats(store, _text_of(args.import_, parser))
            _tell(f"imported {len(chats)} chat" + ("" if len(chats) == 1 else "s"))
            return 0
        chat = store.last_chat() if args.chat is None else store.chat(args.chat)
        if chat is None:
            raise Qwen2Error("there is no chat to export yet")
        print(export_chat(store, chat, args.export), end="")
        return 0


def _text_of(path: Path, parser: cli.Parser) -> str:
    from app.chat.portable.read_json import MOST_CHARACTERS

    if path.stat().st_size > 4 * MOST_CHARACTERS:  # UTF-8 takes four bytes for a character at most
        raise Qwen2Error(f"{path} is too large for an export of chats")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        parser.error(f"{path} is not UTF-8 (byte {error.start})")


if __name__ == "__main__":
    sys.exit(main())
