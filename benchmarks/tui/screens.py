"""Pictures of every screen, for looking at them and for docs/screens.

    python -m benchmarks.tui.screens [--out FOLDER] [--all] [--only NAME ...]

Without --all the representative ones that docs/screens holds: every screen at 120x40 in the dark theme,
the main ones in other sizes and colours. Chats are prepared; documents are read and asked by the bundled
model, as it really answers. Needs cairosvg, pillow and the fonts DejaVu Sans Mono and Noto Sans CJK.
"""

import argparse
import asyncio
import html
import importlib
import io
import itertools
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.cells import cell_len
from textual.pilot import Pilot

from app.chat.app import ChatApp
from app.chat.config import Config
from app.chat.engine import thread_engine
from app.chat.options import Options, Setup
from app.chat.session.session import Session
from app.chat.store import Store
from app.chat.widgets.find_bar import FindBar
from app.demo import long_text
from benchmarks.tui import scenery
from benchmarks.tui.engine import StreamingEngine
from benchmarks.tui.text import tokens

SIZES = ((80, 24), (120, 40), (200, 60))
THEMES = {"dark": "textual-dark", "light": "textual-light", "16": "ansi-dark"}
USUAL = ((120, 40), "dark")
#: What is also shown in these sizes and colours where not everything is.
MAIN = ("chat", "document")
LESSER = ("commands", "stopped", "presets", "attached")  # much like others
OTHERS = (((80, 24), "dark"), ((120, 40), "light"), ((120, 40), "16"), ((200, 60), "dark"))

FONT, WIDE_FONT = "DejaVu Sans Mono", "Noto Sans CJK SC"
CELL = 12.2  # pixels that a cell of the picture is wide

COLOURS = 48  # of a picture; a terminal's has few
PATIENCE = 120.0


@dataclass
class Stage:
    """An app that is running, and what it shows."""

    app: ChatApp
    pilot: Pilot

    async def until(self, holds: Callable[[], object]) -> None:
        """Waits for it."""
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError("the screen never came to that")
            await self.pilot.pause(0.02)

    async def settle(self) -> None:
        """Lets what was asked for be drawn."""
        await self.pilot.pause(0.5)

    async def back(self) -> None:
        """Closes every box."""
        while len(self.app.screen_stack) > 1:
            await self.app.pop_screen()
        if self.app.main.query_one(FindBar).display:
            await self.pilot.press("escape")
        prompt = self.app.main.prompt
        prompt.clear()
        prompt.focus()
        await self.pilot.pause()

    def open(self, title: str) -> None:
        """Shows the chat of this title."""
        store = self.app.session.store
        chat = next(chat for chat in store.chats() if chat.title == title)
        self.app.session.open_chat(chat.id)


Scene = Callable[[Stage], Awaitable[None]]


async def chat(stage: Stage) -> None:
    stage.open(scenery.MARKDOWN_CHAT)
    await stage.settle()


async def empty(stage: Stage) -> None:
    stage.app.session.new_chat()


async def answering(stage: Stage) -> None:
    stage.open(scenery.SHORT_CHAT)
    await stage.settle()
    stage.app.session.send("And how does a harbour come into being?")
    await stage.pilot.pause(2.0)


async def stopped(stage: Stage) -> None:
    await answering(stage)
    stage.app.session.stop()
    await stage.until(lambda: stage.app.session.answering is None)
    stage.app.main.transcript.focus()


async def commands(stage: Stage) -> None:
    stage.app.session.new_chat()
    await stage.settle()
    await stage.pilot.press("/")


async def find(stage: Stage) -> None:
    await chat(stage)
    await stage.pilot.press("ctrl+f", *"render", "enter")


async def switcher(stage: Stage) -> None:
    await chat(stage)
    await stage.pilot.press("ctrl+o", *"harb")
    await stage.pilot.pause(0.5)


async def palette(stage: Stage) -> None:
    await chat(stage)
    await stage.pilot.press("ctrl+p")


def box(open_it: str) -> Scene:
    """The scene of a box that opens over the chat."""

    async def scene(stage: Stage) -> None:
        await chat(stage)
        getattr(stage.app.main.boxes, open_it)()
        await stage.pilot.pause(1.0)

    return scene


async def code_blocks(stage: Stage) -> None:
    await chat(stage)
    stage.app.main.transcript.focus()
    await stage.pilot.press("Y")


async def attach(stage: Stage) -> None:
    stage.app.session.new_chat()
    stage.app.main.boxes.attach()
    await stage.pilot.pause(1.0)


async def attached(stage: Stage) -> None:
    session = stage.app.session
    session.new_chat()
    session.attach(scenery.LONG_NAME)
    session.attach(scenery.SHORT_NAME)
    await stage.until(lambda: len(session.documents.items) == 2)
    await stage.until(lambda: all(item.state == "ready" for item in session.documents.items))
    await stage.until(lambda: session.documents.price)
    if not stage.app.main.documents.display:
        await stage.pilot.press("ctrl+g")


async def document(stage: Stage) -> None:
    await attached(stage)
    session = stage.app.session
    session.send("What is the trade of the teacher of Kelan Drovi?")
    await stage.until(lambda: session.answering is not None)
    await stage.until(lambda: session.answering is None)


async def reader(stage: Stage) -> None:
    session = stage.app.session
    answer = session.path[-1].id
    stage.app.main.boxes.open_citation(answer, session.message(answer).citations[-1].number)
    await stage.pilot.pause(1.0)


PREPARED: dict[str, Scene] = {
    "empty": empty,
    "chat": chat,
    "answering": answering,
    "stopped": stopped,
    "switcher": switcher,
    "palette": palette,
    "models": box("models"),
    "settings": box("settings"),
    "presets": box("presets"),
    "templates": box("templates"),
    "export": box("export"),
    "trash": box("trash"),
    "branches": box("branches"),
    "help": box("help"),
    "code-blocks": code_blocks,
    "commands": commands,
    "find": find,
}
ASKED: dict[str, Scene] = {"attach": attach, "attached": attached, "document": document, "reader": reader}


async def shoot(
    folder: Path,
    out: Path,
    size: tuple[int, int],
    colours: str,
    scenes: dict[str, Scene],
    names: Iterable[str],
) -> None:
    """Draws the scenes one after the other in one app; the later ones may go on from the earlier."""
    chats = folder / "stored" / f"{size[0]}-{colours}-{next(iter(scenes))}.sqlite"
    engine = (
        partial(StreamingEngine, tokens("prose", 5000), 100.0, 0) if scenes is PREPARED else thread_engine
    )
    with Store.open(chats) as store:
        scenery.fill(store)
        setup = Setup("7b" if scenes is PREPARED else "tiny")
        session = Session(store, engine, Options(setup), folder / "stored" / "library.sqlite")
        app = ChatApp(session, Config(theme=THEMES[colours]))
        async with app.run_test(size=size) as pilot:
            stage = Stage(app, pilot)
            await stage.until(lambda: session.model)
            for name, scene in scenes.items():
                if name in names:
                    await scene(stage)
                    await stage.settle()
                    picture = out / f"{name}-{size[0]}x{size[1]}-{colours}.png"
                    picture.write_bytes(png(app.export_screenshot(title="qwen2-chat")))
                    print(picture, file=sys.stderr)
                    if session.answering is not None:
                        session.stop()
                        await stage.until(lambda: session.answering is None)
                    await stage.back()
        session.close(5)


def png(svg: str) -> bytes:
    """A picture with few colours."""
    from PIL import Image

    cairosvg = importlib.import_module("cairosvg")  # not among the libraries of the project
    drawn = cairosvg.svg2png(bytestring=with_local_fonts(svg).encode())
    image = Image.open(io.BytesIO(drawn)).convert("RGB")
    small = io.BytesIO()
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def with_local_fonts(svg: str) -> str:
    """The font that is loaded from the web gives way to ones that are here, each character in its cell."""
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code", FONT)
    return re.sub(r"<text ([^>]*?)x=\"([\d.]+)\"([^>]*)>([^<]*)</text>", _in_cells, svg)


def _in_cells(text: re.Match[str]) -> str:
    before, x, after, content = text.groups()
    after = re.sub(r"textLength=\"[\d.]+\"", "", after)
    parts, column = [], 0
    for wide, run in itertools.groupby(html.unescape(content), lambda character: cell_len(character) == 2):
        characters = list(run)
        places = " ".join(
            f"{float(x) + (column + i * (1 + wide)) * CELL:.1f}" for i in range(len(characters))
        )
        style = f'style="font-family: {WIDE_FONT}"' if wide else ""
        inner = html.escape("".join(characters)).replace(" ", "\u00a0")
        parts.append(f'<text {before}x="{places}"{after} {style}>{inner}</text>')
        column += len(characters) * (1 + wide)
    return "".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/screens"))
    parser.add_argument("--all", action="store_true", help="every screen in every size and in all colours")
    parser.add_argument("--only", nargs="+", choices=[*PREPARED, *ASKED], default=[*PREPARED, *ASKED])
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    out = args.out.resolve()
    every = [(size, colours) for size in SIZES for colours in THEMES]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / scenery.LONG_NAME).write_text(long_text(), encoding="utf-8")
        scenery.write_short(folder)
        (folder / "stored").mkdir()
        scenery.move_in(folder)
        for size, colours in every if args.all else [USUAL, *OTHERS]:
            usual = args.all or (size, colours) == USUAL
            names = [
                name for name in args.only if (name in MAIN if not usual else args.all or name not in LESSER)
            ]
            for scenes in (PREPARED, ASKED):
                wanted = [name for name in scenes if name in names]
                if "reader" in wanted and "document" not in wanted:
                    wanted.append("document")
                if wanted:
                    asyncio.run(shoot(folder, out, size, colours, scenes, wanted))


if __name__ == "__main__":
    main()
