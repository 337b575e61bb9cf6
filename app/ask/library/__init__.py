"""The library: every document that was asked about, in one SQLite file."""

from app.ask.library.library import Library
from app.ask.library.records import Chunk, File, Hit, Range, Term, Turn

__all__ = ["Chunk", "File", "Hit", "Library", "Range", "Term", "Turn"]
