"""Metal kernels for what MLX lacks; one file each, with its launch rule and what it falls back to."""
