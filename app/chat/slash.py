"""Every command that is called by name: /rename in the prompt, "Rename" in the palette and the help.

Each is carried out by the method of that name of `app.chat.screens.commands.Commands`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.chat.store.records import Template

#: What can be chosen from behind a command.
Choices = Literal["", "themes", "modes", "models", "files", "documents"]


@dataclass(frozen=True)
class Slash:
    """One command. `argument` names what may stand behind it, in brackets where it may be left out."""

    name: str
    argument: str
    help: str
    choices: Choices = ""

    @property
    def label(self) -> str:
        """What is typed, with its argument."""
        return f"/{self.name} {self.argument}".rstrip()

    @property
    def needs_argument(self) -> bool:
        """Whether it means nothing alone."""
        return bool(self.argument) and not self.argument.startswith("[")


COMMANDS: tuple[Slash, ...] = (
    Slash("new", "", "Begin a new chat"),
    Slash("chats", "[words]", "Open or search chats"),
    Slash("rename", "title", "Name this chat"),
    Slash("pin", "", "Keep this chat at the top of the list, or no longer"),
    Slash("archive", "", "Put this chat away from the list, or back"),
    Slash("archived", "", "Show the archived chats in the list, or the others"),
    Slash("duplicate", "", "Copy this chat"),
    Slash("delete", "", "Move this chat to the trash"),
    Slash("restore", "", "Bring back the chat that was deleted last"),
    Slash("trash", "", "Restore what was deleted, or delete it for good"),
    Slash("export", "", "Export this chat"),
    Slash("import", "", "Import chats from an exported file"),
    Slash("system", "[text]", "Set the system prompt of this chat; alone, the model's own"),
    Slash("settings", "", "Settings of this chat"),
    Slash("presets", "", "Load or save settings under a name"),
    Slash("templates", "", "Texts to begin a prompt with"),
    Slash("model", "[name]", "Choose, download or load a model", "models"),
    Slash("unload", "", "Free the model; the next question loads it again"),
    Slash("attach", "[file]", "Attach a document: questions are answered from it", "files"),
    Slash("detach", "[name]", "Take a document away from this chat", "documents"),
    Slash("mode", "mode", "How documents are read", "modes"),
    Slash("theme", "[name]", "Choose the colours", "themes"),
    Slash("retry", "", "Answer the last question again, beside the old answer"),
    Slash("continue", "", "Go on with the last answer"),
    Slash("undo", "", "Take the last deletion of a message back"),
    Slash("branches", "", "The branches of this chat as a tree"),
    Slash("find", "[words]", "Find in this chat"),
    Slash("list", "", "Show or hide the list of chats"),
    Slash("stats", "", "The numbers of the last answer"),
    Slash("help", "", "All keys and commands"),
    Slash("quit", "", "Quit"),
)  # fmt: skip


def parse(text: str) -> tuple[str, str] | None:
    """The name and argument of a text that calls a command; None for one that is a message.

    A path such as /etc/hosts is none, nor is anything behind a blank.
    """
    first, _, rest = text.partition(" ")
    name = first.removeprefix("/")
    if "\n" in first or not first.startswith("/") or not name or not name.replace("-", "").isidentifier():
        return None
    return name, rest.strip()


def command_named(name: str) -> Slash | None:
    """The command of this name."""
    return next((command for command in COMMANDS if command.name == name), None)


def template_named(name: str, templates: Sequence[Template]) -> Template | None:
    """The template that is called by this name; commands go before."""
    return next((template for template in templates if template.slug == name), None)
