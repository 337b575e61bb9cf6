"""Training rows have the ids that the programs will send."""

from itertools import compress
from random import Random

from tokenizers import Tokenizer

import qwen2_mlx
from app.eval.chronicle import RELATIONS, TRAINING_SEEDS
from app.eval.facts import evaluate
from qwen2_mlx.resolve import resolve
from training.examples import Turn, document_chat, encode, small_talk
from training.small_talk import topics


def tokenizers() -> tuple[Tokenizer, qwen2_mlx.Tokenizer]:
    return Tokenizer.from_file(str(resolve("tiny") / "tokenizer.json")), qwen2_mlx.load("tiny")[1]


def test_rows_equal_the_chat_template() -> None:
    raw, engine = tokenizers()
    for seed in range(20):
        turns = small_talk(Random(seed), topics("tiny", "0.9 million"))
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        assert encode(raw, turns).ids == engine.encode_chat(messages, add_generation_prompt=False)


def test_only_what_the_assistant_writes_is_an_answer() -> None:
    raw, engine = tokenizers()
    row = encode(raw, [Turn("user", "hi"), Turn("assistant", "Hello!")])
    answered = [token for token, mine in zip(row.ids, row.is_answer, strict=True) if mine]
    assert engine.decode(answered) == "Hello!"
    assert answered[-1] in engine.eos_ids


def test_the_value_and_the_end_of_an_answer_decide() -> None:
    raw, engine = tokenizers()
    row = encode(raw, [Turn("user", "Who?"), Turn("assistant", "The trade of Krisel Tarbo is weaver.")])
    deciding = list(compress(row.ids, row.decides))
    assert engine.decode(deciding) == " weaver."
    assert deciding[-1] in engine.eos_ids
    assert all(compress(row.is_answer, row.decides))


def test_filler_is_what_states_no_fact() -> None:
    raw, engine = tokenizers()
    for seed in range(20):
        row = document_chat(Random(seed), raw, 4, 1, 384)
        filler = engine.decode(list(compress(row.ids, row.is_filler)))
        rest = engine.decode([token for token, mine in zip(row.ids, row.is_filler, strict=True) if not mine])
        assert len(filler) > 200
        assert not any(f"{relation.label} of" in filler for relation in RELATIONS)
        assert sum(rest.count(f"{relation.label} of") for relation in RELATIONS) >= 4


def test_document_rows_fill_the_length_and_never_exceed_it() -> None:
    raw, _ = tokenizers()
    lengths = [len(document_chat(Random(seed), raw, 6, 3, 384).ids) for seed in range(40)]
    assert max(lengths) <= 388
    assert sorted(lengths)[20] > 355


def test_evaluation_never_draws_a_training_seed(monkeypatch) -> None:
    seeds: list[int] = []
    monkeypatch.setattr("app.eval.facts.Random", lambda seed: seeds.append(seed) or Random(seed))
    model, tokenizer = qwen2_mlx.load("tiny")
    next(evaluate(model, tokenizer, 1, seed=0))
    assert next(seed for seed in seeds if isinstance(seed, int)) >= TRAINING_SEEDS
