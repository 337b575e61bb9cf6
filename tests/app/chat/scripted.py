"""A chat session that plays a script instead of running a model."""

import threading
from collections.abc import Callable, Generator
from typing import Any

from qwen2_mlx.config import ModelConfig
from qwen2_mlx.generate import GenerationEvent
from tests import checkpoints

Step = str | Exception | KeyboardInterrupt | Callable[[], object]

PROMPT_TOKENS = 40
REUSED_TOKENS = 5
PATIENCE = 30.0  # seconds that a busy machine may need for what takes milliseconds


def event(text: str, count: int, finish: str | None = None, peak_memory: int = 0) -> GenerationEvent:
    """One event of an answer, with numbers that tests can recognise."""
    return GenerationEvent(
        text=text,
        token=count,
        finish_reason=finish,
        prompt_tokens=PROMPT_TOKENS,
        reused_tokens=REUSED_TOKENS,
        generation_tokens=count,
        prompt_tps=800.0,
        generation_tps=63.0,
        time_to_first_token=0.05,
        peak_memory=peak_memory,
    )


class ScriptedSession:
    """Answers each question with the steps of `script`, then ends with `finish`.

    A string is a piece of the answer, an exception is raised, anything else is called, so
    that a test can look around or hold the answer up at that point. `prefill` steps are
    called between two reports on the prompt. Behaves like `ChatSession` when closed early.
    """

    def __init__(self, *script: Step, prefill: Callable[[], object] | None = None, finish: str = "stop"):
        self.script, self.prefill, self.finish = script, prefill, finish
        self.config = ModelConfig.from_dict(checkpoints.DENSE)
        self.messages: list[dict[str, str]] = []
        self.asked: list[str] = []
        self.peak_memory = 1_230_000_000
        self.settings: dict[str, Any] = {}
        self.threads: list[threading.Thread] = [threading.current_thread()]

    def send(
        self, text: str, on_prefill: Callable[[int, int], None] | None = None, **settings: Any
    ) -> Generator[GenerationEvent]:
        self.settings = settings
        self.asked.append(text)
        self.messages.append({"role": "user", "content": text})
        self.threads.append(threading.current_thread())
        answer: list[str] = []
        try:
            self._prefill(on_prefill)
            for step in self.script:
                if isinstance(step, str):
                    answer.append(step)
                    yield event(step, len(answer), peak_memory=self.peak_memory)
                elif isinstance(step, BaseException):
                    raise step
                else:
                    step()
            yield event("", len(answer) + 1, self.finish, self.peak_memory)
        finally:
            self.threads.append(threading.current_thread())
            if answer:
                self.messages.append({"role": "assistant", "content": "".join(answer)})
            else:
                self.messages.pop()

    def _prefill(self, report: Callable[[int, int], None] | None) -> None:
        if report is None:
            return
        report(PROMPT_TOKENS // 2, PROMPT_TOKENS)
        if self.prefill is not None:
            self.prefill()
        report(PROMPT_TOKENS, PROMPT_TOKENS)

    def clear(self) -> None:
        self.messages.clear()
        self.threads.append(threading.current_thread())


class Gate:
    """A step that holds the answer up until the test opens it."""

    def __init__(self) -> None:
        self._reached, self._opened = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self._reached.set()
        assert self._opened.wait(PATIENCE), "nobody opened the gate"

    @property
    def reached(self) -> bool:
        return self._reached.is_set()

    def wait(self) -> None:
        """Returns when the answer stands at the gate."""
        assert self._reached.wait(PATIENCE), "the answer never came to the gate"

    def open(self) -> None:
        self._opened.set()
