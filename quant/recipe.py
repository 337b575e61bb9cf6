"""What to make of a model's weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quant.format import Format

#: Ways to choose codes. `round` is MLX's own; `fit` re-rounds and fits scales and biases to
#: the rounded codes; `gptq` and `awq` also look at what the layers see on calibration text.
METHODS = ("fit", "round", "gptq", "awq")


@dataclass(frozen=True)
class Recipe:
    """The floating-point type (None: the source's own), and how matrices are quantised, if they are.

    `layers` overrides the format of single modules by path; None keeps one in floating point.
    `shared_expert_bits` gives the expert that every token passes its own width.
    """

    dtype: str | None = None
    format: Format | None = None
    method: str = "fit"
    layers: Mapping[str, Format | None] = field(default_factory=dict)
    shared_expert_bits: int | None = None
