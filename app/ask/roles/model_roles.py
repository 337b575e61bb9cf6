"""The roles played by real models."""

import hashlib
from collections.abc import Sequence
from functools import cached_property

from app.ask import prompts
from app.ask.answer import Usage
from app.ask.fence import fence
from app.ask.marks import without_marks
from app.ask.passage import Passage
from app.ask.roles import answering, copying
from app.ask.roles.choice import choose, first_tokens
from app.ask.roles.engine import Engine
from app.ask.roles.noting import notes
from app.ask.roles.prompt import Prompt
from app.ask.roles.protocol import Kind, OnText, Sizes
from app.ask.roles.relevance import Relevance
from app.ask.roles.reply import one_line, reply, words
from qwen2_mlx.generate import Progress
from qwen2_mlx.prefix_store.identity import weights_fingerprint
from qwen2_mlx.tokenizer import Tokenizer

#: The replies to `prompts.kind`.
_KINDS: dict[str, Kind] = {"A": "lookup", "B": "hops", "C": "global"}

#: Tokens of a list of words, and of a question that is put differently.
_WORDS_ROOM = 48
_QUESTION_ROOM = 96

#: The part of the trained length that an earlier answer may take in the prompt of a follow-up.
_ANSWER_SHARE = 4


class ModelRoles:
    """An answering model, and a scout that reads windows: scores them and copies notes from them."""

    def __init__(self, engine: Engine, scout: Engine, sizes: Sizes, max_tokens: int):
        self._engine, self._scout, self._sizes, self._max_tokens = engine, scout, sizes, max_tokens
        self._relevance = Relevance(scout)
        self._letters = first_tokens(engine.tokenizer, tuple(_KINDS))

    @property
    def model_name(self) -> str:
        return self._engine.name

    @property
    def scout_name(self) -> str:
        return self._scout.name

    @property
    def tokenizer(self) -> Tokenizer:
        """Cuts the text that both models are given."""
        return self._engine.tokenizer

    @property
    def sizes(self) -> Sizes:
        return self._sizes

    @property
    def usage(self) -> Usage:
        return self._engine.counter.usage

    @property
    def scout_id(self) -> str:
        return self._scout_id

    @cached_property
    def _scout_id(self) -> str:
        model = self._scout.model
        facts = (
            weights_fingerprint(model),
            str(model.args.rope_mode),
            self._scout.encode(prompts.relevance("", "")),
            sorted(self._relevance.tokens.items()),
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    def show_progress(self, on_prefill: Progress | None) -> None:
        """Has the processing of long texts reported as (tokens done, tokens in all)."""
        self._engine.on_prefill = self._scout.on_prefill = on_prefill

    def count(self, text: str) -> int:
        return self._engine.tokenizer.count(text)

    def kind(self, question: str) -> Kind:
        prompt = Prompt(self._engine.encode(prompts.kind(_asked(question))))
        return _KINDS[choose(self._engine.read(prompt, 1)[1], self._letters)]

    def keywords(self, question: str) -> list[str]:
        return words(self._reply(prompts.keywords(_asked(question)), _WORDS_ROOM))

    def standalone(self, question: str, answer: str, follow_up: str) -> str:
        answer = self._shortened(without_marks(answer))
        message = prompts.standalone(_asked(question), fence(answer), _asked(follow_up))
        return one_line(self._reply(message, _QUESTION_ROOM)) or follow_up

    def first(self, question: str) -> str:
        return one_line(self._reply(prompts.first(_asked(question)), _QUESTION_ROOM)) or question

    def resolve(self, finding: str, question: str) -> str:
        finding = self._shortened(without_marks(finding))
        message = prompts.resolve(fence(finding), _asked(question))
        return one_line(self._reply(message, _QUESTION_ROOM)) or question

    def answer(self, question: str, parts: Sequence[Passage], on_text: OnText | None = None) -> str:
        return answering.answer(self._engine, question, parts, self._max_tokens, on_text)

    def answer_whole(self, question: str, document: Passage, on_text: OnText | None = None) -> str:
        return answering.answer_whole(self._engine, question, document, self._max_tokens, on_text)

    def relevance(self, question: str, windows: Sequence[Passage]) -> list[float]:
        return self._relevance(question, windows)

    def relevance_rows(self, windows: Sequence[Passage]) -> int:
        return self._relevance.rows(windows)

    def notes(self, question: str, window: Passage) -> list[Passage]:
        return notes(self._scout, question, window)

    def quote(self, statement: str, part: Passage) -> Passage | None:
        return copying.quote(self._engine, statement, part)

    def _reply(self, message: str, max_tokens: int) -> str:
        return reply(self._engine, message, max_tokens)

    def _shortened(self, text: str) -> str:
        """The beginning of a text that is longer than a prompt has room for."""
        most = self._engine.model.args.trained_length // _ANSWER_SHARE
        tokens = self.count(text)
        return text if tokens <= most else text[: len(text) * most // tokens]


def _asked(question: str) -> str:
    return fence(question).strip()
