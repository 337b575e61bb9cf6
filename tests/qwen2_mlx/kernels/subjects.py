"""The kernels whose source is changed on purpose, each with an input that should tell."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any
from unittest.mock import patch

import mlx.core as mx

from qwen2_mlx.kernels import decode_attention, prefill_attention, quantized_matvec, rotate_heads
from qwen2_mlx.kernels.kernel import Kernel
from tests.metal_host.host import MetalHost
from tests.metal_host.mutate import Mutant, with_loose_bounds, without_barriers
from tests.metal_host.mutation import hosts, survivors
from tests.metal_host.rounding import assert_rounding_level
from tests.qwen2_mlx.kernels.cases import STEPS, Attention, Case, Matvec, Rotation

DTYPE = mx.float32


@dataclass(frozen=True)
class Subject:
    """A kernel, where its module keeps it, and the case that runs it on at most so many threadgroups.

    With `like`, the key of another form of it, only lines that this form has not are changed on purpose.
    """

    home: Any  # a dictionary of kernels, or a module's
    key: Any
    case: Case
    groups: int = 256
    like: Any = None

    @property
    def kernel(self) -> Kernel:
        return self.home[self.key]

    def trial(self, host: MetalHost, source: str) -> None:
        """Runs the case with `source` as the kernel's; asserts that the result is right."""
        changed = Kernel(
            self.kernel.name, self.kernel.inputs, self.kernel.outputs, source, self.kernel.header
        )
        with (
            patch.dict(self.home, {self.key: changed}),
            patch.object(mx.fast, "metal_kernel", host.metal_kernel),
            patch.object(decode_attention, "MOST_GROUPS", self.groups),
        ):
            assert_rounding_level(self.case.run(DTYPE), self.case.reference(DTYPE), STEPS[DTYPE])

    def mutants(self) -> list[Mutant]:
        """Its source with one mistake each."""
        source = self.kernel.source
        own = self._own_lines()
        return [
            mutant for mutant in (*without_barriers(source), *with_loose_bounds(source)) if mutant.line in own
        ]

    def _own_lines(self) -> set[int]:
        """The lines that are changed, counted from 1: a loop is another one where its first line is."""
        lines = _in_pairs(self.kernel.source)
        others = _in_pairs(self.home[self.like].source) if self.like else []
        matcher = SequenceMatcher(None, others, lines, autojunk=False)
        same = {block.b + i for block in matcher.get_matching_blocks() for i in range(block.size)}
        return {number + 1 for number in range(len(lines)) if number not in same}


def _in_pairs(source: str) -> list[tuple[str, str]]:
    """Every line with the one after it."""
    lines = source.splitlines()
    return list(zip(lines, [*lines[1:], ""], strict=True))


#: Together they hold every line of every kernel: the forms of one kernel differ in a few.
SUBJECTS = (
    Subject(
        decode_attention.KERNELS,
        ("biased", False),
        Attention(2, 1, 32, 600, starts=(0, 256, 512), form="8/4b", chunk=256, room=0, bias=0.5),
        groups=2,
    ),
    Subject(
        decode_attention.KERNELS,
        ("dense", True),
        Attention(2, 1, 32, 520, starts=(0, 9, 270), room=0),
        groups=1,
        like=("biased", False),
    ),
    Subject(vars(decode_attention), "MERGE", Attention(1, 1, 32, 300, room=0)),
    Subject(
        prefill_attention.KERNELS,
        ("biased", False),
        Attention(2, 1, 32, 45, time=5, starts=(0, 16, 32), form="8/4b", chunk=16, room=0, bias=0.5),
    ),
    Subject(
        prefill_attention.KERNELS,
        ("dense", False),
        Attention(2, 1, 32, 41, time=35, starts=(0, 3), room=0),
        like=("biased", False),
    ),
    Subject(
        prefill_attention.KERNELS,
        ("dense", True),
        Attention(2, 1, 32, 420, time=70, starts=(0, 150), keep=0.3, room=0),
        like=("dense", False),
    ),
    Subject(quantized_matvec.KERNELS, "expert_swiglu", Matvec("expert_swiglu", 192, 9, group=32)),
    Subject(quantized_matvec.KERNELS, "bias", Matvec("bias", 64, 9), like="expert_swiglu"),
    Subject(vars(rotate_heads), "KERNEL", Rotation(2, 1, 32, spans=2, key_bias=False)),
)


def unnoticed(host: MetalHost, subject: int, mutant: int) -> str | None:
    """The mutant's description if no way of running notices it; a function of a process of its own."""
    mx.disable_compile()
    chosen = SUBJECTS[subject].mutants()[mutant]
    left = survivors(SUBJECTS[subject].trial, [chosen], hosts(host))
    return left[0].description if left else None
