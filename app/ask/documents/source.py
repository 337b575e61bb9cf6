"""The bytes of one file on their way to becoming a document."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from zipfile import BadZipFile, LargeZipFile
from zlib import error as ZlibError

from qwen2_mlx.errors import Qwen2Error, first_line

#: What parsers raise on files that are not what they say, our own walks over their trees included.
#: lxml's errors are `SyntaxError`s, those of python-docx and python-pptx mostly `KeyError` and such.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BadZipFile,
    EOFError,
    LargeZipFile,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    ZlibError,
)


@dataclass(frozen=True)
class Source:
    """The file called `name`, whole."""

    name: str
    data: bytes

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the bytes."""
        return hashlib.sha256(self.data).hexdigest()

    @contextmanager
    def parsed_as(self, what: str) -> Iterator[None]:
        """Turns the errors of a parser into one line that says that this is no sound `what`."""
        try:
            yield
        except Qwen2Error:
            raise
        except _DAMAGE as error:
            raise Qwen2Error(
                f"{self.name} is a damaged {what} ({first_line(error)}); open it in the program it comes"
                " from and save it again"
            ) from None
