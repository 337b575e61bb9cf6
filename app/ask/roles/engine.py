"""A model that is asked many things: its memory plan, its stored prefixes, and what it has computed."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import mlx.core as mx

from app.ask.roles.prompt import Prompt, encode
from app.ask.roles.usage import Counter
from app.long_context import formats, plan_prompt
from qwen2_mlx.cache.remember import announce, make_room
from qwen2_mlx.errors import PromptError
from qwen2_mlx.generate import Progress, prefill
from qwen2_mlx.memory.limit import memory_limit as limit_here
from qwen2_mlx.memory.plan import Plan, compute_of, longest, weight_bytes
from qwen2_mlx.models import Model
from qwen2_mlx.prefix_store.folder import Folder
from qwen2_mlx.prefix_store.reuse import PrefixStore
from qwen2_mlx.tokenizer import Tokenizer

#: Shared beginnings of fewer tokens are not kept: reading them again takes about as long.
LEAST_STORED = 512

#: Plans are made for multiples of so many tokens, so that similar prompts share one.
_PLAN_STEP = 256


class Engine:
    """One model and all it takes to prompt it."""

    def __init__(
        self,
        model: Model,
        tokenizer: Tokenizer,
        name: str,
        counter: Counter,
        *,
        kv_bits: str = "auto",
        memory_limit: int | None = None,
        prefixes: Folder | None = None,
        notify: Callable[[str], None] = lambda message: None,
    ):
        """`kv_bits` and `memory_limit` (bytes) are those of `app.long_context`."""
        self.model, self.tokenizer, self.name, self.counter = model, tokenizer, name, counter
        self.on_prefill: Progress | None = None
        self._kv_bits, self._memory_limit = kv_bits, memory_limit
        self._prefixes, self._notify = prefixes, notify
        self._plans: dict[int, Plan] = {}
        self._stores: dict[int, PrefixStore] = {}

    def encode(self, message: str) -> list[int]:
        """The token ids of a conversation that begins with `message`."""
        return encode(self.tokenizer, message)

    @cached_property
    def longest(self) -> int:
        """Tokens of prompt and reply that the memory has room for; 0 for none."""
        return longest(
            self.model.args,
            compute_of(self.model),
            weight_bytes(self.model),
            self._memory_limit or limit_here(),
            formats(self._kv_bits),
        )

    def check_memory(self) -> None:
        """Raises `MemoryLimitError` where not even a short prompt fits."""
        self._plan(LEAST_STORED)

    def begin(self, prompt: Prompt, room: int, label: str = "") -> list[Any]:
        """A cache with the shared part of `prompt` in it and room for `room` tokens behind the whole.

        The shared part is computed on its own, whether it is stored or not: a reply must not
        depend on what a stored part saved. `label` is what it is called in lists. Raises
        `PromptError` when nothing could follow the prompt, and `MemoryLimitError`.
        """
        limit = self.model.args.context_length
        if room < 1 or len(prompt.ids) + room > limit:
            raise PromptError(
                f"the prompt is {len(prompt.ids)} tokens, {max(room, 1)} must be left for the reply and this"
                f" model takes {limit}; give less text or a model with a longer context"
            )
        tokens = len(prompt.ids) + room
        plan = self._plan(tokens)
        cache = self.model.make_cache(plan.kv)
        make_room(cache, tokens)
        announce(cache, len(prompt.ids))
        beginning = prompt.ids[: prompt.shared]
        reused = 0
        if len(beginning) >= LEAST_STORED and self._prefixes:
            store = self._store(plan.prefill_step)
            reused = store.prefill(beginning, cache, len(prompt.ids), label, self.on_prefill)
        elif beginning:
            prefill(self.model, mx.array(beginning), cache, self.on_prefill, plan.prefill_step)
        self.counter.add(prefilled=len(beginning) - reused, reused=reused)
        return cache

    def follow(self, tokens: Sequence[int], cache: list[Any]) -> mx.array:
        """Computes `tokens`, which follow what `cache` holds, and returns the next one's logits, (vocab,)."""
        if len(tokens) > 1:
            step = self._plan(cache[0].offset + len(tokens)).prefill_step
            prefill(self.model, mx.array(list(tokens[:-1])), cache, prefill_step=step)
        return self.model(mx.array([list(tokens[-1:])]), cache=cache)[0, -1]

    def follow_all(self, tokens: Sequence[int], cache: list[Any]) -> mx.array:
        """As `follow`, for few tokens: the logits after each of them, (tokens, vocab)."""
        return self.model(mx.array([list(tokens)]), cache=cache)[0]

    def read(self, prompt: Prompt, room: int, label: str = "") -> tuple[list[Any], mx.array]:
        """`begin` and all the rest of the prompt: a cache, and the logits of the reply's first token."""
        cache = self.begin(prompt, room, label)
        rest = prompt.ids[prompt.shared :]
        self.counter.add(prefilled=len(rest))
        return cache, self.follow(rest, cache)

    def _plan(self, tokens: int) -> Plan:
        rounded = -(-tokens // _PLAN_STEP) * _PLAN_STEP
        if rounded not in self._plans:
            self._plans[rounded] = plan_prompt(self.model, rounded, self._kv_bits, self._memory_limit)
        return self._plans[rounded]

    def _store(self, prefill_step: int) -> PrefixStore:
        assert self._prefixes is not None
        if prefill_step not in self._stores:
            self._stores[prefill_step] = PrefixStore(
                self.model, self._prefixes, self.name, prefill_step, self._notify
            )
        return self._stores[prefill_step]
