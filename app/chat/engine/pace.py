"""In what pieces a prompt is read, so that a stop is noticed soon."""

import mlx.core as mx

from app.ask.roles.scout import parameters
from qwen2_mlx.models import Model

#: Multiplications between two looks around: a second or so, on a slow GPU and on a few cores.
GPU_WORK, CPU_WORK = 2**42, 2**35

#: Tokens of a piece. Larger ones are hardly faster, smaller ones read all weights too often.
LARGEST, SMALLEST = 512, 64


def stoppable_step(model: Model) -> int:
    """Tokens that are read at once; the same each time, for it depends on model and device alone."""
    on_gpu = mx.default_device().type == mx.DeviceType.gpu
    tokens = (GPU_WORK if on_gpu else CPU_WORK) // parameters(model.args)
    step = LARGEST
    while step > max(SMALLEST, tokens):
        step //= 2
    return step
