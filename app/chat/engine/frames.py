"""Records on a pipe: each pickled, with its length before it.

What is read here is unpickled, so both ends must be processes of this program, and nobody else may write
to the pipe.
"""

import pickle
import struct
import threading
from typing import Any, BinaryIO

_LENGTH = struct.Struct(">Q")


class FrameWriter:
    """Writes whole records; any thread may."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe, self._lock = pipe, threading.Lock()

    def write(self, record: object) -> None:
        """Raises `OSError` where nobody reads any more."""
        data = pickle.dumps(record, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            self._pipe.write(_LENGTH.pack(len(data)) + data)
            self._pipe.flush()


def read_frame(pipe: BinaryIO) -> Any:
    """The next record. Raises `EOFError` where the other end is gone, also in the middle of one."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)
