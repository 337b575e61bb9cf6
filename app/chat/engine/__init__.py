"""What thinks for a chat: models behind a protocol of commands and events.

`thread_engine` runs them on one thread of this process, `pipe_engine` in a process of their own, which may
die without taking the chat with it. Both are used alike, and neither side ever waits for the other.
"""

from app.chat.engine.interface import Engine, OnEvent, Wake
from app.chat.engine.messages import (
    Ask,
    Command,
    Count,
    Counted,
    Died,
    Event,
    Failed,
    Finished,
    Fit,
    Fitted,
    Generate,
    Load,
    Loaded,
    Loading,
    Memory,
    ModelInfo,
    Reading,
    Reason,
    Said,
    Stats,
    Status,
    Stop,
    Text,
    Told,
    Unload,
    Unloaded,
)
from app.chat.engine.pipe import pipe_engine
from app.chat.engine.thread import thread_engine

__all__ = [
    "Ask",
    "Command",
    "Count",
    "Counted",
    "Died",
    "Engine",
    "Event",
    "Failed",
    "Finished",
    "Fit",
    "Fitted",
    "Generate",
    "Load",
    "Loaded",
    "Loading",
    "Memory",
    "ModelInfo",
    "OnEvent",
    "Reading",
    "Reason",
    "Said",
    "Stats",
    "Status",
    "Stop",
    "Text",
    "Told",
    "Unload",
    "Unloaded",
    "Wake",
    "pipe_engine",
    "thread_engine",
]
