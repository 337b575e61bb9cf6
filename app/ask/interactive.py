"""`qwen2-ask -i`: one question after another about the same documents."""

import argparse
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from app import cli
from app.ask.asking import Asked
from app.ask.display import (
    as_markdown,
    citation_line,
    evidence_lines,
    page_lines,
    show,
    sources_lines,
    summary,
)
from app.ask.flags import MODES, options_of
from app.ask.lines import one_line
from app.ask.session import Session
from app.ask.sources import read_sources
from qwen2_mlx.errors import Qwen2Error

if TYPE_CHECKING:
    from app.ask.agent import Options

HELP = """\
/mode [MODE]   the level of the next questions: auto, whole, retrieve, read, reason, digest
/sources       the documents, and what the last answer cites
/open N        the page of citation N
/add FILE      ask about one more file or folder too
/read          ask the last question again and read everything
/why           what the last answer rests on, and the best scores
/save [FILE]   write the conversation as Markdown
/help          this list
/quit          end (Ctrl-D, or Ctrl-C twice)
Anything else is a question; Ctrl-C while it is answered gives the best answer so far."""


class Quit(Exception):
    """The person wants to leave."""


class Interactive:
    """Reads lines and answers them. Each command is a method named after it."""

    def __init__(self, session: Session, args: argparse.Namespace):
        self._session, self._args = session, args
        self._options: Options = options_of(args)
        self._asked: list[Asked] = []

    def run(self) -> int:
        """Until /quit, the end of stdin, or Ctrl-C twice (then 130)."""
        interrupts = 0
        if isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")  # a slip on the keyboard, or a file that is no text
        print(f"{self._count()}; /help lists the commands")
        while True:
            try:
                self.handle(_read_line())
                interrupts = 0
            except (EOFError, Quit):
                return 0
            except KeyboardInterrupt:
                interrupts += 1
                self._session.watcher.close()
                print()
                if interrupts > 1:
                    return cli.INTERRUPTED
                print("Ctrl-C again, or /quit, ends")

    def handle(self, line: str) -> None:
        """One command or question."""
        line = line.strip()
        if not line:
            return
        word, _, rest = line.partition(" ")
        try:
            if not line.startswith("/"):
                self._ask(line, self._options)
            elif command := self._commands().get(word):
                command(rest.strip())
            else:
                print(f"there is no command {cli.clean(word)}; /help lists them")
        except (Qwen2Error, OSError) as error:
            print(one_line(str(error)))

    def _commands(self) -> dict[str, Callable[[str], None]]:
        return {
            "/mode": self._mode,
            "/sources": self._sources,
            "/open": self._open,
            "/add": self._add,
            "/read": self._read,
            "/why": self._why,
            "/save": self._save,
            "/help": lambda _: print(HELP),
            "/quit": self._quit,
        }

    def _ask(self, question: str, options: "Options") -> None:
        question = cli.text(question)
        asked = self._session.ask(question, options)
        self._asked.append(asked)
        show(asked.answer, self._args.cite)
        print(cli.clean(summary(asked.answer, asked.seconds)))

    def _mode(self, mode: str) -> None:
        if mode and mode not in MODES:
            raise Qwen2Error(f"there is no mode {mode!r}; there are {', '.join(MODES)}")
        if mode:
            self._options = replace(self._options, mode=mode)
        print(f"mode: {self._options.mode}")

    def _sources(self, _: str) -> None:
        _print(sources_lines(self._session.sources.files))
        if self._asked:
            _print(citation_line(citation) for citation in self._asked[-1].answer.citations)

    def _open(self, number: str) -> None:
        citations = {str(citation.number): citation for citation in self._last().answer.citations}
        if number not in citations:
            raise Qwen2Error(f"there is no citation {number or 'without a number'}; /sources lists them")
        _print(page_lines(citations[number], self._session.library))

    def _add(self, name: str) -> None:
        if name in ("", "-"):
            raise Qwen2Error("/add needs the name of a file or folder")
        session = self._session
        session.add(read_sources([name], self._args.only, session.library, session.watcher))
        session.watcher.close()
        print(self._count())

    def _read(self, _: str) -> None:
        question = self._last().answer.standalone
        self._ask(question, replace(self._options, mode="read", max_time=None))

    def _why(self, _: str) -> None:
        last = self._last()
        _print(evidence_lines(last.answer, self._session.library, last.reads))

    def _save(self, name: str) -> None:
        self._last()
        name = name or f"conversation-{self._session.conversation.id}.md"
        text = as_markdown([asked.answer for asked in self._asked])
        try:
            path = Path(name).expanduser()
            with path.open("x", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except FileExistsError:
            raise Qwen2Error(f"{name} is there already; give another name") from None
        except (RuntimeError, ValueError) as error:  # nobody's home folder, or a character no name has
            raise Qwen2Error(f"{name} is no name for a file ({error}); give another") from None
        print(f"saved to {cli.clean(str(path))}")

    def _quit(self, _: str) -> None:
        raise Quit

    def _last(self) -> Asked:
        if not self._asked:
            raise Qwen2Error("nothing was asked yet")
        return self._asked[-1]

    def _count(self) -> str:
        count = len(self._session.sources.files)
        return "1 document" if count == 1 else f"{count:,} documents"


def _read_line() -> str:
    """The next line; with editing and history on a terminal. Raises `EOFError` at the end."""
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line
    with suppress(ImportError):
        import readline  # noqa: F401 - input() uses it when it is there
    return input("> ")


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(cli.clean(line))
