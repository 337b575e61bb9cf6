"""Small checkpoints in GPTQ's and AWQ's packing, and the numbers they stand for.

A random model is rounded to nearest and packed the way the public descriptions of the
formats say, column by column, with nothing taken from the reader. Beside the files each
checkpoint gives the codes, zeros and scales that went in and the float64 weights they mean.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from tests import checkpoints
from tests.golden.weights import make_weights

GROUP = 128

#: Widths are multiples of a group, as everywhere in the family.
DENSE: dict[str, Any] = {
    **checkpoints.DENSE,
    "hidden_size": 256,
    "intermediate_size": 384,
    "torch_dtype": "float16",
}
MOE: dict[str, Any] = {
    **checkpoints.MOE,
    "hidden_size": 256,
    "intermediate_size": 384,
    "moe_intermediate_size": 128,
    "shared_expert_intermediate_size": 256,
    "torch_dtype": "float16",
}

_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_AWQ_NIBBLES = (0, 2, 4, 6, 1, 3, 5, 7)


@dataclass(frozen=True)
class Packing:
    """How to pack: GPTQ or AWQ, bits, and the ways in which real checkpoints differ.

    `stored_offset` is what is taken off a zero before it is stored, `label` what the config
    calls that. `g_idx` may be left out; `zero_biases` gives every layer a bias.
    """

    method: str = "gptq"
    bits: int = 4
    symmetric: bool = True
    stored_offset: int = 1
    label: str | None = "gptq"
    act_order: bool = False
    g_idx: bool = True
    zero_biases: bool = False

    @property
    def config(self) -> dict[str, Any]:
        if self.method == "awq":
            return {
                "quant_method": "awq", "bits": self.bits, "group_size": GROUP, "version": "gemm",
                "zero_point": True, "modules_to_not_convert": None,
            }  # fmt: skip
        label = {} if self.label is None else {"checkpoint_format": self.label}
        return {
            "quant_method": "gptq", "bits": self.bits, "group_size": GROUP, "damp_percent": 0.01,
            "desc_act": self.act_order, "sym": self.symmetric, "true_sequential": True, **label,
        }  # fmt: skip


INT4 = Packing()
AWQ = Packing("awq", symmetric=False)

#: Every layout that real checkpoints have, by name.
PACKINGS: dict[str, tuple[dict[str, Any], Packing]] = {
    "gptq-int4": (DENSE, INT4),
    "gptq-int4-v2": (DENSE, replace(INT4, stored_offset=0, label="gptq_v2")),
    "gptq-int4-v2-called-v1": (DENSE, replace(INT4, stored_offset=0)),
    "gptq-int4-unlabelled": (DENSE, replace(INT4, label=None)),
    "gptq-int4-asymmetric": (DENSE, replace(INT4, symmetric=False)),
    "gptq-int4-asymmetric-v2": (DENSE, replace(INT4, symmetric=False, stored_offset=0, label="gptq_v2")),
    "gptq-int8": (DENSE, replace(INT4, bits=8)),
    "gptq-int8-v2-called-v1": (DENSE, replace(INT4, bits=8, stored_offset=0)),
    "gptq-int4-act-order": (DENSE, replace(INT4, act_order=True)),
    "gptq-int8-act-order": (DENSE, replace(INT4, bits=8, act_order=True)),
    "gptq-int4-without-g-idx": (DENSE, replace(INT4, g_idx=False)),
    "gptq-int4-zero-biases": (DENSE, replace(INT4, zero_biases=True)),
    "awq": (DENSE, AWQ),
    "moe-gptq-int4": (MOE, INT4),
    "moe-gptq-int4-act-order": (MOE, replace(INT4, act_order=True)),
    "moe-awq": (MOE, AWQ),
}


@dataclass(frozen=True)
class Matrix:
    """A quantised matrix in its own orientation.

    `codes` uint8 (out, in), `zeros` uint8 and `scales` float16 (out, groups), `g_idx` (in,) the
    group of each column.
    """

    codes: np.ndarray
    zeros: np.ndarray
    scales: np.ndarray
    g_idx: np.ndarray

    def dequantised(self) -> np.ndarray:
        """The float64 weights (out, in)."""
        zeros, scales = self.zeros[:, self.g_idx], self.scales[:, self.g_idx].astype(np.float64)
        return (self.codes.astype(np.float64) - zeros) * scales


@dataclass(frozen=True)
class Checkpoint:
    """A written checkpoint: its matrices by module path, all tensors as float64 by name."""

    folder: Path
    config: dict[str, Any]
    packing: Packing
    matrices: dict[str, Matrix]
    weights: dict[str, np.ndarray]

    def matrix_of(self, name: str) -> Matrix:
        """What the model's parameter `name` should hold, experts one below the other.

        Columns stand sorted by group, and rows of gate and up projections as the sorted columns
        of their down projection need them.
        """
        path = name.removesuffix(".weight")
        if ".switch_mlp." not in path:
            return self._sorted(path)
        experts = range(self.config["num_experts"])
        parts = [self._sorted(path.replace("switch_mlp", f"experts.{expert}")) for expert in experts]
        codes, zeros, scales = (
            np.concatenate([getattr(part, field) for part in parts]) for field in ("codes", "zeros", "scales")
        )
        return Matrix(codes, zeros, scales, parts[0].g_idx)

    def _sorted(self, path: str) -> Matrix:
        matrix = self.matrices[path]
        columns = np.argsort(matrix.g_idx, kind="stable")
        rows = np.arange(len(matrix.codes))
        block, _, part = path.rpartition(".")
        if part in ("gate_proj", "up_proj"):
            rows = np.argsort(self.matrices[f"{block}.down_proj"].g_idx, kind="stable")
        return Matrix(
            matrix.codes[rows][:, columns], matrix.zeros[rows], matrix.scales[rows], matrix.g_idx[columns]
        )

    def write_dequantised(self, folder: Path) -> Path:
        """The same model as a float32 checkpoint: every weight fits float32 exactly."""
        checkpoints.write_checkpoint(folder, {**self.config, "torch_dtype": "float32"})
        save_file(
            {name: weight.astype(np.float32) for name, weight in self.weights.items()},
            folder / "model.safetensors",
            {"format": "pt"},
        )
        return folder


def write_packed(
    folder: Path,
    config: Mapping[str, Any] = DENSE,
    packing: Packing = INT4,
    seed: int = 0,
    change: Callable[[dict[str, np.ndarray]], None] | None = None,
) -> Checkpoint:
    """Writes a packed checkpoint; `change` may edit the float weights before they are rounded."""
    weights = make_weights(config, seed)
    if change:
        change(weights)
    tensors: dict[str, np.ndarray] = {}
    matrices: dict[str, Matrix] = {}
    exact: dict[str, np.ndarray] = {}
    for name, weight in weights.items():
        path, _, kind = name.rpartition(".")
        if kind == "weight" and path.endswith(_LINEAR):
            matrices[path] = matrix = quantised(weight, packing, _group_index(path, weight, packing))
            exact[name] = matrix.dequantised()
            tensors |= {f"{path}.{part}": value for part, value in packed(matrix, packing).items()}
            if packing.zero_biases and f"{path}.bias" not in weights:
                tensors[f"{path}.bias"] = np.zeros(len(weight), np.float16)
        else:
            tensors[name] = weight.astype(np.float16)
            exact[name] = tensors[name].astype(np.float64)
    written = {**config, "quantization_config": packing.config}
    checkpoints.write_checkpoint(folder, config)
    checkpoints.write_json(folder / "config.json", written)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return Checkpoint(folder, dict(config), packing, matrices, exact)


def quantised(weight: np.ndarray, packing: Packing, g_idx: np.ndarray) -> Matrix:
    """Rounds `weight` (out, in) to nearest, each group by its extremes.

    Where zeros may differ, the first row is made positive and the second negative, so that
    the lowest and the highest zero occur.
    """
    weight = weight.astype(np.float64)
    highest = 2**packing.bits - 1
    if not packing.symmetric:
        weight[0], weight[1] = np.abs(weight[0]), -np.abs(weight[1])
    columns = np.argsort(g_idx, kind="stable").reshape(-1, GROUP)
    grouped = weight[:, columns]  # (out, groups, GROUP)
    if packing.symmetric:
        scales = 2 * np.abs(grouped).max(-1) / highest
    else:
        scales = (np.maximum(grouped.max(-1), 0) - np.minimum(grouped.min(-1), 0)) / highest
    scales = np.maximum(scales, 2.0**-10).astype(np.float16)
    steps = scales.astype(np.float64)
    zeros = (
        np.full(scales.shape, (highest + 1) // 2)
        if packing.symmetric
        else np.clip(np.rint(-grouped.min(-1) / steps), 0, highest)
    )
    codes = np.clip(np.rint(weight / steps[:, g_idx]) + zeros[:, g_idx], 0, highest)
    return Matrix(codes.astype(np.uint8), zeros.astype(np.uint8), scales, g_idx)


def packed(matrix: Matrix, packing: Packing) -> dict[str, np.ndarray]:
    """The tensors of a layer, by part."""
    scales = np.ascontiguousarray(matrix.scales.T)
    if packing.method == "awq":
        return {
            "qweight": pack_awq(matrix.codes.T),
            "qzeros": pack_awq(matrix.zeros.T),
            "scales": scales,
        }
    stored = (matrix.zeros.T.astype(np.int64) - packing.stored_offset) % 2**packing.bits
    tensors = {
        "qweight": pack(matrix.codes, packing.bits).T.copy(),
        "qzeros": pack(stored, packing.bits),
        "scales": scales,
    }
    return tensors | ({"g_idx": matrix.g_idx.astype(np.int32)} if packing.g_idx else {})


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes (n, m) as int32 (n, m x bits / 32), the first code of a word in its lowest bits."""
    per_word = 32 // bits
    words = np.zeros((codes.shape[0], codes.shape[1] // per_word), np.uint64)
    for place in range(per_word):
        words |= codes[:, place::per_word].astype(np.uint64) << np.uint64(bits * place)
    return words.astype(np.uint32).view(np.int32)


def pack_awq(codes: np.ndarray) -> np.ndarray:
    """Codes (n, m) of 4 bits as int32 (n, m / 8) in AWQ's order."""
    words = np.zeros((codes.shape[0], codes.shape[1] // 8), np.uint64)
    for place, column in enumerate(_AWQ_NIBBLES):
        words |= codes[:, column::8].astype(np.uint64) << np.uint64(4 * place)
    return words.astype(np.uint32).view(np.int32)


def pad_between(weights: dict[str, np.ndarray]) -> None:
    """Zeroes what the official 72B pads: every second of the first 256 channels of an MLP."""
    for name, weight in weights.items():
        if name.endswith(("gate_proj.weight", "up_proj.weight")):
            weight[1:256:2] = 0
        elif name.endswith("down_proj.weight"):
            weight[:, 1:256:2] = 0


def _group_index(path: str, weight: np.ndarray, packing: Packing) -> np.ndarray:
    """The group of each column. Layers with one input share it, as calibration makes them."""
    width = weight.shape[1]
    groups = np.arange(width) // GROUP
    if not packing.act_order:
        return groups
    block, _, part = path.rpartition(".")
    shared = {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}
    seed = [ord(letter) for letter in f"{block}.{shared.get(part, part)}"]
    return groups[np.random.default_rng(seed).permutation(width)]
