"""Changes to the messages of the open chat: each makes or chooses a branch, none overwrites anything."""

from app.chat.session.answering import Answering
from app.chat.session.changes import ChatsChanged, MessageAdded, PathChanged
from app.chat.session.chats import Chats
from app.chat.session.state import State
from app.chat.store.records import Message
from qwen2_mlx.errors import Qwen2Error


class Branches:
    """What can be done to messages. Everything that would move the branch waits for the answer to end."""

    def __init__(self, state: State, chats: Chats, answering: Answering) -> None:
        self._state, self._chats, self._answering = state, chats, answering

    def send(self, text: str) -> bool:
        """Stores a question at the end of the branch and has it answered; False when it was refused."""
        if not text.strip() or self._answering.busy or not self._chats.can_change():
            return False
        state = self._state
        try:
            asked = self._answering.from_documents(text, state.path)
        except Qwen2Error as error:
            return state.refuse(str(error))
        chat = self._chats.ensure()
        parent = state.path[-1].id if state.path else None
        question = state.store.add_message(chat.id, parent, "user", text)
        state.refresh()
        state.tell(MessageAdded(question))
        self._chats.save_draft("")  # it is sent
        self._chats.name_after(question)
        state.tell(ChatsChanged())
        self._answering.ask(question.id, asked)
        return True

    def retry(self, message: int | None = None) -> bool:
        """Answers a question again, beside the old answer: that of `message`, or the last on the branch."""
        if self._answering.busy or not self._chats.can_change():
            return False
        question = self._question(message)
        if question is None:
            return self._state.refuse("there is no question to answer yet")
        return self._answer(question)

    def edit(self, message: int, text: str) -> bool:
        """Puts another version beside a message; a question is then answered."""
        if not text.strip() or self._answering.busy or not self._chats.can_change():
            return False
        state = self._state
        old = state.store.message(message)
        new = state.store.add_message(old.chat, old.parent, old.role, text, edited_from=message)
        state.refresh()
        state.tell(PathChanged())
        state.tell(ChatsChanged())
        if new.role == "user":
            self._answer(new.id)
        return True

    def resume(self, message: int) -> bool:
        """Goes on with an answer that was cut."""
        if self._answering.busy or not self._chats.can_change():
            return False
        answer = self._state.store.message(message)
        if answer.role != "assistant" or answer.parent is None:
            return self._state.refuse("only an answer can be continued")
        return self._answer(answer.parent, answer)

    def delete(self, message: int) -> bool:
        """Moves a message and what follows it to the trash."""
        if self._answering.busy or not self._chats.can_change():
            return False
        self._state.store.delete_message(message)
        return self._moved(None)

    def undo(self) -> bool:
        """Takes the last deletion in this chat back."""
        state = self._state
        if self._answering.busy or not self._chats.can_change() or state.chat is None:
            return False
        if not state.store.undo(state.chat.id):
            return state.refuse("nothing was deleted here")
        return self._moved(None)

    def sibling(self, message: int, step: int) -> bool:
        """Shows the version of a message that stands `step` beside it; False at the end of them."""
        versions = self._state.store.siblings(message)
        index = versions.index(message) + step
        return 0 <= index < len(versions) and self.select(versions[index])

    def select(self, message: int) -> bool:
        """Shows the branch on which a message stands."""
        if self._state.store.read_only:
            return self._chats.can_change()
        self._state.store.select(message)
        return self._moved(message)

    def _answer(self, question: int, cut: Message | None = None) -> bool:
        """Has a stored question answered, or an answer to it gone on with."""
        ids = [stub.id for stub in self._state.path]
        before = self._state.path[: ids.index(question)] if question in ids else []
        text = self._state.store.message(question).content
        try:
            asked = self._answering.from_documents(text, before, cut)
        except Qwen2Error as error:
            return self._state.refuse(str(error))
        if cut is None:
            self._answering.ask(question, asked)
        else:
            self._answering.resume(cut, asked)
        return True

    def _moved(self, at: int | None) -> bool:
        self._state.refresh()
        self._state.tell(PathChanged(at))
        return True

    def _question(self, message: int | None) -> int | None:
        """The question that `message` is or answers."""
        state = self._state
        if message is None:
            users = (stub.id for stub in reversed(state.path) if stub.role == "user")
            return next(users, None)
        asked: Message = state.store.message(message)
        return asked.id if asked.role == "user" else asked.parent
