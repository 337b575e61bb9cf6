"""A reader without weights: real prompts are counted with a real tokenizer, replies come from rules.

It stands for a model of the family that reads perfectly. So index time, memory and tokens a question can be
measured with Qwen2's own tokenizer and sizes where its weights are not at hand. How well a model reads
is not measured with it.
"""

import re
from collections.abc import Sequence

from app.ask import prompts
from app.ask.answer import Usage
from app.ask.passage import Passage
from app.ask.roles.protocol import Kind, OnText, Sizes
from qwen2_mlx.tokenizer import Tokenizer

#: What `qwen2-ask` gives models that were trained on 32,768 tokens, on a machine of 16 GB.
QWEN2 = Sizes(chunk=400, overlap=60, evidence=6000, window=8192, whole=24000)

_SENTENCE = re.compile(r"[^.\n]+\.")
_NAME = re.compile(r"[A-Z][a-z]+ [A-Z][a-z]+")


class ScriptedReader:
    """Answers with the sentences that hold the name and the label of the question."""

    def __init__(self, tokenizer: Tokenizer, sizes: Sizes = QWEN2):
        self.tokenizer, self.sizes, self.usage = tokenizer, sizes, Usage()
        self.model_name = self.scout_name = self.scout_id = "script"

    def count(self, text: str) -> int:
        return len(self.tokenizer.encode(text))

    def kind(self, question: str) -> Kind:
        self._asked(prompts.kind(question), "A")
        return "lookup"

    def keywords(self, question: str) -> list[str]:
        return _NAME.findall(self._asked(prompts.keywords(question), ", ".join(_NAME.findall(question))))

    def standalone(self, question: str, answer: str, follow_up: str) -> str:
        return self._asked(prompts.standalone(question, answer, follow_up), follow_up)

    def first(self, question: str) -> str:
        return self._asked(prompts.first(question), question)

    def resolve(self, finding: str, question: str) -> str:
        return self._asked(prompts.resolve(finding, question), question)

    def answer(self, question: str, parts: Sequence[Passage], on_text: OnText | None = None) -> str:
        said = [
            f"{sentence[:-1]} [{number}]."
            for number, part in enumerate(parts, 1)
            for sentence in _that_answer(question, part.text)
        ]
        reply = " ".join(dict.fromkeys(said)) or prompts.NOT_FOUND
        return self._asked(prompts.answer([part.text for part in parts], question), reply)

    def answer_whole(self, question: str, document: Passage, on_text: OnText | None = None) -> str:
        reply = " ".join(_that_answer(question, document.text)) or prompts.NOT_FOUND
        return self._asked(prompts.whole_document(document.text, question), reply)

    def relevance(self, question: str, windows: Sequence[Passage]) -> list[float]:
        for window in windows:
            self._asked(prompts.relevance(window.text, question), "yes")
        return [1.0 if _that_answer(question, window.text) else -1.0 for window in windows]

    def relevance_rows(self, windows: Sequence[Passage]) -> int:
        return 1

    def notes(self, question: str, window: Passage) -> list[Passage]:
        found = _that_answer(question, window.text)
        self._asked(prompts.notes(window.text, question), "\n".join([*found, prompts.NOTHING_MORE]))
        starts = [window.text.index(sentence) for sentence in found]
        return [window.span(at, at + len(s)) for at, s in zip(starts, found, strict=True)]

    def quote(self, statement: str, part: Passage) -> Passage | None:
        self._asked(prompts.quote(part.text, statement), prompts.NO_QUOTE)
        return None

    def _asked(self, prompt: str, reply: str) -> str:
        ids = self.tokenizer.encode_chat([{"role": "user", "content": prompt}])
        self.usage += Usage(len(ids), 0, self.count(reply))
        return reply


def _that_answer(question: str, text: str) -> list[str]:
    names = _NAME.findall(question)
    labels = [w for w in ("secret code", "birth year", "home town", "trade", "teacher") if w in question]
    return [
        sentence.strip()
        for sentence in _SENTENCE.findall(text)
        if all(word in sentence for word in (*names, *labels[:1])) and names
    ]
