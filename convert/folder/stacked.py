"""Experts that a Hugging Face checkpoint holds one by one, seen as MLX's stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx

from convert.float_source import Piece, rows_of
from convert.safetensors_file import StoredTensor

EXPERTS = ".switch_mlp."


@dataclass(frozen=True)
class StackedTensor:
    """Experts of one shape and type as one tensor (experts, out, in); see `StoredTensor`."""

    name: str
    experts: list[StoredTensor]

    @property
    def dtype(self) -> str:
        return self.experts[0].dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.experts), *self.experts[0].shape)

    @property
    def nbytes(self) -> int:
        return sum(expert.nbytes for expert in self.experts)

    @property
    def files(self) -> set[Path]:
        return {expert.file for expert in self.experts}

    def rows(self, start: int, stop: int) -> mx.array:
        """Rows with the experts one below the other."""
        return rows_of([Piece(expert, 0, expert.shape[0]) for expert in self.experts])(start, stop)


AnyTensor = StoredTensor | StackedTensor
Stored = Mapping[str, AnyTensor]


def expert_names(name: str, count: int) -> list[str]:
    """The Hugging Face names of the `count` experts that MLX's parameter `name` stacks."""
    prefix, part = name.split(EXPERTS)
    return [f"{prefix}.experts.{expert}.{part}" for expert in range(count)]


def with_stacked_experts(
    stored: Mapping[str, StoredTensor], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, AnyTensor]:
    """`stored` with experts that lie one by one under the names of `shapes`, those of MLX's model.

    Experts that are missing or unlike each other stay as they are.
    """
    found: dict[str, AnyTensor] = dict(stored)
    for name, shape in shapes.items():
        if EXPERTS not in name or name in stored:
            continue
        names = expert_names(name, shape[0])
        experts = [stored[expert] for expert in names if expert in stored]
        alike = len({(expert.dtype, expert.shape) for expert in experts}) == 1
        if alike and len(experts) == len(names) and len(experts[0].shape) == 2:
            found[name] = StackedTensor(name, experts)
            for expert in names:
                del found[expert]
    return found
