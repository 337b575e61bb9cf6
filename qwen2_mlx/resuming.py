"""Going on with an answer that was cut off, so that the whole is what it would have been.

A person sees characters and a model sees tokens. What was shown of an answer may end inside a token, because
the last character is held back until it is complete, and many rows of tokens spell the same text. So the
tokens are taken from the cache where these say what was shown; only a text that comes from elsewhere is cut
into tokens anew.
"""

from collections.abc import Sequence
from dataclasses import replace

from qwen2_mlx.generate import GenerationEvent
from qwen2_mlx.stop_strings import StopStrings
from qwen2_mlx.tokenizer import Tokenizer


def begun_tokens(tokenizer: Tokenizer, shown: str, generated: Sequence[int]) -> list[int]:
    """The tokens of `shown`, the beginning of an answer, in which nothing is a control token.

    They are the first ones of `generated` where these were shown as that; the last of them may say less
    than `shown` does, when that ends inside the next one.
    """
    detokenizer, at = tokenizer.detokenizer(), 0
    begun: list[int] = []
    for token in generated:
        if token in tokenizer.eos_ids:
            break
        text = detokenizer.add(token)
        if not shown.startswith(text, at):
            return begun if text.startswith(shown[at:]) else tokenizer.encode(shown)
        at += len(text)
        begun.append(token)
    return begun if detokenizer.finish().startswith(shown[at:]) else tokenizer.encode(shown)


class Continuation:
    """The text of what follows `begun`, the tokens of an answer of which `shown` was seen."""

    def __init__(self, tokenizer: Tokenizer, begun: Sequence[int], shown: str, stop: Sequence[str]):
        self._eos_ids = tokenizer.eos_ids
        self._detokenizer, self._stops = tokenizer.detokenizer(), StopStrings(stop)
        said = "".join(map(self._detokenizer.add, begun))
        passed = self._stops.add(said)
        if self._stops.found:  # it was not a stop string when this was generated
            self._stops, passed = StopStrings(stop), said
        self._seen = len(shown) - len(passed)  # characters that were shown and are held back here

    def follow(self, event: GenerationEvent) -> GenerationEvent:
        """An event of `stream_generate` without stop strings, with the text it has after what was begun."""
        ended = event.token in self._eos_ids
        text = self._stops.add("" if ended else self._detokenizer.add(event.token))
        finish = "stop" if self._stops.found else event.finish_reason
        if finish and not self._stops.found:
            text += self._stops.add(self._detokenizer.finish())
            text += self._stops.finish()
            finish = "stop" if self._stops.found else finish
        seen = min(self._seen, len(text))
        self._seen -= seen
        return replace(event, text=text[seen:], finish_reason=finish)
