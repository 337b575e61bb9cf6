"""A conversation: its messages and the cache that already holds most of them."""

from collections.abc import Callable, Generator, Sequence
from typing import Any

from qwen2_mlx.cache.format import KVFormat
from qwen2_mlx.cache.remember import make_room
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import PromptError
from qwen2_mlx.generate import GenerationEvent, Progress, stream_generate
from qwen2_mlx.memory.plan import Plan
from qwen2_mlx.models import Model
from qwen2_mlx.sampling import Sampling
from qwen2_mlx.tokenizer import Tokenizer


class ChatSession:
    """Keeps `messages` and the key-value cache together.

    Every turn renders the whole conversation, keeps the cached tokens it still begins
    with, and computes only the rest. So a default system prompt stands once, `messages`
    may be edited between turns, and a stopped answer costs nothing. Beyond the trained length that
    equals reading everything anew only under the length factor `position` (see `load`).
    """

    def __init__(
        self,
        model: Model,
        tokenizer: Tokenizer,
        system: str | None = None,
        sampling: Sampling | None = None,
        max_tokens: int = 1024,
        plan: Callable[[int], Plan] | None = None,
    ):
        """`plan` says how so many tokens are to be processed, or raises; see `memory.plan.choose`."""
        self.messages: list[dict[str, Any]] = []
        self.max_tokens = max_tokens
        self._model, self._tokenizer = model, tokenizer
        self._system, self._sampling = system, sampling
        self._plan = plan
        self.clear()

    def clear(self) -> None:
        """Starts over; the system message stays."""
        self.messages[:] = [{"role": "system", "content": self._system}] if self._system else []
        self._kv: KVFormat | None = None
        self._prefill_step: int | None = None
        self._forget()

    def _forget(self) -> None:
        self._cache = self._model.make_cache(self._kv)
        self._fed: list[int] = []

    @property
    def config(self) -> ModelConfig:
        """The model's."""
        return self._model.args

    @property
    def context_tokens(self) -> int:
        """Tokens in the cache; an interrupted step may have reached only its first layers."""
        return min(layer_cache.offset for layer_cache in self._cache)

    def send(
        self, text: str, *, stop: Sequence[str] = (), on_prefill: Progress | None = None, **settings: Any
    ) -> Generator[GenerationEvent, None, None]:
        """Asks `text` and yields the answer as it is generated.

        Closing the iterator early keeps the part that was yielded as the answer; a question
        without a single token of answer is taken back. `settings` override the sampling of
        the session. Raises `PromptError` when the conversation outgrows the context, and
        `MemoryLimitError` when it outgrows the plan.
        """
        self.messages.append({"role": "user", "content": text})
        answer: list[str] = []
        tokens = 0
        try:
            asked = settings.pop("max_tokens", None)
            cached, ids, room = self._next_prompt(self.max_tokens if asked is None else asked)
            events = stream_generate(
                self._model,
                self._tokenizer,
                ids,
                max_tokens=room,
                sampling=self._sampling,
                stop=stop,
                cache=self._cache,
                cached=cached,
                on_prefill=on_prefill,
                prefill_step=self._prefill_step,
                **settings,
            )
            for event in events:
                tokens += 1
                answer.append(event.text)
                self._fed.append(event.token)
                yield event
        finally:
            del self._fed[self.context_tokens :]
            if tokens:
                self.messages.append({"role": "assistant", "content": "".join(answer)})
            else:
                self.messages.pop()

    def _next_prompt(self, max_tokens: int) -> tuple[list[int], list[int], int]:
        """The tokens that are cached, those that are not yet, and how many may follow them."""
        ids = self._tokenizer.encode_chat(self.messages)
        limit = self._model.args.context_length
        if len(ids) >= limit:
            raise PromptError(
                f"the conversation is {len(ids)} tokens long and the model handles {limit};"
                " shorten it or start a new one"
            )
        room = min(max_tokens, limit - len(ids))
        self._follow_plan(len(ids) + room)
        kept = min(_common_prefix(self._fed, ids), len(ids) - 1)
        for layer_cache in self._cache:
            layer_cache.trim(layer_cache.offset - kept)
        self._fed = ids
        return ids[:kept], ids[kept:], room

    def _follow_plan(self, tokens: int) -> None:
        """Goes on with a smaller cache, read anew, where `tokens` no longer fit in the one there is."""
        if self._plan is None:
            return
        plan = self._plan(tokens)
        self._prefill_step = plan.prefill_step
        if plan.kv != self._kv:
            self._kv = plan.kv
            self._forget()
        make_room(self._cache, tokens)


def _common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    pairs = zip(left, right, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))
