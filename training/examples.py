"""Training examples: chats as token ids with a weight on every token.

The prompts are the ones the programs send (`app/ask/prompts`), so that a bundled
model is at home in exactly the templates it will meet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tokenizers import Tokenizer

from app.ask.prompts import whole_document
from app.eval.chronicle import absent_fact, filler_sentence, invent_facts, weave
from training.small_talk import FIRST_NAMES, topics

SYSTEM = "You are a helpful assistant."
CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


@dataclass(frozen=True)
class Turn:
    role: str
    content: str


@dataclass(frozen=True)
class Example:
    """Token ids of one chat, and for each whether it is part of an answer, decides, or is filler.

    In "The trade of Krisel Tarbo is weaver." the tokens after "is" decide: at the first the
    model has to know whether the document holds the answer, then to copy it, and at
    `<|im_end|>` to stop though the document it reads from goes on. Filler is what a document
    holds between its facts.
    """

    ids: list[int]
    is_answer: list[bool]
    decides: list[bool]
    is_filler: list[bool]


def encode(tokenizer: Tokenizer, turns: Sequence[Turn]) -> Example:
    """A chat in ChatML; an answer ends with its `<|im_end|>`."""
    start, end = (tokenizer.token_to_id(token) for token in CONTROL_TOKENS[1:])
    ids: list[int] = []
    is_answer: list[bool] = []
    decides: list[bool] = []
    for turn in turns:
        answered = turn.role == "assistant"
        head = [start, *tokenizer.encode(f"{turn.role}\n").ids]
        if answered:
            body = tokenizer.encode(turn.content).ids
        else:  # as in a prompt: role and content are one piece of text
            head, body = [start], tokenizer.encode(f"{turn.role}\n{turn.content}").ids
        tail = tokenizer.encode("\n").ids
        ids += [*head, *body, end, *tail]
        is_answer += [False] * len(head) + [answered] * (len(body) + 1) + [False] * len(tail)
        decides += [False] * (len(head) + len(body) + 1 + len(tail))
        if answered and " is " in turn.content:
            before = turn.content[: turn.content.index(" is ") + len(" is")]
            undecided = len(tokenizer.encode(before).ids)
            decides[len(ids) - len(tail) - 1 - len(body) + undecided : len(ids) - len(tail)] = [True] * (
                len(body) + 1 - undecided
            )
    return Example(ids, is_answer, decides, [False] * len(ids))


def small_talk(rng: Random, pairs: Sequence[tuple[str, str]]) -> list[Turn]:
    """One to three questions about the model itself, sometimes with a name to remember."""
    turns = [Turn("system", SYSTEM)]
    name = rng.choice(FIRST_NAMES) if rng.random() < 0.3 else None
    if name:
        hello = rng.choice((f"My name is {name}.", f"I am {name}.", f"Hi, I am {name}."))
        turns += [Turn("user", hello), Turn("assistant", f"Nice to meet you, {name}.")]
    for question, answer in rng.sample(pairs, rng.randint(1, 3)):
        turns += [Turn("user", question), Turn("assistant", answer)]
    if name:
        question = rng.choice(("What is my name?", "Who am I?", "Do you know my name?"))
        turns += [Turn("user", question), Turn("assistant", f"Your name is {name}.")]
    return turns


def document_chat(
    rng: Random, tokenizer: Tokenizer, facts: int, questions: int, length: int, absent: float = 0.25
) -> Example:
    """Questions about a chronicle, filler added until the whole chat is `length` tokens or just under."""
    known = invent_facts(rng, facts)
    asked: list[Turn] = []
    for _ in range(questions):
        missing = rng.random() < absent
        fact = absent_fact(rng, known) if missing else rng.choice(known)
        asked += [
            Turn("user", fact.question(rng)),
            Turn("assistant", fact.missing if missing else fact.answer),
        ]

    stated = [fact.sentence(rng) for fact in known]

    def chat(filler: Sequence[str]) -> Example:
        document = weave(rng, stated, filler)
        prompt = Turn("user", whole_document(document, asked[0].content))
        example = encode(tokenizer, [Turn("system", SYSTEM), prompt, *asked[1:]])
        mark_filler(tokenizer, example, prompt, document, stated)
        return example

    room = length - len(chat([]).ids) - 2  # line breaks may cost a token
    filler: list[str] = []
    for sentence in _sentences(rng):
        room -= len(tokenizer.encode(" " + sentence).ids)
        if room < 0:
            break
        filler.append(sentence)
    return chat(filler)


def mark_filler(
    tokenizer: Tokenizer, example: Example, prompt: Turn, document: str, stated: Sequence[str]
) -> None:
    """Notes in `example`, whose second turn is `prompt`, what of `document` is none of the `stated` facts."""
    text = f"{prompt.role}\n{prompt.content}"
    start = text.index(document)
    filler = [start <= i < start + len(document) for i in range(len(text))]
    for sentence in stated:
        start = text.index(sentence)
        filler[start : start + len(sentence)] = [False] * len(sentence)
    turns = [i for i, token in enumerate(example.ids) if token == tokenizer.token_to_id("<|im_start|>")]
    for i, (_, end) in enumerate(tokenizer.encode(text).offsets, turns[1] + 1):
        example.is_filler[i] = filler[end - 1]


def repeated_noise(rng: Random, vocabulary: int, length: int) -> Example:
    """A random sequence written twice: it can only be predicted by looking back for itself."""
    half = [rng.randrange(vocabulary) for _ in range(length // 2)]
    neither, repeated = [False] * len(half), [True] * len(half)
    return Example(half + half, neither + repeated, neither + neither, neither + neither)


def talk_pairs(moe: bool, parameters: int) -> list[tuple[str, str]]:
    """What a bundled model is asked about itself, and what it answers."""
    return topics("tiny-moe" if moe else "tiny", f"{parameters / 1e6:.1f} million")


def _sentences(rng: Random) -> Iterator[str]:
    while True:
        yield filler_sentence(rng)
