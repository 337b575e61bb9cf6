"""What every command line program here shares.

Exit codes: 0 done, 1 error, 2 usage, 130 interrupted, 141 the reader of stdout went away.
A problem the user can fix is one line on stderr that starts with the program's name;
anything else is a bug and keeps its traceback.

Only the standard library is imported here, so that `--help` answers at once.
"""

import argparse
import math
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any, NoReturn

ERROR = 1
USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, what a shell reports
CLOSED_PIPE = 141  # 128 + SIGPIPE: what any filter in front of `head` ends with

LARGEST_SEED = 2**64 - 1


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` whose usage errors are one line, and that knows no abbreviations.

    Abbreviations are off because adding a flag would break scripts that relied on them.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


class VersionAction(argparse.Action):
    """`--version`: prints the program's name and the version of the engine."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from qwen2_mlx import __version__

        print(f"{parser.prog} {__version__}")
        parser.exit()


def run(program: str, work: Callable[[], int]) -> int:
    """Runs all of a program, parsing its flags included, and returns its exit code.

    `work` returns its exit code or leaves through argparse. A `Qwen2Error` or `OSError`
    becomes one line on stderr and 1, Ctrl-C becomes 130, a closed pipe becomes 141 in
    silence. Bugs pass through.
    """
    _prepare_streams()
    try:
        code = _exit_code(work)
        sys.stdout.flush()  # here, where a full disk or a closed pipe can still be told
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return CLOSED_PIPE
    except Exception as error:
        message = _user_message(error)
        if message is None:
            raise
        print(f"{program}: {message}", file=sys.stderr)
        return ERROR
    finally:
        _settle_stdout()


def _exit_code(work: Callable[[], int]) -> int:
    try:
        return work()
    except SystemExit as end:  # argparse: --help, --version, a usage error
        return end.code if isinstance(end.code, int) else 0


def _user_message(error: Exception) -> str | None:
    """The one line to show, or None for a bug."""
    from qwen2_mlx.errors import Qwen2Error

    if isinstance(error, Qwen2Error):
        return _one_line(str(error))
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return _one_line(f"{place}{error.strerror or error}")
    return None


def _one_line(message: str) -> str:
    """The message without control characters; names from files may bring them along."""
    return " ".join(clean(message).splitlines())


def _prepare_streams() -> None:
    """Makes stdin, stdout and stderr usable, however the program was started.

    A stream the caller closed becomes the null device; else the next file opened would take
    its place, and MLX takes descriptor 0 for a failure. A character of an answer that the
    terminal's encoding lacks becomes `?`.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 - as long as the program
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _settle_stdout() -> None:
    """Writes what is buffered, or drops it: a failed flush would be reported again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


# Escape sequences begin with a C0 or C1 control character; the rest of them is harmless.
_CONTROLS = dict.fromkeys(code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t")


def clean(text: str) -> str:
    """Removes control characters other than newline and tab.

    Text from models, documents and error messages goes through this wherever it is shown,
    also into pipes: what is piped often ends on a terminal. Works piece by piece on a stream.
    """
    return text.translate(_CONTROLS)


def read_piped_text() -> str:
    """The whole of stdin when it is a pipe or file, "" when it is a terminal.

    Raises argparse.ArgumentTypeError when it is not UTF-8.
    """
    if sys.stdin.isatty():
        return ""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise argparse.ArgumentTypeError(
            f"the text on stdin is not UTF-8 (byte {error.start}); convert it first"
        ) from None


# Types for argparse. Each raises ArgumentTypeError, to which argparse adds the flag's name.


def text(value: str) -> str:
    """A string that holds more than white space."""
    if not value.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return stop_string(value)


def stop_string(value: str) -> str:
    """A non-empty string, white space included: a newline is a common one."""
    if not value:
        raise argparse.ArgumentTypeError("must not be empty")
    try:
        value.encode()
    except UnicodeEncodeError:  # bytes the shell passed on that are no text
        raise argparse.ArgumentTypeError("must be valid UTF-8") from None
    return value


def positive_int(value: str) -> int:
    """A whole number of at least 1."""
    return _whole(value, 1, None)


def non_negative_int(value: str) -> int:
    """A whole number of at least 0."""
    return _whole(value, 0, None)


def seed(value: str) -> int:
    """A whole number that fits MLX's random state: 0 to 2**64 - 1."""
    return _whole(value, 0, LARGEST_SEED)


def non_negative_float(value: str) -> float:
    """A finite number of at least 0."""
    number = _real(value)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0, not {value}")
    return number


def positive_float(value: str) -> float:
    """A finite number above 0."""
    number = _real(value)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"must be above 0, not {value}")
    return number


def unit_above_zero(value: str) -> float:
    """A number above 0 and at most 1, such as --top-p."""
    number = _real(value)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 1, not {value}")
    return number


def unit_below_one(value: str) -> float:
    """A number of at least 0 and below 1, such as --min-p."""
    number = _real(value)
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 0 and below 1, not {value}")
    return number


def _whole(value: str, least: int, most: int | None) -> int:
    try:
        number = int(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {value!r}") from None
    if number < least or (most is not None and number > most):
        limits = f"at least {least}" if most is None else f"from {least} to {most}"
        raise argparse.ArgumentTypeError(f"must be {limits}, not {value}")
    return number


def _real(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {value!r}") from None
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"must be a finite number, not {value}")
    return number
