"""From foreign checkpoints to MLX folders."""
