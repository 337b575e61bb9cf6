"""Documents and cutters for tests of the library."""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import islice
from pathlib import Path
from random import Random

from app.ask.chunking import Cutter
from app.ask.documents.document import Document, Heading, Page
from app.eval.haystack import GLUE, haystack
from qwen2_mlx.tokenizer import Tokenizer

#: Above the seeds that models are trained with.
SEED = 2**40 + 11


@cache
def tiny_tokenizer() -> Tokenizer:
    return Tokenizer.from_folder(Path(str(files("qwen2_mlx"))) / "data" / "tiny")


def cutter(size: int = 64, overlap: int = 10) -> Cutter:
    return Cutter(tiny_tokenizer(), size, overlap)


def document(
    text: str,
    name: str = "letters.txt",
    pages: Sequence[Page] = (),
    headings: Sequence[Heading] = (),
    unit: str = "line",
) -> Document:
    """A document as if read from a file that holds `text`."""
    sha256 = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    pages = tuple(pages) or (Page(1, 0, len(text)),)
    return Document(name, sha256, "text", unit, text, pages, tuple(headings), ("a page is missing",))


def prose(sentences: int, seed: int = SEED, language: str = "en") -> str:
    """Paragraphs of five sentences each."""
    written = islice(haystack(language, Random(seed)), sentences)
    paragraphs = []
    while paragraph := list(islice(written, 5)):
        paragraphs.append(GLUE[language].join(paragraph))
    return "\n".join(paragraphs)
