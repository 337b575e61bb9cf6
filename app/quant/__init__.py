"""`qwen2-quant`: what quantisation costs, measured."""
