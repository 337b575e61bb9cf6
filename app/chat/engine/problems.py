"""What went wrong, in one line for people."""

from app.cli import clean
from qwen2_mlx.errors import Qwen2Error, first_line

#: What MLX says in a RuntimeError where memory ran out.
_OUT_OF_MEMORY = ("[malloc]", "[metal::malloc]", "insufficient memory", "unable to allocate")


def one_line(error: Exception) -> str:
    """What to show: a known problem as it says, an unknown one with its kind."""
    if isinstance(error, Qwen2Error):
        message = str(error)
    elif says_out_of_memory(str(error)) or isinstance(error, MemoryError):
        message = "the memory is full; load a smaller model, or set a smaller context"
    elif isinstance(error, OSError):
        message = f"{error.filename}: {error.strerror}" if error.filename else first_line(error)
    else:
        message = f"{type(error).__name__}: {first_line(error)}"
    return " ".join(clean(message).splitlines())


def says_out_of_memory(text: str) -> bool:
    """Whether a library complains about memory."""
    text = text.lower()
    return any(phrase in text for phrase in _OUT_OF_MEMORY)
