"""One question, its answer on stdout: `qwen2-chat -p`, text on stdin, and both with `-c`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from app import cli, long_context
from app.chat.options import Options

if TYPE_CHECKING:
    from app.chat.store import Store
    from app.chat.store.records import Chat, Generation, State
    from qwen2_mlx.config import ModelConfig
    from qwen2_mlx.generate import GenerationEvent
    from qwen2_mlx.memory.plan import Plan

PROGRAM = "qwen2-chat"

STATISTICS = (
    "prompt_tokens",
    "reused_tokens",
    "generation_tokens",
    "prompt_tps",
    "generation_tps",
    "time_to_first_token",
    "peak_memory",
)


class Session(Protocol):
    """The part of `qwen2_mlx.ChatSession` that is used here."""

    messages: list[dict[str, Any]]

    @property
    def config(self) -> ModelConfig: ...

    def send(self, text: str, **settings: Any) -> Generator[GenerationEvent]: ...


def open_session(options: Options) -> Session:
    """Loads the model and starts an empty conversation; raises Qwen2Error when it cannot."""
    from qwen2_mlx import load
    from qwen2_mlx.session import ChatSession

    setup = options.setup
    # A turn reuses what earlier ones left, which is exact only if temperatures follow positions.
    model, tokenizer = load(setup.model, rope=setup.rope, length_factor="position")

    def plan(tokens: int) -> Plan:
        return long_context.plan_prompt(model, tokens, setup.kv_bits, setup.memory_limit)

    return ChatSession(model, tokenizer, system=options.system, plan=plan)


@dataclass
class Answer:
    """What came of a question. `reason` is "stop", "length", "interrupted", or None when nothing came."""

    pieces: list[str] = field(default_factory=list)
    reason: str | None = None
    last: GenerationEvent | None = None

    @property
    def text(self) -> str:
        """All that was said, fit for a terminal."""
        return "".join(self.pieces)


def ask(options: Options, prompt: str, as_json: bool = False, verbose: bool = False) -> int:
    """Asks once, prints the answer and what was asked for beside it, and keeps nothing."""
    session, answer = open_session(options), Answer()
    try:
        _stream(session, options, prompt, answer, as_json)
    except KeyboardInterrupt:
        answer.reason = "interrupted"
    return _report(answer, options, as_json, verbose)


def ask_in(
    store: Store,
    chat: Chat | None,
    options: Options,
    prompt: str,
    as_json: bool = False,
    verbose: bool = False,
) -> int:
    """The same in a stored chat, None for a new one: what was said there is sent along, and kept on.

    The answer is stored piece by piece before it is printed, so that what was seen is there.
    """
    session, answer = open_session(options), Answer()  # first: nothing is stored when this fails
    try:
        _stream_into(
            store, chat or _new_chat(store, options, prompt), session, options, prompt, answer, as_json
        )
    except KeyboardInterrupt:
        answer.reason = "interrupted"
    return _report(answer, options, as_json, verbose)


def _new_chat(store: Store, options: Options, prompt: str) -> Chat:
    """A chat that is named after its first question until somebody names it."""
    from app.chat.session.chats import title_of

    return store.update_chat(store.new_chat(options).id, title=title_of(prompt), named=False)


def _stream_into(
    store: Store,
    chat: Chat,
    session: Session,
    options: Options,
    prompt: str,
    answer: Answer,
    as_json: bool,
) -> None:
    """Stores question and answer around `_stream`, however that ends."""
    from app.chat.session.turn import generation_of

    question = store.add_message(chat.id, chat.head, "user", prompt)
    said = store.conversation(question.id)[:-1]
    session.messages.extend({"role": role, "content": content} for role, content in said)
    message = store.begin_answer(chat.id, question.id, generation_of(options))
    journal = store.journal()
    ending: State = "stopped"
    problem = ""
    try:
        _stream(session, options, prompt, answer, as_json, lambda text: journal.append(message.id, text))
        ending = "length" if answer.reason == "length" else "complete"
    except Exception as error:
        ending, problem = "error", str(error) or type(error).__name__
        raise
    finally:
        journal.close()
        generation = _outcome(generation_of(options), session, answer)
        store.finish_answer(message.id, ending, error=problem, generation=generation)


def _stream(
    session: Session,
    options: Options,
    prompt: str,
    answer: Answer,
    quiet: bool,
    keep: Callable[[str], None] = lambda text: None,
) -> None:
    """Asks, and hands every piece to `keep` before it is printed; `answer` grows with it."""
    warned = False

    def on_prefill(_: int, total: int) -> None:
        nonlocal warned
        if not warned:
            long_context.warn_past_proven(PROGRAM, session.config, total)
        warned = True

    try:
        with closing(session.send(prompt, **options.sampling, on_prefill=on_prefill)) as events:
            for event in events:
                answer.last, answer.reason = event, event.finish_reason
                keep(event.text)
                answer.pieces.append(cli.clean(event.text))
                if not quiet:
                    print(answer.pieces[-1], end="", flush=True)
    finally:
        if not quiet and (text := answer.text) and not text.endswith("\n"):
            print(flush=True)


def _report(answer: Answer, options: Options, as_json: bool, verbose: bool) -> int:
    """The JSON object on stdout; on stderr what the answer itself cannot say. Returns the exit code."""
    if as_json:
        print(_as_json(options.setup.model, answer))
    if answer.last is not None:
        if answer.reason == "length":
            limit = "--max-tokens or the model's context length"
            print(f"{PROGRAM}: cut after {answer.last.generation_tokens} tokens by {limit}", file=sys.stderr)
        if verbose:
            print(_statistics_line(answer.last), file=sys.stderr)
    return cli.INTERRUPTED if answer.reason == "interrupted" else 0


def _as_json(model: str, answer: Answer) -> str:
    statistics = {name: getattr(answer.last, name) for name in STATISTICS} if answer.last else {}
    fields = {
        "model": model,
        "text": answer.text,
        "finish_reason": answer.reason,
        "statistics": statistics,
    }
    return json.dumps(fields, ensure_ascii=False)


def _statistics_line(last: GenerationEvent) -> str:
    return (
        f"prompt {last.prompt_tokens:,} tokens at"
        f" {last.prompt_tps:,.0f}/s, answer {last.generation_tokens:,} tokens at"
        f" {last.generation_tps:,.1f}/s, first after {last.time_to_first_token:.2f} s,"
        f" peak memory {_size(last.peak_memory)}"
    )


def _size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _outcome(generation: Generation, session: Session, answer: Answer) -> Generation:
    """How the answer came about, as the store keeps it."""
    rope, reason = session.config.rope_mode, answer.reason or "stopped"
    generation = replace(generation, rope=rope, stop_reason=reason)
    if (last := answer.last) is None:
        return generation
    return replace(
        generation,
        prompt_tokens=last.prompt_tokens,
        reused_tokens=last.reused_tokens,
        output_tokens=last.generation_tokens,
        time_to_first_token=last.time_to_first_token,
        prompt_tps=last.prompt_tps,
        output_tps=last.generation_tps,
        peak_memory=last.peak_memory,
    )
