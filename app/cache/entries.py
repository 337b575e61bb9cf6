"""The stored prefixes as `qwen2-cache` shows them, read from their headers alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app import cli
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.prefix_store.entry import DamagedEntryError, read_header
from qwen2_mlx.prefix_store.folder import Folder, StoredFile
from qwen2_mlx.prefix_store.key import COMPUTED

#: Digits of a key that lists show.
SHOWN_DIGITS = 12


@dataclass(frozen=True)
class Entry:
    """One stored prefix; `facts` is empty where its header cannot be read."""

    file: StoredFile
    facts: Mapping[str, str]

    @property
    def short_key(self) -> str:
        return self.file.key[:SHOWN_DIGITS]

    @property
    def label(self) -> str:
        """The name of the text it was made from, on one line."""
        return self._fact("label") if self.facts else "(damaged; run: qwen2-cache verify)"

    @property
    def model(self) -> str:
        return self._fact("model")

    def _fact(self, name: str) -> str:
        return " ".join(cli.clean(self.facts.get(name, "")).split())

    def as_json(self) -> dict[str, object]:
        """All that is known, for programs. Times are UTC."""
        return {
            "key": self.file.key,
            "label": self.facts.get("label"),
            "model": self.facts.get("model"),
            "tokens": self.file.tokens,
            "bytes": self.file.size,
            "created": self.facts.get("created"),
            "used": datetime.fromtimestamp(self.file.used, UTC).isoformat(timespec="seconds"),
            "readable": bool(self.facts),
            "computed": {
                name.removeprefix(COMPUTED): value
                for name, value in self.facts.items()
                if name.startswith(COMPUTED)
            },
        }


def read_entries(folder: Folder) -> list[Entry]:
    """All entries of the folder, the last used first."""
    return [Entry(file, facts) for file in folder.files() if (facts := _facts(file)) is not None]


def choose(entries: Sequence[Entry], beginning: str) -> Entry:
    """The entry whose key begins so. Raises `Qwen2Error` for none, or several."""
    found = [entry for entry in entries if entry.file.key.startswith(beginning.lower())]
    if not found:
        raise Qwen2Error(f"no stored text has a key that begins with {beginning!r}; see qwen2-cache list")
    if len(found) > 1:
        raise Qwen2Error(f"{len(found)} keys begin with {beginning!r}; give more of its digits")
    return found[0]


def _facts(file: StoredFile) -> Mapping[str, str] | None:
    """An entry's facts, none where it is damaged, None where it is gone by now."""
    try:
        with file.path.open("rb") as opened:
            return read_header(opened).facts
    except DamagedEntryError:
        return {}
    except FileNotFoundError:
        return None
