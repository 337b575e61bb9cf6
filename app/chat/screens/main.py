"""The screen of the chat: list, conversation, documents and prompt around one session."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Footer, Input, TextArea

from app.chat.completion import Completer
from app.chat.config import Config
from app.chat.history import History
from app.chat.keys import Key, bindings_of
from app.chat.screens.boxes import Boxes
from app.chat.screens.commands import Commands
from app.chat.screens.showing import Severity, Showing
from app.chat.session.changes import Change
from app.chat.session.session import Session
from app.chat.slash import Slash, command_named, parse, template_named
from app.chat.store.records import Message, Template
from app.chat.widgets.chat_list import ChatList
from app.chat.widgets.context_bar import ContextBar
from app.chat.widgets.doc_panel import DocPanel
from app.chat.widgets.find_bar import FindBar
from app.chat.widgets.prompt import Prompt
from app.chat.widgets.status_bar import StatusBar
from app.chat.widgets.transcript import Transcript
from qwen2_mlx.errors import Qwen2Error

if TYPE_CHECKING:
    from app.chat.app import ChatApp

#: Keys of the table that are the app's own.
OF_THE_APP = ("quit", "palette")
#: Columns from which the list of chats is shown without being asked for.
WIDE = 100
#: Seconds without a key before the draft is counted and saved.
QUIET_COUNT = 0.3
QUIET_SAVE = 0.7
#: Seconds in which a second ctrl+c quits.
TWICE = 2.0


class MainScreen(Screen[None]):
    """Draws what the session reports and hands it what the reader asks for.

    What is drawn for a change is in `Showing`, what the boxes over the screen do in `Boxes`, and what
    is called by name in `Commands`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        binding for binding in bindings_of("app", priority=True) if binding.id not in OF_THE_APP
    ]
    AUTO_FOCUS = "Prompt"
    DEFAULT_CSS = """
    MainScreen {
        layout: vertical;
        background: $background;
        #body { height: 1fr; }
        #middle { width: 1fr; }
        Transcript { height: 1fr; padding: 0 1; }
        Footer { background: $panel; }
    }
    """

    def __init__(self, session: Session, config: Config, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.session, self.config = session, config
        self.boxes = Boxes(self)
        self.commands = Commands(self)
        self.showing = Showing(self)
        self.bar, self.status, self.find_bar = ContextBar(), StatusBar(), FindBar()
        self.chats = ChatList(session.store.chats, now)
        self.transcript = Transcript(session.message, self._messages, now=now)
        self.documents = DocPanel()
        completer = Completer(self._templates, self.commands.choices)
        history = History(session.store.prompts)
        self.prompt = Prompt(self._submit, completer, history, self.boxes.document_at, config.keymap)
        self.list_asked_for: bool | None = None  # None: as wide as the terminal is
        self._count_soon: Timer | None = None
        self._save_soon: Timer | None = None
        self._copy_asked = 0.0

    def compose(self) -> ComposeResult:
        with Horizontal(id="body"):
            yield self.chats
            with Vertical(id="middle"):
                yield self.bar
                yield self.transcript
                yield self.find_bar
                yield self.documents
                yield self.prompt.menu
                yield self.prompt
        yield self.status
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.documents.display = False
        self.chats.display = False
        self.fit_list(self.app.size.width)

    def on_resize(self, event: events.Resize) -> None:
        self.fit_list(event.size.width)

    def handle_change(self, change: Change) -> None:
        """What the session tells."""
        self.showing.handle(change)

    @property
    def chat_app(self) -> "ChatApp":
        return self.app  # type: ignore[return-value]

    def _messages(self, ids: Sequence[int]) -> list[Message]:
        return [self.session.message(id) for id in ids]

    def _templates(self) -> list[Template]:
        return self.session.store.templates()

    # The prompt.

    def _submit(self, text: str) -> bool:
        """Sends a text, carries out a command or fills in a template; False leaves the text there."""
        self.chat_app.start()
        prompt = self.prompt
        if prompt.editing is not None:
            return self.guarded(self.session.edit, prompt.editing, text.strip())
        if (called := parse(text)) is not None:
            return self._call(*called)
        return self.guarded(self.session.send, text.strip())

    def _call(self, name: str, argument: str) -> bool:
        if (command := command_named(name)) is not None:
            if command.needs_argument and not argument:
                self.say(f"{command.label}: {command.help}", "warning")
                return False
            self.commands.run(command, argument)
            return True
        if (template := template_named(name, self._templates())) is not None:
            self.call_later(self.prompt.write, f"{template.body}{argument}")
            return True
        self.say(f"there is no command /{name}; F1 lists them, a blank before / makes it a text", "warning")
        return False

    def guarded(self, do: Callable[..., object], *arguments: object) -> bool:
        """Calls something of the session; what it raises becomes a notice. False when it was not done."""
        try:
            return do(*arguments) is not False
        except Qwen2Error as error:
            self.say(str(error), "error")
            return False

    def say(self, text: str, severity: Severity = "information") -> None:
        """Shows one line for a while."""
        self.showing.notice(text, severity)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Counts and saves what is being written, once the typing pauses."""
        if not isinstance(event.text_area, Prompt):
            return
        self._count_soon = self._later(self._count_soon, QUIET_COUNT, self._count)
        self._save_soon = self._later(self._save_soon, QUIET_SAVE, self.save_draft)

    def _later(self, timer: Timer | None, seconds: float, do: Callable[[], object]) -> Timer:
        if timer is not None:
            timer.stop()
        return self.set_timer(seconds, do)

    def _count(self) -> None:
        text = self.prompt.text
        if not text.strip() or parse(text) is not None:
            self.prompt.border_subtitle = ""
        else:
            self.session.count(text, self._counted)

    def _counted(self, tokens: int) -> None:
        self.prompt.border_subtitle = f"{tokens:,} tok" if self.prompt.text.strip() else ""

    def save_draft(self) -> None:
        """Keeps what is being written with the chat."""
        draft = self.prompt.draft
        self.guarded(self.session.save_draft, "" if parse(draft) is not None else draft)

    def on_prompt_editor_asked(self) -> None:
        self.boxes.edit_outside()

    def on_prompt_file_chosen(self, event: Prompt.FileChosen) -> None:
        self.commands.attach(event.path)

    # The keys of the table.

    def run_key(self, key: Key) -> None:
        """Does what a key does, where that key works."""
        if key.id in OF_THE_APP:
            self.call_later(self.app.run_action, key.action)
            return
        widgets = {"prompt": self.prompt, "transcript": self.transcript, "documents": self.documents}
        self.call_later(self.app.run_action, key.action, widgets.get(key.where, self))

    def begin_command(self, command: Slash) -> None:
        """Carries a command out, or writes it into the prompt for what has to follow."""
        if command.needs_argument:
            self.prompt.write(f"/{command.name} ")
            self.prompt.focus()
        else:
            self.commands.run(command, "")

    def action_escape(self) -> None:
        """Closes what is open, else stops the answer, else changes between prompt and transcript."""
        prompt, find = self.prompt, self.find_bar
        if prompt.close_menu():
            return
        if find.is_open:
            find.close()
        elif not (prompt.leave_editing() or self.guarded(self.session.stop)):
            (self.transcript if prompt.has_focus else prompt).focus()

    def action_copy_or_stop(self) -> None:
        """Copies what is selected, else stops, and the second time quits."""
        if selected := self._selected():
            self.app.copy_to_clipboard(selected)
            self.say("copied")
        elif self.session.stop():
            self._copy_asked = 0.0
        elif time.monotonic() - self._copy_asked < TWICE:
            self.call_later(self.app.action_quit)
        else:
            self._copy_asked = time.monotonic()
            self.say("ctrl+c again quits")

    def _selected(self) -> str:
        focused = self.focused
        if isinstance(focused, TextArea | Input) and focused.selected_text:
            return focused.selected_text
        return self.get_selected_text() or ""

    def action_new_chat(self) -> None:
        self.save_draft()
        self.guarded(self.session.new_chat)
        self.prompt.focus()

    def action_switch_chat(self) -> None:
        self.boxes.switch()

    def action_find(self) -> None:
        self.find("")

    def find(self, words: str) -> None:
        """Opens the bar, with words to look for if there are any."""
        if words:
            self.find_bar.query_one(Input).value = words
        self.find_bar.open()

    def action_retry(self) -> None:
        self.guarded(self.session.retry)

    def action_chat_settings(self) -> None:
        self.boxes.settings()

    def action_documents(self) -> None:
        """Shows the documents and goes there, or hides them."""
        panel = self.documents
        panel.display = not panel.display
        self.showing.documents_wanted = panel.display
        self.showing.documents()
        if panel.display and panel.can_focus:
            panel.focus()
        elif not panel.display:
            self.prompt.focus()

    def action_toggle_list(self) -> None:
        chats = self.chats
        self.list_asked_for = not chats.display
        self.fit_list(self.app.size.width)
        if chats.display:
            chats.focus_filter()
        else:
            self.prompt.focus()

    def fit_list(self, width: int) -> None:
        """Shows the list of chats where there is room for it, unless the reader said otherwise."""
        wanted = self.list_asked_for
        shown = (self.config.show_list and width >= WIDE) if wanted is None else wanted
        if self.chats.display != shown:
            self.chats.display = shown

    def action_export(self) -> None:
        self.boxes.export()

    def action_help(self) -> None:
        self.boxes.help()

    def action_models(self) -> None:
        self.boxes.models()

    def leave(self) -> None:
        """The program is ending: the answer can end while the screen is taken down."""
        self.save_draft()
        self.session.stop()

    # The list.

    def on_chat_list_opened(self, event: ChatList.Opened) -> None:
        self.open_chat(event.chat)

    def on_chat_list_deleted(self, event: ChatList.Deleted) -> None:
        self.commands.delete_chat(event.chat)

    def on_chat_list_brought_back(self) -> None:
        self.commands.restore("")

    def open_chat(self, chat: int, at: int | None = None, words: str = "") -> None:
        """Shows a stored chat, at a message if one is given, with the words that were searched."""
        self.save_draft()
        self.showing.words = words
        self.guarded(self.session.open_chat, chat, at)
        self.showing.words = ""
        self.prompt.focus()

    # The conversation.

    def on_find_bar_asked(self, event: FindBar.Asked) -> None:
        self.find_bar.tell(*self.transcript.find(event.words, event.step))

    def on_find_bar_closed(self) -> None:
        self.transcript.find("", 0)
        self.prompt.focus()

    def on_transcript_action(self, event: Transcript.Action) -> None:
        """A key in the transcript."""
        session, message = self.session, event.message
        match event.name:
            case "edit":
                self.prompt.edit_message(message, session.message(message).content)
            case "retry":
                self.guarded(session.retry, message)
            case "resume":
                self.guarded(session.resume, message)
            case "delete":
                if self.guarded(session.delete, message):
                    self.say("deleted; u takes it back")
            case "undo":
                self.guarded(session.undo)
            case "branches":
                self.boxes.branches()
            case "sibling":
                self.guarded(session.sibling, message, event.step)

    def on_transcript_copied(self, event: Transcript.Copied) -> None:
        self.say(f"copied the {event.what}")

    def on_transcript_link_opened(self, event: Transcript.LinkOpened) -> None:
        """Copies the address: what a model wrote is not opened by a click."""
        self.app.copy_to_clipboard(event.url)
        self.say(f"copied {event.url}")

    def on_transcript_citation_opened(self, event: Transcript.CitationOpened) -> None:
        self.boxes.open_citation(event.message, event.number)

    # The documents.

    def on_doc_panel_open_page(self, event: DocPanel.OpenPage) -> None:
        self.boxes.open_page(event.file, event.start, event.end, event.quote)

    def on_doc_panel_citation_chosen(self, event: DocPanel.CitationChosen) -> None:
        self.transcript.select_citation(event.message, event.number)
