"""A chat's documents as people see them in its panel."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # the library brings the tokenizer along, which the first frame does not wait for
    from app.ask.library import File


@dataclass(frozen=True, slots=True)
class Item:
    """One document, or one name that is being opened or was refused.

    `key` names it for as long as the chat is open. `stage` is what is being done ("reading",
    "indexing"), `done` of `total` of it, `left` in seconds (None unknown). `pages` are of `unit`, where
    they begin in the text is in `starts` (in characters, empty for texts without pages). `tokens` are
    0 while no model is loaded. `attached` is the id of the file by which the chat knows what is not open
    (yet). `note` is one line: why it was refused, or what people should know.
    """

    key: int
    name: str
    state: Literal["opening", "ready", "refused"]
    stored: "File | None" = None
    stage: str = ""
    done: int = 0
    total: int = 0
    left: float | None = None
    unit: str = "page"
    pages: int = 0
    starts: tuple[int, ...] = ()
    tokens: int = 0
    attached: int | None = None
    note: str = ""

    @property
    def file(self) -> int | None:
        """Its id in the library."""
        return self.stored.id if self.stored else None

    @property
    def characters(self) -> int:
        return self.stored.characters if self.stored else 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was found wrong with it when it was read, one line each."""
        return self.stored.warnings if self.stored else ()
