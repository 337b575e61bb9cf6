"""How much memory a sequence of array operations needs at its peak.

MLX allocates results as it puts operations in a queue and frees inputs as they leave it, so
what counts is not what one operation touches but all that is in the queue together. A
`Tape` replays allocations and releases with a queue of that length.
"""

from bisect import bisect_left

#: Entries that wait: MLX stops queueing at ten tasks of ten entries (`MAX_ACTIVE_TASKS` and
#: `DISPATCHES_PER_TASK` in its sources), of which one is being worked off. Chains of known
#: operations on a CPU fit 88 to 95.
QUEUE = 95


class Array:
    """A buffer of `nbytes`; several shapes of the same memory are one `Array`."""

    __slots__ = ("born", "nbytes", "used")

    def __init__(self, nbytes: int, born: int):
        self.nbytes, self.born, self.used = nbytes, born, born


class Tape:
    """Operations in the order in which they are queued."""

    def __init__(self) -> None:
        self._arrays: list[Array] = []
        self._entries = 0
        self._waits: list[int] = []

    def new(self, nbytes: float, *inputs: Array, entries: int = 2) -> Array:
        """The result of an operation on `inputs` in memory of its own.

        `entries` counts what it puts in the queue: its kernels, and one to release the inputs.
        """
        array = Array(int(nbytes), self._entries)
        self._arrays.append(array)
        self.view(array, *inputs, entries=entries)
        return array

    def view(self, *inputs: Array, entries: int = 1) -> Array:
        """An operation whose result is the memory of its first input."""
        self._entries += entries
        for array in inputs:
            array.used = self._entries
        return inputs[0]

    def within(self, *inputs: Array) -> Array:
        """An operation whose result replaces its first input, which nothing else needs."""
        return self.view(*inputs, entries=2)

    def wait(self) -> None:
        """Nothing more is queued until the queue is empty."""
        self._waits.append(self._entries)

    def peak(self, queue: int = QUEUE) -> int:
        """The most bytes alive at once."""
        changes: list[tuple[int, int]] = []
        for array in self._arrays:
            waits = bisect_left(self._waits, array.used)
            emptied = self._waits[waits] if waits < len(self._waits) else array.used + queue
            changes += [(array.born, array.nbytes), (min(array.used + queue, emptied), -array.nbytes)]
        alive = highest = 0
        for _, change in sorted(changes):
            alive += change
            highest = max(highest, alive)
        return highest
