"""Which checks notice a mutant, and which mutants nobody notices."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from .errors import MetalHostError
from .host import MetalHost
from .mutate import Mutant

#: Runs the kernel of a source and asserts that its results are right.
Trial = Callable[[MetalHost, str], object]


def hosts(host: MetalHost, timeout: float = 60.0) -> dict[str, MetalHost]:
    """The ways to run a kernel that mutants are put through, the quick ones first."""
    host = replace(host, timeout=timeout)
    return {
        "forward": host,
        "reversed": replace(host, order="reversed"),
        "random": replace(host, order="random"),
        "races": replace(host, check="races"),
        "bounds": replace(host, check="bounds"),
    }


def noticed(trial: Trial, source: str, host: MetalHost) -> Exception | None:
    """What `host` says against `source`, or None if nothing."""
    try:
        trial(host, source)
    except (MetalHostError, AssertionError) as error:
        return error
    return None


def survivors(trial: Trial, mutants: Iterable[Mutant], ways: Mapping[str, MetalHost]) -> list[Mutant]:
    """The mutants that none of `ways` notices. Each is dropped at the first that does."""
    return [
        mutant for mutant in mutants if not any(noticed(trial, mutant.source, host) for host in ways.values())
    ]
