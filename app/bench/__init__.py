"""`qwen2-bench`: what a model needs and how fast it is."""
