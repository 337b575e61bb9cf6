"""Reading chats that were exported as JSON. The file may come from anywhere: all of it is checked.

Messages name others only by places before their own, so that no chain can be a ring, and are read one
after the other, so that no chain is too long.
"""

import json
from collections.abc import Callable
from typing import Any, NoReturn, get_args

from app.ask.answer import Mode
from app.chat.options import Options, Setup
from app.chat.portable.as_json import FORMAT
from app.chat.portable.fields import Fields, refusal
from app.chat.store import Attachment, ChatCopy, Citation, Generation, MessageCopy, Reading, Role, State

#: Characters of a file, chats in it, messages of a chat, and other entries of a list.
MOST_CHARACTERS = 128 * 2**20
MOST_CHATS = 10_000
MOST_MESSAGES = 1_000_000
MOST_ENTRIES = 100_000

_STATES = tuple(state for state in get_args(State) if state != "streaming")


def read_json(text: str) -> list[ChatCopy]:
    """The chats of an export. Raises `Qwen2Error` with one line for anything else."""
    if len(text) > MOST_CHARACTERS:
        raise refusal(f"it is longer than {MOST_CHARACTERS // 2**20} million characters")
    try:
        value = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise refusal("it is nested too deeply") from None
    except ValueError as error:
        raise refusal(f"no JSON ({error})") from None
    file = Fields(value, "the file")
    if (format := file.whole("format", 0)) != FORMAT:
        raise refusal(f"its format is {format}, not {FORMAT}")
    return [_chat(chat) for chat in file.entries("chats", MOST_CHATS)]


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _chat(chat: Fields) -> ChatCopy:
    """A chat; one that does not say where it stands shows its last message."""
    entries = chat.entries("messages", MOST_MESSAGES)
    head = _place(chat, "head", len(entries))
    return ChatCopy(
        chat.text("title", ""),
        chat.flag("named"),
        _options(chat.fields("options")),
        chat.text("draft", ""),
        chat.text("folder", ""),
        chat.flag("pinned"),
        chat.flag("archived"),
        chat.time("created", 0.0),
        len(entries) - 1 if head is None and entries else head,
        tuple(_attachment(one) for one in chat.entries("attachments", MOST_ENTRIES)),
        tuple(_message(one, at) for at, one in enumerate(entries)),
    )


def _message(message: Fields, at: int) -> MessageCopy:
    return MessageCopy(
        _place(message, "parent", at),
        message.choice("role", get_args(Role)),
        message.text("content"),
        message.choice("state", _STATES),
        message.text("error", ""),
        _place(message, "edited_from", at),
        message.time("created", 0.0),
        message.optional("finished", message.time),
        message.optional("generation", lambda name: _generation(message.fields(name))),
        message.optional("document", message.object),
        tuple(_citation(one) for one in message.entries("citations", MOST_ENTRIES)),
        tuple(_reading(one) for one in message.entries("readings", MOST_ENTRIES)),
    )


def _place(fields: Fields, name: str, end: int) -> int | None:
    place = fields.optional(name, fields.whole)
    if place is not None and place >= end:
        raise fields.refusal(f"{name} is {place}, and no message before it has that place")
    return place


def _options(options: Fields) -> Options:
    setup = options.fields("setup")
    plain = Setup()
    return Options(
        Setup(
            setup.text("model", plain.model),
            setup.text("rope", plain.rope),
            setup.text("kv_bits", plain.kv_bits),
            setup.optional("memory_limit", setup.whole),
        ),
        options.optional("system", options.text),
        _sampling(options.fields("sampling")),
        options.optional("context", options.whole),
        options.choice("mode", get_args(Mode), "auto"),
        options.optional("max_time", options.number),
    )


def _sampling(sampling: Fields) -> dict[str, Any]:
    """What this version knows of it; what a newer one may have added is left out."""
    known: dict[str, Callable[[str], Any]] = {
        "temperature": sampling.number,
        "top_p": sampling.number,
        "top_k": sampling.whole,
        "min_p": sampling.number,
        "repetition_penalty": sampling.number,
        "max_tokens": sampling.whole,
        "seed": sampling.seed,
        "stop": sampling.texts,
    }
    return {
        name: value for name, read in known.items() if (value := sampling.optional(name, read)) is not None
    }


def _generation(fields: Fields) -> Generation:
    return Generation(
        fields.text("model"),
        fields.text("fingerprint", ""),
        fields.text("rope", ""),
        fields.optional("sampling", fields.object),
        fields.optional("seed", fields.seed),
        fields.whole("prompt_tokens", 0),
        fields.whole("reused_tokens", 0),
        fields.whole("output_tokens", 0),
        fields.number("time_to_first_token", 0.0),
        fields.number("prompt_tps", 0.0),
        fields.number("output_tps", 0.0),
        fields.whole("peak_memory", 0),
        fields.text("stop_reason", ""),
    )


def _citation(fields: Fields) -> Citation:
    return Citation(
        fields.whole("number"),
        fields.whole("file"),
        fields.text("sha256"),
        fields.text("name"),
        fields.text("place"),
        fields.whole("start"),
        fields.whole("end"),
        fields.text("quote"),
        fields.choice("match", ("exact", "fuzzy")),
        fields.number("score"),
    )


def _reading(fields: Fields) -> Reading:
    return Reading(fields.whole("file"), fields.whole("start"), fields.whole("end"), fields.number("score"))


def _attachment(fields: Fields) -> Attachment:
    return Attachment(
        fields.whole("file"),
        fields.text("sha256"),
        fields.text("name"),
        fields.text("path"),
        fields.time("attached"),
    )
