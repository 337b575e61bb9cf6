"""The published level-2 procedure, re-implemented as the baseline that `qwen2-ask` is compared with.

The Qwen team describes it in "Generalizing an LLM from 8k to 1M context using Qwen-Agent" (2024) and
published a document agent that does it. The code here is our own; prompts are in our words, because
the model that answers must know them.
"""
