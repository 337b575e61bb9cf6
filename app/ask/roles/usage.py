"""How many tokens the models have worked on."""

from app.ask.answer import Usage


class Counter:
    """Adds up what is computed, reused and generated, for all models of a program."""

    def __init__(self) -> None:
        self.usage = Usage()

    def add(self, *, prefilled: int = 0, reused: int = 0, generated: int = 0) -> None:
        self.usage += Usage(prefilled, reused, generated)
