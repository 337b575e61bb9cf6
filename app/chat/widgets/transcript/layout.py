"""Which message stands where: estimated heights that become true as messages come near the view.

A place is (index of a message, line in it). The view is anchored at the place of its top line, never
at a number of lines from the start, so that a height that turns out to be another one, above or
below, moves nothing on the screen.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from app.chat.markdown import MarkdownText, Palette
from app.chat.store.records import Message, Stub
from app.chat.widgets.transcript.block import Block
from app.chat.widgets.transcript.heights import Heights, estimate
from qwen2_mlx.errors import Qwen2Error

Place = tuple[int, int]

#: Rendered messages are kept up to so many screens of lines, those in view included, and at least so many.
SCREENS_KEPT = 4
BLOCKS_KEPT = 8

#: Walking at most so far renders what lies on the way; a longer jump trusts the estimates.
SCREENS_WALKED = 3


class Layout:
    """The messages of one branch, their heights in one width, and the few that are rendered."""

    def __init__(self, load: Callable[[int], Message]) -> None:
        self._load = load
        self.palette: Palette | None = None
        self.stubs: list[Stub] = []
        self.index: dict[int, int] = {}
        self.heights = Heights()
        self.width = 0
        self.rows = 0
        self.folded: set[int] = set()
        self._known = bytearray()
        self._blocks: OrderedDict[int, Block] = OrderedDict()

    def __len__(self) -> int:
        return len(self.stubs)

    # What there is.

    def open(self, path: Sequence[Stub]) -> None:
        """Shows another path; what is rendered of messages that are on it too is kept."""
        self.stubs = list(path)
        self.index = {stub.id: index for index, stub in enumerate(self.stubs)}
        for id, block in list(self._blocks.items()):
            if not self._still_true(id, block.message):
                del self._blocks[id]
        self.folded &= self.index.keys()
        self._guess()

    def _still_true(self, id: int, message: Message) -> bool:
        place = self.index.get(id)
        if place is None or message.state == "streaming":
            return False
        stub = self.stubs[place]
        return stub.state == message.state and stub.characters == len(message.content)

    def resize(self, width: int, rows: int) -> None:
        """Lays out for a view of so many cells and lines."""
        self.rows = rows
        if width != self.width:
            self.width = width
            self._guess()

    def _guess(self) -> None:
        width = self.width
        self.heights = Heights([estimate(stub.characters, width) for stub in self.stubs])
        self._known = bytearray(len(self.stubs))

    def add(self, message: Message) -> int:
        """Puts a message at the end and returns its index."""
        self.stubs.append(_stub(message))
        self.index[message.id] = len(self.stubs) - 1
        self.heights.append(estimate(len(message.content), self.width))
        self._known.append(0)
        self._keep(message)
        return len(self.stubs) - 1

    def change(self, message: Message) -> None:
        """The message is now this; it is rendered again only where it is rendered."""
        place = self.index[message.id]
        self.stubs[place] = _stub(message)
        self._known[place] = 0
        block = self._blocks.get(message.id)
        if block is not None:
            block.change(message)
        elif message.state == "streaming":
            self._keep(message)

    def append(self, place: int, text: str) -> None:
        """The text of a message that is being written goes on."""
        self.block(place).append(text)
        self._known[place] = 0
        self.measure(place)

    def touched(self, place: int) -> None:
        """The height of a message may be another one now."""
        self._known[place] = 0

    # Rendered messages.

    def block(self, place: int) -> Block:
        """The rendered message at an index; fetches it if it was not near the view before."""
        id = self.stubs[place].id
        block = self._blocks.get(id)
        if block is None:
            return self._keep(self._fetched(place))
        self._blocks.move_to_end(id)
        return block

    def rendered(self, id: int) -> Block | None:
        """The message if it is rendered; does not count as a use."""
        return self._blocks.get(id)

    @property
    def rendered_blocks(self) -> int:
        """How many messages are rendered at present."""
        return len(self._blocks)

    def restyle(self, palette: Palette) -> None:
        """Draws in other colours; no height changes by that."""
        self.palette = palette
        for block in self._blocks.values():
            block.restyle(palette)

    def _keep(self, message: Message) -> Block:
        assert self.palette is not None
        block = Block(message, self.palette)
        block.folded = message.id in self.folded
        self._blocks[message.id] = block
        self._evict()
        return block

    def _evict(self) -> None:
        """Drops what was not looked at for longest; never a text that is being written."""
        lines = 0
        for count, (id, block) in enumerate(reversed(list(self._blocks.items()))):
            place = self.index.get(id)
            lines += self.heights[place] if place is not None else 0
            if count >= BLOCKS_KEPT and lines > SCREENS_KEPT * max(1, self.rows) and not block.growing:
                del self._blocks[id]

    def source(self, place: int) -> str:
        """The text of a message as it was written."""
        block = self._blocks.get(self.stubs[place].id)
        return block.text.source if block and block.growing else self.message(place).content

    def message(self, place: int) -> Message:
        """A message by its index, fetched unless it is rendered; it is not rendered for this."""
        block = self._blocks.get(self.stubs[place].id)
        return self._fetched(place) if block is None else block.message

    def _fetched(self, place: int) -> Message:
        """A message as `load` gives it; another window on the same chats may have removed it."""
        stub = self.stubs[place]
        try:
            return self._load(stub.id)
        except Qwen2Error as error:
            return Message(
                stub.id, 0, None, place, stub.role, "", "error", str(error), None, 0.0, None, None, 1, 1
            )

    # Places.

    def measure(self, place: int) -> int:
        """The true height of a message in lines."""
        if not self._known[place]:
            self.heights.change(place, self.block(place).height(self.width))
            self._known[place] = 1
        return self.heights[place]

    def walk(self, start: Place, lines: int) -> Place:
        """The place so many lines further on (or back), by the true heights of what is between."""
        place, line = start[0], start[1] + lines
        while line < 0 and place > 0:
            place -= 1
            line += self.measure(place)
        last = len(self.stubs) - 1
        while place < last and line >= self.measure(place):
            line -= self.heights[place]
            place += 1
        return place, min(max(0, line), self.measure(place) - 1)

    def jump(self, line: int) -> Place:
        """The place at a line counted from the start; within a message that was a guess, its share."""
        place, inside = self.heights.locate(line)
        guessed = self.heights[place]
        height = self.measure(place)
        return place, min(inside * height // guessed, height - 1)

    def line_of(self, place: Place) -> int:
        """Lines from the start to a place, as far as heights are known."""
        return self.heights.top(place[0]) + place[1]

    def end(self) -> Place:
        """The top of a view that ends with the last line; (0, 0) when everything fits."""
        left, place = self.rows, len(self.stubs)
        while left > 0 and place > 0:
            place -= 1
            left -= self.measure(place)
        return place, max(0, -left)

    def fill(self, top: Place) -> Place:
        """Renders what a view from `top` shows; another top if the messages end before the view does."""
        left = self.rows - (self.measure(top[0]) - top[1])
        place = top[0]
        while left > 0 and place < len(self.stubs) - 1:
            place += 1
            left -= self.measure(place)
        return self.end() if left > 0 else top


def _stub(message: Message) -> Stub:
    return Stub(
        message.id, message.role, message.state, len(message.content), message.sibling, message.siblings
    )


def letters_before(text: MarkdownText, line: int, width: int) -> int:
    """How many characters other than spaces stand before a line: what a line keeps in another width."""
    return sum(len("".join(drawn.split())) for drawn in text.plain(width)[:line])


def line_with(text: MarkdownText, letters: int, width: int) -> int:
    """The line in which the character after so many others stands; undoes `letters_before`."""
    before = 0
    lines = text.plain(width)
    for number, drawn in enumerate(lines):
        before += len("".join(drawn.split()))
        if before > letters:
            return number
    return max(0, len(lines) - 1)
