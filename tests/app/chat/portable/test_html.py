"""Chats as one HTML file."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.chat.options import Options
from app.chat.portable import export_chat
from tests.app.chat.portable.samples import everything, opened
from tests.app.chat.store.samples import GENERATION, say

ALLOWED = set(
    "html head meta title style body h1 h2 h3 p br blockquote article time pre code strong em ul ol li q a s"
    " table thead tbody tr th td hr".split()
)


class Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(tmp_path: Path, *contents: str, title: str = "t") -> tuple[str, Reader]:
    with opened(tmp_path) as store:
        chat = store.new_chat(Options(system=contents[0]), title, "f")
        say(store, chat.id, *contents)
        text = export_chat(store, chat.id, "html")
    return text, Reader(text)


def test_a_page_holds_the_conversation(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        chat = everything(store)
        page = export_chat(store, chat, "html")
        whole = export_chat(store, chat, "html", whole_tree=True)
    assert "<h1>Lease &lt;review&gt; *2*</h1>" in page
    assert "<strong>landlord</strong> [1]:" in page
    assert "<pre><code class=\"language-python\">print('''\n~~~\n''')\n</code></pre>" in page
    assert "<li>[1] lease.pdf, p. 3: <q>ninety days</q></li>" in page
    assert '<p class="note">(stopped)</p>' in page
    assert "What does it say?" not in page
    assert "What does it say?" in whole
    assert "error: no room &lt;here&gt;" in whole
    assert page.count("<article") == 4
    assert whole.count("<article") == 6


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![tracker](https://example.com/pixel.png)",
    "[click](javascript:alert(1))",
    "[click](data:text/html,<script>alert(1)</script>)",
    "</article></body><script>alert(1)</script>",
    '```"><script>alert(1)</script>\nx\n```',
    "</style><script>alert(1)</script>",
    '[a](https://e.com "x\\" onmouseover=alert(1)")',
    "<https://e.com/\"onmouseover='alert(1)'>",
    "{title} {0} %s {{",
    "<svg/onload=alert(1)>",
    "\x1b[2J\x00\x9b \u202eevil\u202c \u2066x",
]


@pytest.mark.parametrize("content", HOSTILE)
def test_no_text_becomes_markup(tmp_path: Path, content: str) -> None:
    text, page = page_of(tmp_path, content, content, title=content)
    assert set(page.tags) <= ALLOWED
    for name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "srcset", "style", "action")
        if name == "href":
            assert value is not None
            assert re.match(r"https?:|mailto:|#|[\w%/.]*$", value)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_a_page_asks_the_network_for_nothing(tmp_path: Path) -> None:
    text, page = page_of(tmp_path, "![x](https://example.com/x.png)")
    assert "default-src 'none'; style-src 'unsafe-inline'" in text
    assert not {"script", "link", "img", "iframe", "base"} & set(page.tags)
    assert "url(" not in text
    assert "@import" not in text


def test_an_unfinished_code_block_ends_with_its_message(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        chat = store.new_chat(Options())
        answer = store.begin_answer(chat.id, None, GENERATION)
        store.finish_answer(answer.id, "stopped", content="```\nx")
        say(store, chat.id, "next")
        assert "<p>next</p>" in export_chat(store, chat.id, "html")
