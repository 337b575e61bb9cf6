"""A conversation: its messages and the cache that already holds most of them."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from qwen2_mlx.cache.format import KVFormat
from qwen2_mlx.cache.remember import make_room
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import PromptError
from qwen2_mlx.generate import GenerationEvent, Progress, stream_generate
from qwen2_mlx.memory.plan import Plan
from qwen2_mlx.models import Model
from qwen2_mlx.resuming import Continuation, begun_tokens
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
        self._generated: tuple[list[int], list[int]] = ([], [])  # a prompt, and what was generated for it
        self.clear()

    def clear(self) -> None:
        """Starts over; the system message stays."""
        self.messages[:] = [{"role": "system", "content": self._system}] if self._system else []
        self._kv: KVFormat | None = None
        self._prefill_step: int | None = None
        self.forget()

    def forget(self) -> None:
        """Frees the cache; the next answer reads the whole conversation."""
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
        asked = {"role": "user", "content": text}
        self.messages.append(asked)
        try:
            yield from self.answer(stop=stop, on_prefill=on_prefill, **settings)
        finally:
            if self.messages and self.messages[-1] is asked:
                self.messages.pop()

    def answer(
        self,
        *,
        resume: bool = False,
        context: int | None = None,
        stop: Sequence[str] = (),
        on_prompt: Callable[[int, int], None] | None = None,
        on_prefill: Progress | None = None,
        **settings: Any,
    ) -> Generator[GenerationEvent, None, None]:
        """Yields what follows `messages` as it is generated, and adds it to them.

        With `resume` the last message is an unfinished answer of the assistant and goes on where it
        ended; while its tokens are in the cache, as if it had never been interrupted. `context` limits
        prompt and answer to fewer tokens than the model handles. `on_prompt` is called before the
        prompt is read, with the tokens that are in the cache and those there are in all. Everything
        else is as in `send`.
        """
        answer = [self._taken_back() if resume else ""]
        try:
            asked = settings.pop("max_tokens", None)
            prompt = self._tokenizer.encode_chat(self.messages)
            begun = begun_tokens(self._tokenizer, answer[0], self._generated_for(prompt)) if resume else []
            limit = _Limit(self.max_tokens if asked is None else asked, context)
            cached, ids, room = self._next_prompt([*prompt, *begun], limit)
            self._generated = (prompt, list(begun))
            if on_prompt:
                on_prompt(len(cached), len(cached) + len(ids))
            going_on = Continuation(self._tokenizer, begun, answer[0], stop) if resume else None
            events = stream_generate(
                self._model,
                self._tokenizer,
                ids,
                max_tokens=room,
                sampling=self._sampling,
                stop=() if resume else stop,
                cache=self._cache,
                cached=cached,
                on_prefill=on_prefill,
                prefill_step=self._prefill_step,
                **settings,
            )
            for event in events:
                event = going_on.follow(event) if going_on else event
                answer.append(event.text)
                self._fed.append(event.token)
                self._generated[1].append(event.token)
                yield event
                if event.finish_reason:
                    break
        finally:
            del self._fed[self.context_tokens :]
            if resume or len(answer) > 1:
                self.messages.append({"role": "assistant", "content": "".join(answer)})

    def _taken_back(self) -> str:
        """The text of the last message, an unfinished answer, which leaves the conversation."""
        if not self.messages or self.messages[-1].get("role") != "assistant":
            raise ValueError("there is no answer to go on with; the last message must be the assistant's")
        return self.messages.pop()["content"]

    def _generated_for(self, prompt: list[int]) -> list[int]:
        """The tokens of the last answer, the very last of which no cache holds, if it was to `prompt`."""
        asked, tokens = self._generated
        return tokens if asked == prompt else []

    def _next_prompt(self, ids: list[int], limit: "_Limit") -> tuple[list[int], list[int], int]:
        """The tokens that are cached, those that are not yet, and how many may follow them."""
        room = limit.room(self._model.args, len(ids))
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
            self.forget()
        make_room(self._cache, tokens)


@dataclass(frozen=True)
class _Limit:
    """The longest answer, and the most tokens of prompt and answer if that is less than the model handles."""

    max_tokens: int
    context: int | None

    def room(self, config: ModelConfig, prompt: int) -> int:
        """Tokens that may follow a prompt of so many. Raises `PromptError` where it is too long already."""
        most, handler = config.context_length, "the model handles"
        if self.context is not None and self.context < most:
            most, handler = self.context, "its context is set to"
        if prompt >= most:
            raise PromptError(
                f"the conversation is {prompt} tokens long and {handler} {most};"
                " shorten it or start a new one"
            )
        return min(self.max_tokens, most - prompt)


def _common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    pairs = zip(left, right, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))
