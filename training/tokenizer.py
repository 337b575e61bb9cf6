"""A small byte-level BPE with Qwen2's normaliser, pre-tokeniser and control tokens.

Digits stay single tokens, as in Qwen2, because its pre-tokeniser isolates them.
"""

from pathlib import Path
from random import Random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from app.ask.prompts import NOT_FOUND, whole_document
from app.eval.chronicle import absent_fact, filler_sentence, invent_facts, weave
from training.examples import CONTROL_TOKENS, SYSTEM
from training.small_talk import FIRST_NAMES, topics

_QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train_tokenizer(tokens: int, seed: int = 0) -> Tokenizer:
    """A tokenizer of `tokens` entries (256 bytes, merges, then the control tokens)."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_QWEN2_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=tokens - len(CONTROL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_text(Random(seed)), trainer)
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in CONTROL_TOKENS]
    )
    return tokenizer


def _text(rng: Random) -> list[str]:
    """The texts the models will meet, in roughly the proportions they will meet them."""
    texts = []
    for _ in range(600):
        facts = invent_facts(rng, 6)
        filler = [filler_sentence(rng) for _ in range(16)]
        questions = [f.question(rng) for f in (*facts, absent_fact(rng, facts))]
        document = weave(rng, [fact.sentence(rng) for fact in facts], filler)
        texts.append(whole_document(document, questions[0]))
        texts += questions + [f"assistant\n{f.answer}" for f in facts] + [NOT_FOUND, f"system\n{SYSTEM}"]
    for question, answer in topics("tiny", "0.8 million") + topics("tiny-moe", "1.2 million"):
        texts += [f"user\n{question}", f"assistant\n{answer}"] * 8
    for name in FIRST_NAMES:
        texts += [f"My name is {name}.", f"Nice to meet you, {name}.", f"Your name is {name}."] * 8
    return texts


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Writes tokenizer.json into `folder`."""
    tokenizer.save(str(folder / "tokenizer.json"))
