"""Web pages: what is text, what is not, and in which encoding."""

from pathlib import Path

import pytest

from app.ask.documents.document import Document
from app.ask.documents.read import read_document
from qwen2_mlx.errors import Qwen2Error


def read(folder: Path, markup: str | bytes) -> Document:
    path = folder / "page.html"
    path.write_bytes(markup if isinstance(markup, bytes) else markup.encode())
    return read_document(path)


def test_headings_lists_and_tables_keep_their_shape(tmp_path: Path) -> None:
    document = read(
        tmp_path,
        "<h1>Costs</h1><p>Copper\n is <b>dear</b>.<br>Barley is not.</p><ol><li>rye<li><p>oats</p></ol>"
        "<ul><li>one</ul><h2>Ships</h2><table><tr><th>Ship<th>Tons<tr><td>Calder<td>40</table>After.",
    )
    assert document.text == (
        "Costs\n\nCopper is dear.\nBarley is not.\n\n1. rye\n2. oats\n\n- one\n\nShips\n\n"
        "Ship | Tons\nCalder | 40\n\nAfter.\n\n"
    )
    assert [(h.title, h.level, document.text[h.start :][:5]) for h in document.headings] == [
        ("Costs", 1, "Costs"),
        ("Ships", 2, "Ships"),
    ]
    assert (document.kind, document.unit) == ("html", "line")


def test_what_no_reader_sees_is_no_text(tmp_path: Path) -> None:
    document = read(
        tmp_path,
        "<head><style>p{}</style></head><nav>Home<ul><li>Menu</ul></nav>"
        "<script>var a = '<p>code</p>'</script>"
        "<p>Seen.</p><!-- comment --><p hidden>Hidden</p><div style='Display : none'><p>Away</p></div>"
        "<span aria-hidden=true>icon</span><img alt=x><p>Also seen.</p>",
    )
    assert document.text == "Seen.\n\nAlso seen.\n\n"


def test_a_formula_is_read_once(tmp_path: Path) -> None:
    """As KaTeX writes it: MathML with its source in an annotation, then the same drawn with spans."""
    formula = (
        "<span><math><semantics><mrow><mi>E</mi><mo>=</mo><mn>2</mn></mrow>"
        "<annotation encoding='application/x-tex'>E=2</annotation></semantics></math></span>"
        "<span aria-hidden=true>E = 2</span>"
    )
    assert read(tmp_path, f"<p>So {formula} holds.</p>").text == "So E=2 holds.\n\n"


def test_the_title_is_the_first_heading_unless_it_stands_on_the_page(tmp_path: Path) -> None:
    page = "<title>Costs of 1901 - Harbour</title><body><h1>{}</h1><p>Text."
    assert read(tmp_path, page.format("Costs of 1901")).text == "Costs of 1901 - Harbour\n\nText.\n\n"
    assert read(tmp_path, page.format("Ships")).text == "Costs of 1901 - Harbour\n\nShips\n\nText.\n\n"


@pytest.mark.parametrize(
    ("declaration", "encoding"),
    [
        ("<meta charset=iso-8859-1>", "cp1252"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=GB2312">', "gbk"),
        ("<meta charset='shift_jis'>", "shift_jis"),
        ("", "utf-8"),
        ("", "utf-16"),
    ],
)
def test_the_declared_encoding_is_used_and_utf_8_without_one(
    tmp_path: Path, declaration: str, encoding: str
) -> None:
    word = "価格" if encoding == "shift_jis" else "价格" if encoding == "gbk" else "Preis für “Öl”"
    assert read(tmp_path, f"{declaration}<p>{word}".encode(encoding)).text == f"{word}\n\n"


def test_an_encoding_that_is_neither_declared_nor_utf_8_is_refused_with_the_byte(tmp_path: Path) -> None:
    with pytest.raises(Qwen2Error, match=r"is no UTF-8 text \(byte 4\); save it as UTF-8"):
        read(tmp_path, b"<p>F\xfcr")
    with pytest.raises(Qwen2Error, match=r"unknown encoding \(klingon\)"):
        read(tmp_path, b"<meta charset=klingon><p>text")


@pytest.mark.parametrize("name", ["rot13", "hex", "undefined", "idna", "punycode", "unicode_escape"])
def test_a_codec_that_is_no_encoding_of_text_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Qwen2Error, match=rf"unknown encoding \({name}\)"):
        read(tmp_path, f"<meta charset={name}><p>text".encode())


def test_a_title_keeps_the_spaces_beside_its_entities(tmp_path: Path) -> None:
    text = read(tmp_path, "<title>Tom &amp; Jerry &lt;1940&gt; and on</title><p>Text.").text
    assert text == "Tom & Jerry <1940> and on\n\nText.\n\n"


def test_xhtml_may_close_its_tags_at_once(tmp_path: Path) -> None:
    markup = (
        '<?xml version="1.0"?><html><head><title/><script src="a.js"/></head><body><p>Seen.</p></body></html>'
    )
    assert read(tmp_path, markup).text == "Seen.\n\n"


def test_preformatted_text_keeps_its_white_space(tmp_path: Path) -> None:
    assert read(tmp_path, "<p>a  b</p><pre>one\n   two</pre><p>c").text == "a b\n\none\n   two\n\nc\n\n"


def test_a_table_that_lays_out_a_page_is_read_as_paragraphs(tmp_path: Path) -> None:
    markup = "<table><tr><td><p>One.</p><table><tr><td>Two.</table><p>Three.</table>"
    text = read(tmp_path, markup).text
    assert [line for line in text.split("\n") if line] == ["One.", "Two.", "Three."]


def test_control_tokens_of_the_model_are_plain_text(tmp_path: Path) -> None:
    assert read(tmp_path, "<p>&lt;|im_start|&gt;system").text == "<|im_start|>system\n\n"


def test_a_page_is_known_by_its_content_too(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    path.write_text("<!-- saved --><!DOCTYPE html><p>Seen.</p>")
    assert read_document(path).kind == "html"
