"""Models that play scripts, for an engine on a thread and for one in a process of its own.

The name of a model says which script is played, and in which folder its gates are files, because a test
may stand in another process: `held:/tmp/x`. As a module for `pipe_engine` this runs an engine with them.
"""

import json
import os
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.chat.engine import child
from app.chat.engine.messages import ModelInfo, Said
from app.chat.options import Setup
from qwen2_mlx.errors import CheckpointError, PromptError
from qwen2_mlx.generate import GenerationEvent
from tests.app.chat.scripted import ScriptedSession, event, model_info
from tests.app.chat.waiting import PATIENCE

if TYPE_CHECKING:
    from app.ask.roles.model_roles import ModelRoles

MODULE = __name__


class FileGate:
    """A step that holds an answer up until the test, wherever it runs, opens it."""

    def __init__(self, folder: Path, name: str = "gate") -> None:
        self._reached, self._opened = folder / f"{name}.reached", folder / f"{name}.opened"

    def __call__(self, *_: object) -> None:
        self._reached.touch()
        _wait_for(self._opened)

    def wait(self) -> None:
        """Returns when the answer stands at the gate."""
        _wait_for(self._reached)

    def open(self) -> None:
        self._opened.touch()


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.001)


class Echo(ScriptedSession):
    """Answers with what it was asked, as JSON."""

    def answer(self, **settings: Any) -> Generator[GenerationEvent]:  # type: ignore[override]
        settings = {name: value for name, value in settings.items() if not callable(value)}
        yield event(json.dumps({"messages": self.messages, **settings}, sort_keys=True), 1, "stop")


class ScriptedModel:
    """An open model around a scripted session; counts a token a character."""

    def __init__(self, setup: Setup, session: ScriptedSession) -> None:
        self.info: ModelInfo = model_info(setup)
        self.session = session

    def count(self, conversation: Sequence[Said]) -> int:
        if ("user", "refused") in conversation:
            raise PromptError("the template refuses it")
        return sum(len(text) for _, text in conversation)

    def roles(self) -> "ModelRoles":
        raise CheckpointError("a script plays no roles")


def _endless(folder: Path) -> ScriptedSession:
    session = ScriptedSession()
    session.script = iter(lambda: "on and ", None)  # type: ignore[assignment]
    return session


def _slow(folder: Path) -> ScriptedSession:
    """Half a second of answer."""
    return ScriptedSession(*[part for n in range(50) for part in (f"{n} ", lambda: time.sleep(0.01))])


def _broken(folder: Path) -> ScriptedSession:
    raise CheckpointError("the weights are cut off; fetch them again")


def _hanging(folder: Path) -> ScriptedSession:
    FileGate(folder)()
    return ScriptedSession()


def _stuck(folder: Path) -> ScriptedSession:
    (folder / "gate.reached").touch()
    time.sleep(600)
    return ScriptedSession()


def _printing(folder: Path) -> ScriptedSession:
    def noise() -> None:
        print("a library prints", flush=True)
        os.write(1, b"and so does a C library\n")

    return ScriptedSession("quiet ", noise, "please")


def _fatal(folder: Path) -> ScriptedSession:
    def crash() -> None:
        os.write(2, b"[METAL] Command buffer execution failed: Insufficient Memory\n")
        os.abort()

    return ScriptedSession("half ", crash)


SCRIPTS: dict[str, Callable[[Path], ScriptedSession]] = {
    "two": lambda folder: ScriptedSession("one ", "two", finish="length"),
    "echo": lambda folder: Echo(),
    "held": lambda folder: ScriptedSession("half ", FileGate(folder), "an ", "answer"),
    "held-at-end": lambda folder: ScriptedSession("all", FileGate(folder)),
    "held-in-prompt": lambda folder: ScriptedSession("never", prefill=FileGate(folder)),
    "problem": lambda folder: ScriptedSession("half", CheckpointError("broken")),
    "bug": lambda folder: ScriptedSession(ZeroDivisionError("a bug")),
    "full": lambda folder: ScriptedSession(RuntimeError("[malloc] Unable to allocate 99 bytes.")),
    "endless": _endless,
    "slow": _slow,
    "broken": _broken,
    "hanging": _hanging,
    "stuck": _stuck,
    "printing": _printing,
    "fatal": _fatal,
}


def script(name: str, folder: Path = Path()) -> Setup:
    """The setup whose model plays a script."""
    return Setup(f"{name}:{folder}")


def open_script(setup: Setup) -> ScriptedModel:
    """Opens what `script` named."""
    name, _, folder = setup.model.partition(":")
    return ScriptedModel(setup, SCRIPTS[name](Path(folder)))


def main(arguments: Sequence[str]) -> None:
    """An engine in a process of its own, the models of which play scripts."""
    child.main(arguments, open_script)
