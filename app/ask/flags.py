"""The flags of `qwen2-ask`, and what they ask for."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from app import cli, long_context
from app.ask.answer import Mode

if TYPE_CHECKING:
    from app.ask.agent import Options

PROGRAM = "qwen2-ask"

USAGE = """\
qwen2-ask [OPTIONS] QUESTION [FILE|DIR|-]...
       qwen2-ask [OPTIONS] -c QUESTION [FILE|DIR|-]...
       qwen2-ask [OPTIONS] -i FILE|DIR...
       qwen2-ask [OPTIONS] --index-only FILE|DIR...
       qwen2-ask library list|show|remove|verify ..."""

DESCRIPTION = """\
Answers a question from documents alone, and shows the words in them that say so. Reads PDF, DOCX, PPTX,
EPUB, HTML, Markdown, CSV, plain text, folders of these, and - for stdin."""

EPILOG = """\
-- ends the flags: "qwen2-ask -- library FILE" asks the question "library".
Ctrl-C answers with what was found so far, a second one quits; the same command goes on from there.

exit codes: 0 answered and verified, 3 not in the documents, 4 answered but not verified, 5 a limit or
Ctrl-C ended the search, 1 error, 2 usage, 130 interrupted"""

MODES: tuple[str, ...] = get_args(Mode)
CITE = ("quote", "page", "none")

#: Seconds after which a search ends.
MAX_TIME = 300.0
MOST_WINDOW = 131072

_DURATION = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s?)?")
_PAGES = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")


def build_parser() -> cli.Parser:
    """The flags; `parse` reads a command line with them."""
    parser = cli.Parser(
        prog=PROGRAM,
        usage=USAGE,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("question", nargs="?", type=cli.text, metavar="QUESTION")
    add("files", nargs="*", metavar="FILE", help="a document, a folder of documents, or - for stdin")
    add("-m", "--model", type=cli.text, default="tiny", metavar="REF",
        help="bundled name (tiny, tiny-moe), folder, hub id, or alias 0.5b 1.5b 7b 57b-a14b 72b"
        " (default: tiny)")  # fmt: skip
    add("--scout", type=cli.text, default="auto", metavar="REF",
        help="the model that reads everything when searching does not suffice: auto is the smallest one on"
        " this machine, none the answering model itself (default: auto)")  # fmt: skip
    long_context.add_flags(add)
    add("--version", action=cli.VersionAction)
    _add_search_flags(parser)
    _add_output_flags(parser)
    _add_conversation_flags(parser)
    _add_store_flags(parser)
    return parser


def _add_search_flags(parser: cli.Parser) -> None:
    add = parser.add_argument_group("search").add_argument
    add("--mode", choices=MODES, default="auto",
        help="the level: auto climbs until an answer is supported (default: auto)")  # fmt: skip
    add("--max-time", type=duration, default=MAX_TIME, metavar="TIME",
        help="such as 90s, 5m or 1h; 0 never goes on to a slower level, none is without limit"
        " (default: 5m)")  # fmt: skip
    add("--max-tokens", type=cli.positive_int, default=512, metavar="N", help="longest answer (default: 512)")
    add("--evidence", type=cli.positive_int, metavar="N",
        help="tokens of evidence for an answer (default: by model and memory)")  # fmt: skip
    add("--window", type=window, metavar="N",
        help=f"tokens that are read at once, to {MOST_WINDOW} (default: by model)")  # fmt: skip
    add("--pages", type=pages, default=(), metavar="LIST",
        help="only these pages, slides, chapters or sheets, or lines of a text, such as"
        " 10-80,90")  # fmt: skip
    add("--only", type=cli.text, metavar="GLOB", help="only files of folders whose name matches")
    add("--strict", action="store_true", help="leave out sentences that no located quote supports")


def _add_output_flags(parser: cli.Parser) -> None:
    group = parser.add_argument_group("output")
    add = group.add_argument
    add("--cite", choices=CITE, default="quote", help="what stands below an answer (default: quote)")
    add("--json", action="store_true", help="print one JSON object when the answer is complete")
    add("--events", action="store_true", help="write what happens to stderr, a JSON object a line")
    add("--dry-run", action="store_true",
        help="say what would be done and how long it may take; loads no model, but reads the"
        " documents")  # fmt: skip
    volume = group.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", help="nothing on stderr but errors")
    volume.add_argument("-v", "--verbose", action="store_true", help="show evidence and scores on stderr")


def _add_conversation_flags(parser: cli.Parser) -> None:
    add = parser.add_argument_group("conversation").add_argument
    add("-c", "--continue", dest="follow_up", action="store_true",
        help="ask within the last conversation, about its documents and those given now")  # fmt: skip
    add("--cid", type=cli.text, metavar="ID", help="ask within this conversation")
    add("--no-history", action="store_true", help="keep no record of this question")
    add("-i", "--interactive", action="store_true", help="ask one question after another")


def _add_store_flags(parser: cli.Parser) -> None:
    add = parser.add_argument_group("what is kept").add_argument
    add("--index-only", action="store_true", help="read and index documents for later questions")
    add("--library", type=Path, metavar="FILE", help="keep texts, scores and conversations in this file")
    add("--fresh", action="store_true", help="ignore saved scores and notes")
    add("--no-store", action="store_true",
        help="neither use nor keep what models computed for a text on disk (see qwen2-cache)")  # fmt: skip


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads a command line; leaves with a usage error where flags do not go together.

    Documents are in `files`, also those that stand where otherwise the question does.
    """
    parser = build_parser()
    flags, plain = _split(argv)
    args = parser.parse_intermixed_args(flags)
    words = [*([] if args.question is None else [args.question]), *args.files, *plain]
    if args.interactive or args.index_only:
        args.question, args.files = None, words
    elif words:
        args.question, args.files = _checked_question(parser, words[0]), words[1:]
    _check(parser, args)
    return args


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """What stands before and after the first "--"."""
    words = list(argv)
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _checked_question(parser: cli.Parser, word: str) -> str:
    try:
        return cli.text(word)
    except argparse.ArgumentTypeError as error:
        parser.error(f"argument QUESTION: {error}")


def _check(parser: cli.Parser, args: argparse.Namespace) -> None:
    """Usage errors that concern more than one flag."""
    follows = args.follow_up or args.cid is not None
    alone = [
        (args.interactive, "-i", ("index_only", "dry_run", "json")),
        (args.index_only, "--index-only", ("dry_run", "json", "follow_up", "cid")),
        (args.dry_run, "--dry-run", ("follow_up", "cid")),
        (args.no_history, "--no-history", ("follow_up", "cid")),
        (args.quiet, "-q", ("events",)),
    ]
    for given, flag, others in alone:
        for other in others if given else ():
            if getattr(args, other):
                parser.error(f"{flag} and {_FLAGS.get(other, other)} exclude each other")
    if args.interactive or args.index_only:
        if not args.files and not (args.interactive and follows):
            parser.error("nothing to read: give a FILE or a folder")
        if args.interactive and "-" in args.files:
            parser.error("-i reads questions from stdin; save the text in a FILE first")
    elif args.question is None:
        parser.error("no question: give QUESTION, then FILE")
    elif not args.files and not follows:
        parser.error("no document: give a FILE or folder after the question, - for stdin, or -c to go on")


_FLAGS = {
    "index_only": "--index-only",
    "dry_run": "--dry-run",
    "json": "--json",
    "follow_up": "-c",
    "cid": "--cid",
    "events": "--events",
}


def options_of(args: argparse.Namespace) -> "Options":
    """What the flags ask of the agent."""
    from app.ask.agent import Options

    return Options(
        mode=args.mode,
        max_time=args.max_time,
        evidence=args.evidence,
        window=args.window,
        pages=args.pages,
        strict=args.strict,
        fresh=args.fresh,
    )


# Types for argparse.


def duration(value: str) -> float | None:
    """Seconds of "90", "90s", "5m" or "1h30m"; None for "none"."""
    if value == "none":
        return None
    match = _DURATION.fullmatch(value)
    if not match or not value:
        raise argparse.ArgumentTypeError(f"must be a time such as 90s, 5m or 1h, or none, not {value!r}")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return 3600.0 * hours + 60.0 * minutes + seconds


def window(value: str) -> int:
    """A whole number of tokens up to the longest window."""
    number = cli.positive_int(value)
    if number > MOST_WINDOW:
        raise argparse.ArgumentTypeError(f"must be at most {MOST_WINDOW}, not {value}")
    return number


def pages(value: str) -> tuple[tuple[int, int], ...]:
    """First and last numbers of "10-80,90"."""
    found = []
    for part in value.split(","):
        match = _PAGES.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            raise argparse.ArgumentTypeError(f"must be page numbers such as 10-80,90, not {value!r}")
        found.append((first, last))
    return tuple(found)
