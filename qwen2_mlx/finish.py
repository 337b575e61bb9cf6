"""When a pass waits for what it has queued.

MLX frees nothing that its queue may still read, so the parts of a layer that are under way
together hold the memory of all. Waiting between them bounds that, and makes it
predictable. A wait costs a GPU a fraction of a millisecond, which is not noticed beside the work on
states of this size and would be on smaller ones.
"""

import mlx.core as mx

#: Bytes of hidden states from which the parts of a layer are finished one by one. On a GPU
#: that is a piece of 2,048 tokens for 1.5B and of 880 for 7B.
CPU_BYTES, GPU_BYTES = 2**18, 6 * 2**20


def finishes(state_bytes: int, gpu: bool) -> bool:
    """Whether a pass with hidden states of so many bytes waits for the parts of a layer."""
    return state_bytes >= (GPU_BYTES if gpu else CPU_BYTES)


def finish(x: mx.array) -> mx.array:
    """`x`, computed if it is large."""
    if finishes(x.nbytes, mx.default_device().type == mx.DeviceType.gpu):
        mx.eval(x)
    return x
