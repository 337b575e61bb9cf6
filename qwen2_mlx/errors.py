"""Problems that the person running the program can fix.

Every message is one line that says what is wrong and what to do about it. The
programs print it and exit with code 1; anything that is not a `Qwen2Error` is a
bug and keeps its traceback.
"""


def first_line(error: BaseException) -> str:
    """What a library said, for quoting in a message of our own."""
    return (str(error).splitlines() or [type(error).__name__])[0]


class Qwen2Error(Exception):
    """Base class of all problems that are reported without a traceback."""

    def __str__(self) -> str:
        return " ".join(super().__str__().splitlines())  # a quoted name may hold a line break


class ConfigError(Qwen2Error):
    """A configuration that this engine does not compute, or that contradicts itself."""


class CheckpointError(Qwen2Error):
    """Weights, tokenizer or generation settings that are damaged or do not fit together."""


class ModelNotFoundError(Qwen2Error):
    """A model reference that names nothing, or nothing that can be reached."""


class PromptError(Qwen2Error):
    """A prompt or conversation that cannot be given to the model."""
