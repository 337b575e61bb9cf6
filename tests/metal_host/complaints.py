"""The error that a failed process's standard error tells of."""

import re
import signal

from .errors import CrashError, DataRaceError, MetalHostError, OutOfBoundsError, UndefinedBehaviourError
from .toolchain import KERNEL_FOLDER


def complaint(code: int, text: str) -> MetalHostError:
    """`code` is the exit code, `text` what the sanitizer wrote, if it was one."""
    if "ThreadSanitizer: data race" in text:
        return DataRaceError(f"data race: {_places(text)}", text)
    if match := re.search(r"runtime error: (.*)", text):
        kind = OutOfBoundsError if "out of bounds" in match[1] else UndefinedBehaviourError
        return kind(f"{match[1]}: {_places(text)}", text)
    if match := re.search(r"AddressSanitizer: ([\w-]+)", text):
        kind = CrashError if match[1] in ("SEGV", "FPE", "stack-overflow") else OutOfBoundsError
        return kind(f"{match[1]}: {_places(text)}", text)
    end = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    return CrashError(f"the kernel's process {end} {text.strip()[:300]}".rstrip(), text)


def _places(text: str) -> str:
    """The lines of the kernel that a sanitizer's report names."""
    places = re.findall(rf"{KERNEL_FOLDER}/([^\s()]+:\d+)", text)
    places += re.findall(r"^([^\s/]+:\d+):\d+: runtime error", text, re.MULTILINE)
    kernel = [place for place in places if not place.startswith("entry:")]
    return ", ".join(dict.fromkeys(kernel)) or "no place in the kernel is named"
