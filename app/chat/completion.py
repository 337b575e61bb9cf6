"""What could follow what is being typed: commands and templates after /, files after @."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.chat.slash import COMMANDS, Slash
from app.chat.store.records import Template

MOST = 50  # nobody looks through more
MOST_ENTRIES = 5000  # of a folder


@dataclass(frozen=True)
class Candidate:
    """`text` may stand in place of what was typed since character `start` of the line.

    `attach` names a file that is to be attached then. `final` when nothing has to follow the text.
    """

    start: int
    text: str
    label: str
    hint: str = ""
    attach: str = ""
    final: bool = False


class Completer:
    """Completes the line before the cursor.

    `templates` are called when / is typed, `choices` by their name in `Slash.choices`.
    """

    def __init__(
        self,
        templates: Callable[[], Sequence[Template]],
        choices: Mapping[str, Callable[[], Iterable[str]]],
        folder: Path | None = None,
    ) -> None:
        self._templates, self._choices = templates, choices
        self._folder = folder or Path.cwd()

    def candidates(self, before: str, first: bool = True) -> list[Candidate]:
        """What a line could go on with after `before`, the likeliest first.

        Commands stand on the `first` line only.
        """
        if first and before.startswith("/"):
            name, blank, argument = before[1:].partition(" ")
            found = self._arguments(name, argument) if blank else self._names(name)
        elif (at := _mark(before)) is not None:
            found = self._files(before[at + 1 :], at, attach=True)
        else:
            return []
        return found[:MOST]

    def _names(self, typed: str) -> list[Candidate]:
        offered = [
            Candidate(0, f"/{command.name} ", command.label, command.help, final=not command.argument)
            for command in COMMANDS
        ]
        offered += [
            Candidate(0, template.body, f"/{template.slug}", template.title or "template")
            for template in self._templates()
        ]
        return _ranked(offered, f"/{typed}")

    def _arguments(self, name: str, typed: str) -> list[Candidate]:
        command: Slash | None = next((each for each in COMMANDS if each.name == name), None)
        if command is None or not command.choices:
            return []
        start = len(name) + 2
        if command.choices == "files":
            return self._files(typed, start, attach=False)
        values = self._choices.get(command.choices, tuple)()
        return _ranked([Candidate(start, value, value, final=True) for value in values], typed)

    def _files(self, typed: str, start: int, attach: bool) -> list[Candidate]:
        """The entries of the folder that is being typed; hidden ones once a dot is."""
        above, _, name = typed.rpartition("/")
        above = f"{above}/" if "/" in typed else ""
        folder = self._folder / Path(above).expanduser()
        found: list[Candidate] = []
        for entry in _entries(folder):
            if entry.name.startswith(".") and not name.startswith("."):
                continue
            path = f"{above}{entry.name}"
            if _is_folder(entry):
                found.append(Candidate(start + int(attach), f"{path}/", f"{entry.name}/", "folder"))
            else:
                named = str(folder / entry.name)
                chosen = named if attach else ""
                found.append(Candidate(start, "" if attach else path, entry.name, "", chosen, True))
        return _ranked(found, name)


def _mark(before: str) -> int | None:
    """Where the @ stands that begins the last word; None for no such word."""
    at = before.rfind("@")
    if at < 0 or (at > 0 and not before[at - 1].isspace()):
        return None
    return None if before[at + 1 : at + 2] == " " else at


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as found:
            entries = [entry for entry, _ in zip(found, range(MOST_ENTRIES), strict=False)]
    except (OSError, ValueError):
        return []
    return sorted(entries, key=lambda entry: entry.name.casefold())


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _ranked(offered: Sequence[Candidate], typed: str) -> list[Candidate]:
    """Those that begin with what was typed, then those that hold its letters in their order."""
    wanted = typed.casefold()
    begin = [each for each in offered if each.label.casefold().startswith(wanted)]
    loose = [each for each in offered if each not in begin and _in_order(wanted, each.label.casefold())]
    return begin + loose


def _in_order(letters: str, text: str) -> bool:
    at = iter(text)
    return all(letter in at for letter in letters)
