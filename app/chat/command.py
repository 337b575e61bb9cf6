"""`qwen2-chat`: one answer on stdout, or a full-screen chat when nothing was asked."""

import argparse
import json
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

from app import cli, long_context
from app.chat.settings import DEFAULT_MODEL, Settings, open_session

if TYPE_CHECKING:
    from qwen2_mlx.generate import GenerationEvent

PROGRAM = "qwen2-chat"

DESCRIPTION = """\
Chat with a Qwen2 model. With -p or text on stdin the answer is streamed to stdout;
without either, on a terminal, a full-screen chat opens."""

EPILOG = """\
-p together with text on stdin asks the prompt, then a blank line, then that text:
    qwen2-chat -p "Summarise this." < notes.md

exit codes: 0 answered, 1 error, 2 usage, 130 interrupted, 141 the reader of stdout left"""

STATISTICS = (
    "prompt_tokens",
    "reused_tokens",
    "generation_tokens",
    "prompt_tps",
    "generation_tps",
    "time_to_first_token",
    "peak_memory",
)


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run(PROGRAM, lambda: _run(argv))


def _run(argv: list[str] | None) -> int:
    parser = build_parser()
    args = parser.parse_args(argv)
    settings = Settings(args.model, args.rope, args.system, _overrides(args), args.kv_bits, args.memory_limit)
    if args.prompt is None and not args.json and _has_screen():
        from app.chat.screen import open_chat

        return open_chat(settings)
    return _answer(settings, _prompt(args, parser), args)


def build_parser() -> cli.Parser:
    """The flags of `qwen2-chat`."""
    parser = cli.Parser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("-m", "--model", type=cli.text, default=DEFAULT_MODEL, metavar="REF",
        help="bundled name (tiny, tiny-moe), folder, hub id, or alias 0.5b 1.5b 7b 57b-a14b 72b"
        " (default: tiny)")  # fmt: skip
    add("-p", "--prompt", type=cli.text, metavar="TEXT", help="print the answer to TEXT and exit")
    add("--system", type=cli.text, metavar="TEXT", help="system prompt (default: the model's own)")
    long_context.add_flags(add)
    add("--json", action="store_true", help="print one JSON object when the answer is complete")
    add("-v", "--verbose", action="store_true", help="print statistics on stderr")
    add("--version", action=cli.VersionAction)

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
    return parser


def _overrides(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments for `ChatSession.send` that were given on the command line."""
    given = {
        "max_tokens": args.max_tokens,
        "temperature": args.temp,
        "top_p": args.top_p,
        "top_k": args.top_k,
        "min_p": args.min_p,
        "repetition_penalty": args.repetition_penalty,
        "seed": args.seed,
        "stop": args.stop,
    }
    return {name: value for name, value in given.items() if value is not None}


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


def _answer(settings: Settings, prompt: str, args: argparse.Namespace) -> int:
    """Asks once and prints the answer, the JSON object and the statistics as asked for."""
    session = open_session(settings)
    pieces: list[str] = []
    last = None
    interrupted = warned = False

    def on_prefill(_: int, total: int) -> None:
        nonlocal warned
        if not warned:
            long_context.warn_past_proven(PROGRAM, session.config, total)
        warned = True

    try:
        with closing(session.send(prompt, **settings.overrides, on_prefill=on_prefill)) as events:
            for event in events:
                last = event
                pieces.append(cli.clean(event.text))
                if not args.json:
                    print(pieces[-1], end="", flush=True)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        text = "".join(pieces)
        if text and not args.json and not text.endswith("\n"):
            print(flush=True)
    reason = "interrupted" if interrupted else last and last.finish_reason
    if args.json:
        print(_as_json(settings.model, text, reason, last))
    _report(reason, last, args.verbose)
    return cli.INTERRUPTED if interrupted else 0


def _as_json(model: str, text: str, reason: str | None, last: "GenerationEvent | None") -> str:
    statistics = {name: getattr(last, name) for name in STATISTICS} if last else {}
    answer = {"model": model, "text": text, "finish_reason": reason, "statistics": statistics}
    return json.dumps(answer, ensure_ascii=False)


def _report(reason: str | None, last: "GenerationEvent | None", verbose: bool) -> None:
    """Says on stderr what the answer itself cannot: that it was cut, and what it took."""
    if last is None:
        return
    if reason == "length":
        limit = "--max-tokens or the model's context length"
        print(f"{PROGRAM}: cut after {last.generation_tokens} tokens by {limit}", file=sys.stderr)
    if verbose:
        print(
            f"prompt {last.prompt_tokens:,} tokens at"
            f" {last.prompt_tps:,.0f}/s, answer {last.generation_tokens:,} tokens at"
            f" {last.generation_tps:,.1f}/s, first after {last.time_to_first_token:.2f} s,"
            f" peak memory {_size(last.peak_memory)}",
            file=sys.stderr,
        )


def _size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


if __name__ == "__main__":
    sys.exit(main())
