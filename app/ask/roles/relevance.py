"""How relevant windows are to a question: logit(yes) - logit(no) after one forward pass each."""

from collections.abc import Sequence

import mlx.core as mx

from app.ask import prompts
from app.ask.passage import Passage
from app.ask.roles.choice import first_tokens, scores
from app.ask.roles.copying import label, window_prompt
from app.ask.roles.engine import Engine
from qwen2_mlx.models import Model

YES, NO = "yes", "no"

#: Tokens of all rows of a batch, padding included, on a GPU. A CPU gains nothing from rows.
BATCH_TOKENS = 2048

#: Tokens of a question, about.
_QUESTION = 16


class Relevance:
    """Scores windows for one model."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._around = len(engine.encode(prompts.relevance("", ""))) + _QUESTION
        self.tokens = first_tokens(engine.tokenizer, (YES, NO))

    def __call__(self, question: str, windows: Sequence[Passage]) -> list[float]:
        """One score a window. Long windows are computed one by one, in two parts, and kept."""
        made = [window_prompt(self._engine.tokenizer, prompts.relevance, w, question) for w in windows]
        found: dict[int, float] = {}
        for index, prompt in enumerate(made):
            if prompt.shared:
                found[index] = self._score(self._engine.read(prompt, 1, label(windows[index]))[1])
        short = [index for index, prompt in enumerate(made) if not prompt.shared]
        for batch in batches([len(made[index].ids) for index in short], self._batch_tokens):
            indexes = [short[at] for at in batch]
            logits = last_logits(self._engine.model, [made[index].ids for index in indexes])
            self._engine.counter.add(prefilled=sum(len(made[index].ids) for index in indexes))
            found |= {index: self._score(row) for index, row in zip(indexes, logits, strict=True)}
        return [found[index] for index in range(len(windows))]

    def rows(self, windows: Sequence[Passage]) -> int:
        """How many of `windows`, from the first, one call should be given; at least one."""
        if self._batch_tokens == 0:
            return 1
        count, longest = 0, 0
        for window in windows:
            longest = max(longest, self._around + self._engine.tokenizer.count(window.text))
            if count and longest * (count + 1) > self._batch_tokens:
                break
            count += 1
        return max(1, count)

    @property
    def _batch_tokens(self) -> int:
        on_gpu = mx.default_device().type == mx.DeviceType.gpu
        return BATCH_TOKENS if on_gpu else 0

    def _score(self, logits: mx.array) -> float:
        found = scores(logits, self.tokens)
        return found[YES] - found[NO]


def batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Indexes in groups whose rows, padded to the longest, are at most `tokens` tokens; else alone.

    Rows of similar length come together.
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        if groups and lengths[index] * (len(groups[-1]) + 1) <= tokens:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def last_logits(model: Model, rows: Sequence[Sequence[int]]) -> mx.array:
    """The logits, (rows, vocab), that follow each row's last token.

    Rows are padded at their ends, which no earlier token sees. The head is applied to one
    state a row only: of all tokens its output would be gigabytes.
    """
    longest = max(map(len, rows))
    padded = mx.array([[*row, *[0] * (longest - len(row))] for row in rows])
    states = model.model(padded)[mx.arange(len(rows)), mx.array([len(row) - 1 for row in rows])]
    head = model.model.embed_tokens.as_linear if model.args.tie_word_embeddings else model.lm_head
    return head(states)
