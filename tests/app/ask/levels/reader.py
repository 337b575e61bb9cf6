"""A program that reads a document in a library, slowly, and writes down what it has scored: to be killed."""

import sys
from collections.abc import Sequence
from pathlib import Path

from app.ask.agent import Agent, Options
from app.ask.events import Final
from app.ask.library import Library
from app.ask.passage import Passage
from tests.app.ask.levels.facts import ABSENT
from tests.app.ask.levels.oracle import Oracle


class Writing(Oracle):
    """Adds a line of windows to the file `log` for each call, when its scores are computed."""

    log: Path

    def relevance(self, question: str, windows: Sequence[Passage]) -> list[float]:
        scores = super().relevance(question, windows)
        with self.log.open("a") as log:
            log.write(" ".join(f"{window.start}-{window.end}" for window in windows) + "\n")
        return scores


def main(path: str, log: str, seconds: str) -> None:
    oracle = Writing(seconds=float(seconds))
    oracle.log = Path(log)
    with Library.open(Path(path)) as library:
        agent = Agent(library, oracle, Options("read", max_time=None))
        for event in agent.ask(ABSENT, library.files()):
            if isinstance(event, Final):
                print(event.answer.status, event.answer.coverage.windows_read, event.answer.coverage.windows)


if __name__ == "__main__":
    main(*sys.argv[1:])
