"""The protocol between a screen and the engine: commands one way, events the other.

Plain records that pickle, so that the same protocol runs over a queue to a thread or over a pipe to
another process. Every answer has a turn number chosen by the asker and growing: stopping names a turn,
so a late stop cannot hit the next answer, and what still arrives from an older turn can be told apart.
Tickets pair a question about numbers with its reply.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.ask import events as ask
from app.ask.answer import Mode
from app.chat.options import Sampling, Setup

#: Why a turn ended: "stopped" is by the reader.
Reason = Literal["stop", "length", "stopped"]

#: One turn of a conversation: "system", "user" or "assistant", and what was said.
Said = tuple[str, str]


# Commands.


@dataclass(frozen=True)
class Load:
    """Open a model in place of the one that is open. Answered by Loading, then Loaded or Failed."""

    setup: Setup


@dataclass(frozen=True)
class Unload:
    """Free the model. Answered by Unloaded."""


@dataclass(frozen=True)
class Generate:
    """Say what follows the conversation. Answered by Reading, Text and Stats, then Finished or Failed.

    With `resume` the last message is an unfinished answer to go on with. `context` limits prompt and
    answer together, in tokens.
    """

    turn: int
    conversation: tuple[Said, ...]
    sampling: Sampling
    resume: bool = False
    context: int | None = None


@dataclass(frozen=True)
class Ask:
    """Answer from documents: files of the library at `library` (None: the user's own).

    Answered by Told for each event of the agent, the last of which holds the answer, then Finished or
    Failed. `previous` is a standalone question and its answer, which this one may follow up.
    """

    turn: int
    question: str
    files: tuple[int, ...]
    library: Path | None = None
    mode: Mode = "auto"
    max_time: float | None = None
    previous: tuple[str, str] | None = None


@dataclass(frozen=True)
class Stop:
    """End this turn and all before it, whether running or still waiting; overtakes other commands."""

    turn: int


@dataclass(frozen=True)
class Count:
    """How many tokens is this as a prompt? Answered by Counted, also in the middle of an answer."""

    ticket: int
    conversation: tuple[Said, ...]


@dataclass(frozen=True)
class Fit:
    """Would this setup fit with so many tokens of context? Answered by Fitted; nothing is downloaded."""

    ticket: int
    setup: Setup
    context: int


@dataclass(frozen=True)
class Status:
    """What memory is in use? Answered by Memory, also in the middle of an answer."""


Command = Load | Unload | Generate | Ask | Stop | Count | Fit | Status


# Events.


@dataclass(frozen=True)
class ModelInfo:
    """An open model. Lengths in tokens, sizes in bytes; `limit` is the memory that may be used."""

    setup: Setup
    fingerprint: str
    rope_mode: str
    context_length: int
    trained_length: int
    proven_length: int
    weight_bytes: int
    limit: int


@dataclass(frozen=True)
class Loading:
    """The model is being read."""

    setup: Setup


@dataclass(frozen=True)
class Loaded:
    """The model is ready."""

    info: ModelInfo


@dataclass(frozen=True)
class Unloaded:
    """No model is open."""


@dataclass(frozen=True)
class Reading:
    """The prompt is being read: `done` of `total` tokens; `reused` of them were in the cache already.

    `left` is the seconds it will still take, None while unknown. `notice` is what people should know,
    once: that the text is longer than the model was shown to handle; else "".
    """

    turn: int
    done: int
    total: int
    reused: int = 0
    left: float | None = None
    notice: str = ""


@dataclass(frozen=True)
class Text:
    """A piece of the answer."""

    turn: int
    text: str


@dataclass(frozen=True)
class Stats:
    """Where a turn stands: rates in tokens per second, memory in bytes, time in seconds."""

    turn: int
    prompt_tokens: int
    reused_tokens: int
    output_tokens: int
    context_tokens: int
    prompt_tps: float
    output_tps: float
    time_to_first_token: float
    peak_memory: int


@dataclass(frozen=True)
class Told:
    """What the document agent reports."""

    turn: int
    event: ask.Event


@dataclass(frozen=True)
class Finished:
    """The turn is over."""

    turn: int
    reason: Reason


@dataclass(frozen=True)
class Failed:
    """Loading (turn None) or a turn ended in an error; `message` is one line for people."""

    turn: int | None
    message: str


@dataclass(frozen=True)
class Counted:
    ticket: int
    tokens: int


@dataclass(frozen=True)
class Fitted:
    """`line` says it in one line for people, such as "weights 4.3 + KV 7.0 + work 0.6 of 27.0 GB".

    `longest` is the most tokens that fit. Where nothing is known (not on this machine, no config),
    `fits` is None and `line` says why.
    """

    ticket: int
    fits: bool | None
    line: str
    longest: int = 0


@dataclass(frozen=True)
class Memory:
    """Bytes: in use now, at most so far, and what may be used."""

    active: int
    peak: int
    limit: int


@dataclass(frozen=True)
class Died:
    """The engine's own process is gone (only where it is isolated); Load starts another."""

    message: str


Event = (
    Loading
    | Loaded
    | Unloaded
    | Reading
    | Text
    | Stats
    | Told
    | Finished
    | Failed
    | Counted
    | Fitted
    | Memory
    | Died
)
