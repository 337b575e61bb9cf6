"""One way of running a model: positions, temperature, and the precision of its cache."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from qwen2_mlx.config import ModelConfig

#: The factor that the model cards recommend, also where a shorter text would do with less.
_LEAST_YARN_FACTOR = 4.0


@dataclass(frozen=True)
class Mode:
    """What one column of a comparison measures.

    `rope` is plain, yarn or dca; `length_factor` belongs to dca and `yarn_factor` to yarn.
    `kv_bits` is 16, 8, 8/4, or None for the type the model computes in.
    """

    rope: str
    length_factor: str | None = None
    yarn_factor: float | None = None
    kv_bits: str | None = None

    @property
    def name(self) -> str:
        """Short and unique: "plain", "yarn/16", "dca", "dca/off", "dca kv8/4"."""
        variant = ""
        if self.yarn_factor is not None:
            variant = f"/{self.yarn_factor:g}"
        elif self.length_factor not in (None, "prompt"):
            variant = f"/{self.length_factor}"
        return f"{self.rope}{variant}{f' kv{self.kv_bits}' if self.kv_bits else ''}"

    @property
    def description(self) -> str:
        """The mode in words, for the head of a table."""
        words = {"plain": "plain positions", "yarn": "YaRN", "dca": "Dual Chunk Attention"}[self.rope]
        if self.yarn_factor is not None:
            words += f" with factor {self.yarn_factor:g} at every length"
        if self.length_factor == "position":
            words += ", temperature by position"
        elif self.length_factor == "off":
            words += " without its temperature"
        return f"{words}, {self.kv_bits}-bit cache" if self.kv_bits else words


def modes(
    config: ModelConfig,
    ropes: Iterable[str],
    length_factors: Sequence[str],
    kv_bits: Sequence[str | None],
    longest: int,
    yarn_factor: float | None = None,
) -> list[Mode]:
    """Every combination that makes a difference, in the order asked for.

    `auto` stands for what it means for `config`. YaRN keeps one factor for the whole grid, as it
    would in use: `yarn_factor`, else the checkpoint's own, else what reaches `longest` tokens.
    """
    found: list[Mode] = []
    for rope, kv in product(ropes, kv_bits):
        kind = config.with_rope(rope).rope_mode
        if kind == "dca":
            found += [Mode(kind, length_factor=factor, kv_bits=kv) for factor in length_factors]
        elif kind == "yarn":
            found.append(Mode(kind, yarn_factor=yarn_factor or _yarn_factor(config, longest), kv_bits=kv))
        else:
            found.append(Mode(kind, kv_bits=kv))
    return list(dict.fromkeys(found))


def _yarn_factor(config: ModelConfig, longest: int) -> float:
    if config.rope.yarn:
        return config.rope.yarn.factor
    return max(_LEAST_YARN_FACTOR, longest / config.trained_length)
