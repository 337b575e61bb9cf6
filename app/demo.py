"""The main job on the bundled model: questions about a bundled text and about a long one written here.

    python -m app.demo

Each text is asked for facts that it holds and for one that it does not. The long one is prose of the
seeded grammar in `app.eval`, the same every time. Nothing is kept.
"""

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from app.ask import command
from app.ask.asking import FOUND, NOT_FOUND
from app.ask.library.place import VARIABLE as LIBRARY_VARIABLE
from qwen2_mlx.prefix_store.settings import FOLDER_VARIABLE

DOCUMENT = Path(__file__).with_name("ask") / "examples" / "chronicle.txt"

QUESTIONS = (
    ("What is the secret code of Morvan Telun?", FOUND),
    ("Tell me the home town of Sanin Grelvo.", FOUND),
    ("What is the trade of Morvan Telun?", NOT_FOUND),
)

LONG_NAME = "long.txt"
LONG_TOKENS = 30_000
LINES_A_PAGE = 12
STATED = (
    ("The secret code of Tarin Belko is 60417.", 31.0),
    ("The teacher of Kelan Drovi is Sulin Harvo.", 77.0),
    ("The trade of Sulin Harvo is weaver.", 12.0),
)
LONG_QUESTIONS = (
    ("What is the secret code of Tarin Belko?", FOUND),
    ("What is the trade of the teacher of Kelan Drovi?", FOUND),
    ("What is the birth year of Tarin Belko?", NOT_FOUND),
)


def main() -> int:
    """Asks, shows the commands that ask, and returns 0 when every question ended as it should."""
    with _temporary_folder() as folder:
        ended = _ask(QUESTIONS, _short_name(DOCUMENT))
        text = long_text()
        (folder / LONG_NAME).write_text(text, encoding="utf-8")
        pages = text.count("\f") + 1
        print(f"# {LONG_NAME}: {pages} pages of generated prose, some {LONG_TOKENS:,} tokens\n", flush=True)
        with chdir(folder):
            ended += _ask(LONG_QUESTIONS, LONG_NAME)
    return 0 if ended == [expected for _, expected in (*QUESTIONS, *LONG_QUESTIONS)] else 1


def long_text() -> str:
    """Pages of prose, divided by form feeds, in which the sentences of `STATED` are hidden."""
    from app.eval.haystack import Stated, fit, haystack
    from qwen2_mlx.resolve import resolve
    from qwen2_mlx.tokenizer import Tokenizer

    tokenizer = Tokenizer.from_folder(resolve("tiny"))
    stated = [Stated(sentence, depth) for sentence, depth in STATED]
    lines = iter(fit(tokenizer, LONG_TOKENS, "", haystack("en", Random(7)), stated).splitlines())
    pages = iter(lambda: list(islice(lines, LINES_A_PAGE)), [])
    return "\n\f".join("\n".join(page) for page in pages)


def _ask(questions: Sequence[tuple[str, int]], name: str) -> list[int]:
    """Exit codes of the questions."""
    ended = []
    for question, _ in questions:
        print(f"$ {command.PROGRAM} {shlex.quote(question)} {shlex.quote(name)}", flush=True)
        ended.append(command.main([question, name]))
        print(flush=True)
    return ended


def _short_name(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder for all that the questions keep, which goes with it."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        places = {LIBRARY_VARIABLE: str(folder / "library.db"), FOLDER_VARIABLE: name}
        before = {variable: os.environ.get(variable) for variable in places}
        os.environ.update(places)
        try:
            yield folder
        finally:
            for variable, value in before.items():
                if value is None:
                    del os.environ[variable]
                else:
                    os.environ[variable] = value


if __name__ == "__main__":
    sys.exit(main())
