"""Trees as tensors: padded to the longest, with a mask that keeps their branches apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.trees import Tree


@dataclass(frozen=True)
class TreeBatch:
    """Ids, positions, branches (all int64) and weights (float32), each (rows, time); -1 marks padding.

    `mask` (rows, 1, time, time) says which keys a query sees.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    branches: torch.Tensor
    weights: torch.Tensor
    mask: torch.Tensor
    roles: list[list[str]]


def collate(trees: Sequence[Tree]) -> TreeBatch:
    """Trees as one batch, padded to the longest."""
    longest = max(len(tree.ids) for tree in trees)

    def padded(rows: Sequence[Sequence[float]], filling: float, kind: torch.dtype) -> torch.Tensor:
        return torch.tensor([[*row, *[filling] * (longest - len(row))] for row in rows], dtype=kind)

    branches = padded([tree.branches for tree in trees], -1, torch.long)
    queries, keys = branches[:, :, None], branches[:, None, :]
    earlier = torch.ones(longest, longest, dtype=torch.bool).tril()
    mask = ((keys == 0) | (keys == queries)) & earlier
    return TreeBatch(
        padded([tree.ids for tree in trees], 0, torch.long),
        padded([tree.positions for tree in trees], 0, torch.long),
        branches,
        padded([tree.weights for tree in trees], 0.0, torch.float32),
        mask[:, None],
        [tree.roles for tree in trees],
    )
