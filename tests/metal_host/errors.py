"""What can be wrong with a kernel. The text of each names the place in the kernel's source."""


class MetalHostError(Exception):
    """A kernel, or a launch of it, that must not reach a GPU. `report` is all that was said about it."""

    def __init__(self, message: str, report: str = ""):
        super().__init__(message)
        self.report = report or message


class CompileError(MetalHostError):
    """The host compiler does not accept the kernel."""


class LaunchError(MetalHostError):
    """The launch breaks a limit of Metal, or its threads did not meet where they must."""


class DataRaceError(MetalHostError):
    """Two threads touched the same memory, one of them wrote, and nothing ordered them."""


class OutOfBoundsError(MetalHostError):
    """An access outside of a buffer, of threadgroup memory or of a thread's own array."""


class UndefinedBehaviourError(MetalHostError):
    """Something C++, and with it Metal, gives no meaning to: an overflow, a misaligned access, ..."""


class HangError(MetalHostError):
    """The kernel did not end within the time it was given."""


class CrashError(MetalHostError):
    """The process that ran the kernel died."""
