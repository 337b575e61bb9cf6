"""One answer while it is being written."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from app.chat.engine.messages import ModelInfo, Said, Stats
from app.chat.options import Options
from app.chat.store import Store
from app.chat.store.records import Generation, Message


@dataclass
class Turn:
    """`answer` as it was begun; `text` is what stands there by now.

    `started` once the engine works on it; until then it may be waiting for a model. `documents` when
    it is answered from them.
    """

    number: int
    answer: Message
    store: Store
    generation: Generation
    documents: bool
    pieces: list[str] = field(default_factory=list)
    started: bool = False
    stopping: bool = False
    stats: Stats | None = None

    @property
    def text(self) -> str:
        """All that was written."""
        return "".join(self.pieces)

    @property
    def message(self) -> Message:
        """The answer as far as it has come."""
        return replace(self.answer, content=self.text)

    def outcome(self, model: ModelInfo | None, reason: str) -> Generation:
        """How the answer came about, now that it is over."""
        generation = replace(self.generation, stop_reason=reason)
        if model is not None:
            generation = replace(generation, fingerprint=model.fingerprint, rope=model.rope_mode)
        if (stats := self.stats) is not None:
            generation = replace(
                generation,
                prompt_tokens=stats.prompt_tokens,
                reused_tokens=stats.reused_tokens,
                output_tokens=stats.output_tokens,
                time_to_first_token=stats.time_to_first_token,
                prompt_tps=stats.prompt_tps,
                output_tps=stats.output_tps,
                peak_memory=stats.peak_memory,
            )
        return generation


def generation_of(options: Options) -> Generation:
    """What is known of an answer before it begins."""
    sampling = dict(options.sampling)
    return Generation(
        model=options.setup.model, rope=options.setup.rope, sampling=sampling, seed=sampling.get("seed")
    )


def with_system(options: Options, conversation: Sequence[Said]) -> tuple[Said, ...]:
    """A conversation under the chat's system prompt; messages in which nothing was said are left out."""
    system: tuple[Said, ...] = () if options.system is None else (("system", options.system),)
    return system + tuple((role, content) for role, content in conversation if content)
