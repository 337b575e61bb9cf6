"""Conversations as the bundled models know them, and how far a quantised model strays there."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import mlx.core as mx
import numpy as np

from app.ask.prompts import whole_document
from app.eval.chronicle import absent_fact, filler_sentence, invent_facts, weave
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.models import build
from qwen2_mlx.tokenizer import Tokenizer
from tests.quant.calibrated.layers import fill


def conversations(tokenizer: Tokenizer, seed: str, count: int) -> list[list[int]]:
    """`count` chats of about 300 tokens: a document, a question about it, its answer, and once more."""
    chats = []
    for number in range(count):
        rng = Random(f"{seed}/{number}")
        facts = invent_facts(rng, 6)
        filler = [filler_sentence(rng) for _ in range(rng.randint(3, 10))]
        document = weave(rng, [fact.sentence(rng) for fact in facts], filler)
        messages: list[dict[str, Any]] = []
        for turn in range(2):
            missing = rng.random() < 0.3
            fact = absent_fact(rng, facts) if missing else rng.choice(facts)
            question = fact.question(rng)
            asked = whole_document(document, question) if turn == 0 else question
            messages += [
                {"role": "user", "content": asked},
                {"role": "assistant", "content": fact.missing if missing else fact.answer},
            ]
        chats.append(tokenizer.encode_chat(messages, add_generation_prompt=False))
    return chats


def log_probabilities(
    config: ModelConfig, tensors: Mapping[str, mx.array], texts: Sequence[Sequence[int]]
) -> list[np.ndarray]:
    """What the model with these float weights predicts, float64 (time, vocab) a text."""
    model = fill(build(config.with_rope("auto")), tensors)
    results = []
    for text in texts:
        logits = model(mx.array(list(text))[None])[0]
        results.append(np.array(logits - mx.logsumexp(logits, axis=-1, keepdims=True)).astype(np.float64))
    return results


def divergence(reference: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> float:
    """The mean Kullback-Leibler divergence in nats a token."""
    parts = [(np.exp(one) * (one - two)).sum(axis=-1) for one, two in zip(reference, other, strict=True)]
    return float(np.concatenate(parts).mean())
