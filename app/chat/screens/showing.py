"""What the main screen draws when something changes."""

import time
from typing import TYPE_CHECKING, Literal

from app.chat.session.changes import (
    Change,
    ChatChanged,
    ChatsChanged,
    CitationsChanged,
    DocumentsChanged,
    Idle,
    MessageAdded,
    MessageChanged,
    ModelChanged,
    Notice,
    PathChanged,
    Progress,
    StatsChanged,
    TextAdded,
    WindowsRead,
)
from app.chat.widgets.status_bar import bytes_text, numbers_text, progress_text
from app.cli import clean

if TYPE_CHECKING:
    from app.chat.screens.main import MainScreen

Severity = Literal["information", "warning", "error"]

#: Seconds that a notice stays, by what it is.
SHOWN_FOR: dict[Severity, float] = {"information": 4.0, "warning": 8.0, "error": 12.0}


class Showing:
    """Puts changes of the session into the widgets of the screen.

    `words` are marked in the chat that is opened next. `documents_wanted` is whether the reader asked
    for the panel, None while it comes and goes with the documents.
    """

    def __init__(self, screen: "MainScreen") -> None:
        self.words = ""
        self.documents_wanted: bool | None = None
        self._screen = screen
        self._session = screen.session
        self._chat: int | None = None
        self._busy_since: float | None = None
        self._answered = False

    def handle(self, change: Change) -> None:
        """Draws one change."""
        screen = self._screen
        if not screen.bar.is_attached:
            return  # the reader quit, and the screen is being taken down
        match change:
            case TextAdded(message, text):
                self._answering()
                screen.transcript.append(message, text)
            case MessageAdded(message):
                screen.transcript.add(message)
                self._header()
            case MessageChanged(message):
                screen.transcript.change(message)
                if message.document is not None and message.state != "streaming":
                    screen.documents.show_answer(message, self._session.readings(message.id))
                self._describe(message.id)
                self._header()
            case PathChanged(at):
                self._path(at)
            case Progress():
                self._progress(change)
            case Idle():
                self._idle()
            case ModelChanged():
                self._header()
            case StatsChanged():
                self._numbers()
            case ChatChanged(chat):
                self._chat = chat.id  # the new chat is stored now
                self._header()
            case ChatsChanged():
                self._list()
            case DocumentsChanged():
                self.documents()
            case WindowsRead(message, readings, fresh):
                screen.documents.show_readings(readings, fresh)
                self._describe(message)
            case CitationsChanged(message, citations, best_so_far):
                screen.documents.show_citations(message, citations, best_so_far)
                self._describe(message)
            case Notice(text, severity):
                self.notice(text, severity)

    def notice(self, text: str, severity: Severity) -> None:
        """Shows one line for a while."""
        self._screen.notify(clean(text), severity=severity, timeout=SHOWN_FOR[severity], markup=False)

    # The conversation.

    def _path(self, at: int | None) -> None:
        screen, session = self._screen, self._session
        chat = session.chat.id if session.chat else None
        if chat != self._chat:
            self._chat = chat
            screen.prompt.leave_editing()
            screen.prompt.write(session.chat.draft if session.chat else "")
            self._list()
        screen.transcript.show(session.path, at, self.words)
        if session.answering is None and session.loading is None:
            screen.status.hint = self._what_now()
        self._header()
        self._numbers()
        self._restore_documents()

    def _restore_documents(self) -> None:
        """What was read and cited for the last answer of the branch, as it is stored."""
        panel, session = self._screen.documents, self._session
        last = next((stub.id for stub in reversed(session.path) if stub.role == "assistant"), None)
        message = session.message(last) if last is not None else None
        if message is not None and message.document is not None:
            panel.show_answer(message, session.readings(message.id))
        else:
            panel.show_readings((), fresh=True)
            panel.show_citations(0, (), best_so_far=False)

    def _describe(self, message: int) -> None:
        """What the documents say of an answer, in its header."""
        line = self._session.documents.line if self._session.answering == message else ""
        self._screen.transcript.describe(message, line)

    # What is going on.

    def _progress(self, progress: Progress) -> None:
        self._begin()
        screen = self._screen
        screen.status.state = progress_text(progress)
        answering = self._session.answering is not None
        screen.status.hint = "esc stops" if answering and progress.stage != "stopping" else ""
        if self._session.answering is not None and self._session.documents.line:
            self._describe(self._session.answering)

    def _answering(self) -> None:
        self._begin()
        self._answered = True
        status = self._screen.status
        if status.state != "answering":
            status.state, status.hint = "answering", "esc stops"

    def _begin(self) -> None:
        if self._busy_since is None:
            self._busy_since = time.monotonic()

    def _idle(self) -> None:
        screen, session = self._screen, self._session
        if session.answering is not None or session.loading is not None:
            return
        screen.status.state = "ready" if session.model else "no model; F2 chooses one"
        screen.status.hint = self._what_now()
        self._header()
        self._tell_outside()
        self._busy_since, self._answered = None, False

    def _what_now(self) -> str:
        """What can be done about a branch that ends in no whole answer."""
        path = self._session.path
        if not path:
            return ""
        if path[-1].role == "user":
            return "ctrl+r answers the question"
        if path[-1].state in ("stopped", "length", "interrupted", "error"):
            return "esc, c: continue · ctrl+r: answer again"
        return ""

    def _tell_outside(self) -> None:
        """Rings where the reader may be looking elsewhere."""
        screen, config = self._screen, self._screen.config
        if not config.notify or self._busy_since is None:
            return
        took = time.monotonic() - self._busy_since
        if took >= config.notify_after or (self._answered and not screen.app.app_focus):
            title = self._session.chat.title if self._session.chat else ""
            screen.chat_app.tell_outside(f"answered: {title}" if self._answered else "the model is ready")

    # Lines, list and panel.

    def _header(self) -> None:
        bar, session = self._screen.bar, self._session
        bar.title = session.chat.title if session.chat else ""
        bar.model = self._model()
        bar.used, bar.limit = session.context_used, session.context_limit

    def _model(self) -> str:
        """The name of the chat's model, and whether it is there."""
        session = self._session
        setup = session.options.setup
        if session.loading is not None:
            return f"{session.loading.name} (loading)"
        if session.model is None or session.model.setup != setup:
            return f"{setup.name} (not loaded)"
        return setup.name

    def _numbers(self) -> None:
        session, bar = self._session, self._screen.bar
        memory = session.memory.active if session.memory else 0
        if session.stats and session.answering is not None:
            memory = max(memory, session.stats.peak_memory)
        speed = session.stats.output_tps if session.stats else 0.0
        self._screen.status.numbers = numbers_text(speed, memory)
        bar.used, bar.limit = session.context_used, session.context_limit

    def stats_text(self) -> str:
        """The numbers of the last answer in one line."""
        stats = self._session.stats
        if stats is None:
            return "nothing was answered here since the chat was opened"
        return (
            f"prompt {stats.prompt_tokens:,} tokens at {stats.prompt_tps:,.0f}/s,"
            f" {stats.reused_tokens:,} reused, answer {stats.output_tokens:,} at {stats.output_tps:,.1f}/s,"
            f" first after {stats.time_to_first_token:.2f} s, peak memory {bytes_text(stats.peak_memory)}"
        )

    def _list(self) -> None:
        session = self._session
        listed = session.chat is not None and session.chat_store is session.store
        self._screen.chats.refill(session.chat.id if session.chat and listed else None)

    def documents(self) -> None:
        """Shows the documents as they are; the panel comes with the first and goes with the last."""
        panel, documents = self._screen.documents, self._session.documents
        wanted = self.documents_wanted
        panel.display = bool(documents.items) if wanted is None else wanted
        panel.show_items(documents.items, documents.price)
