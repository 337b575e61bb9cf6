"""What a launch moves and computes, and what that takes on a machine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """`launches` of one kind: bytes that must be read or written at least once, and operations, in all."""

    name: str
    launches: int
    bytes: float = 0
    flops: float = 0

    def times(self, count: int) -> "Work":
        return Work(self.name, self.launches * count, self.bytes * count, self.flops * count)


def total(rows: "list[Work]", name: str = "total") -> Work:
    """All rows together."""
    return Work(
        name,
        sum(row.launches for row in rows),
        sum(row.bytes for row in rows),
        sum(row.flops for row in rows),
    )


@dataclass(frozen=True)
class Mac:
    """Memory bandwidth in bytes a second as Apple publishes it, float32 operations a second as calculated.

    Operations: GPU cores x 128 lanes x 2 (a fused multiply-add) x clock.
    """

    name: str
    bandwidth: float
    flops: float


#: A launch in a chain of small ones that wait for each other, in seconds: 3,200 of them took 8.8 ms on an
#: M3 Ultra (ml-explore/mlx issue 4521).
LAUNCH_SECONDS = 2.75e-6

#: Bandwidths from Apple's technical specifications.
MACS = (
    Mac("M1", 68e9, 8 * 128 * 2 * 1.28e9),
    Mac("M2", 100e9, 10 * 128 * 2 * 1.40e9),
    Mac("M4", 120e9, 10 * 128 * 2 * 1.47e9),
    Mac("M4 Pro", 273e9, 20 * 128 * 2 * 1.58e9),
    Mac("M1 Max", 400e9, 32 * 128 * 2 * 1.30e9),
    Mac("M3 Max", 400e9, 40 * 128 * 2 * 1.38e9),
    Mac("M4 Max", 546e9, 40 * 128 * 2 * 1.58e9),
    Mac("M2 Ultra", 800e9, 76 * 128 * 2 * 1.40e9),
    Mac("M3 Ultra", 819e9, 80 * 128 * 2 * 1.38e9),
)


def seconds(work: Work, mac: Mac) -> float:
    """The least time: launches one after another, and the slower of memory and arithmetic."""
    return work.launches * LAUNCH_SECONDS + max(work.bytes / mac.bandwidth, work.flops / mac.flops)
