"""`qwen2-ask`: questions about documents of any length, answered with quotes that were found in them."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app import cli
from app.ask import flags

if TYPE_CHECKING:
    from app.ask.asking import Asked
    from app.ask.library import Library
    from app.ask.progress import Watcher
    from app.ask.session import Session

PROGRAM = flags.PROGRAM

#: As the first word it is a subcommand; `qwen2-ask -- library FILE` asks it as a question.
LIBRARY = "library"


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == [LIBRARY]:
        return cli.run(f"{PROGRAM} {LIBRARY}", lambda: _library(words[1:]))
    return cli.run(PROGRAM, lambda: _run(flags.parse(words)))


def _library(words: Sequence[str]) -> int:
    from app.ask import library_command

    parser = cli.Parser(prog=f"{PROGRAM} {LIBRARY}", description=library_command.DESCRIPTION)
    library_command.add_flags(parser)
    return library_command.run(PROGRAM, parser.parse_args(words))


def _run(args: argparse.Namespace) -> int:
    from app.ask.library import Library

    messages: list[str] = []
    with Library.open(args.library, messages.append) as library:
        watcher = _watcher(args, library)
        try:
            for message in messages:
                watcher.tell(message)
            if args.index_only:
                from app.ask.index import index

                return index(args, library, watcher)
            if args.dry_run:
                from app.ask.dry_run import dry_run

                return dry_run(args, library, watcher)
            session = _open_session(args, library, watcher)
            if args.interactive:
                from app.ask.interactive import Interactive

                return Interactive(session, args).run()
            return _answer(args, session)
        except KeyboardInterrupt:
            watcher.close()
            watcher.tell("stopped; what was read is kept, and the same command goes on from there")
            raise
        finally:
            watcher.close()


def _watcher(args: argparse.Namespace, library: "Library") -> "Watcher":
    from app.ask.progress import EventLines, Progress, Silent

    if args.events:
        return EventLines(library)
    return Silent() if args.quiet else Progress(args.verbose)


def _open_session(args: argparse.Namespace, library: "Library", watcher: "Watcher") -> "Session":
    """Documents first, because what is wrong with them shows at once; then the models."""
    from app.ask import opening
    from app.ask.conversation import open_conversation
    from app.ask.session import Session
    from app.ask.sources import read_sources

    conversation = open_conversation(library, args.cid, args.follow_up)
    sources = read_sources(args.files, args.only, library, watcher, conversation.files)
    watcher.close()
    engine = opening.open_engine(args, library, watcher.tell)
    return Session(library, engine, sources, conversation, watcher, not args.no_history)


def _answer(args: argparse.Namespace, session: "Session") -> int:
    """One question, its answer on stdout."""
    from app.ask.as_json import dumps
    from app.ask.display import show

    asked = session.ask(args.question, flags.options_of(args))
    if args.json:
        print(dumps(session.as_json(asked)))
    elif asked.exit_code != cli.INTERRUPTED:
        show(asked.answer, args.cite)
    _report(args, session, asked)
    return asked.exit_code


def _report(args: argparse.Namespace, session: "Session", asked: "Asked") -> None:
    """Says on stderr what the answer rests on."""
    from app.ask.display import evidence_lines, summary

    tell = session.watcher.tell
    if args.verbose:
        for line in evidence_lines(asked.answer, session.library, asked.reads):
            tell(line)
    told = set(session.sources.warnings)  # when the document was opened
    for warning in asked.answer.warnings:
        if warning not in told:
            tell(warning)
    if asked.exit_code == cli.INTERRUPTED:
        tell("stopped before anything was found; the same command goes on from there")
    elif asked.answer.status == "partial" and not asked.stopped:
        tell("--max-time ended the search; the same command with more time goes on from there")
    if not args.json and not args.events:
        tell(summary(asked.answer, asked.seconds))


if __name__ == "__main__":
    sys.exit(main())
