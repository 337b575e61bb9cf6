"""What each construct of Markdown looks like, without colours."""

import textwrap
from collections.abc import Collection

import pytest
from textual.strip import Strip

from app.chat.markdown import PLAIN, CodeBlock, MarkdownText


def drawn(source: str, width: int = 40) -> str:
    return "\n".join(MarkdownText(source, palette=PLAIN).plain(width))


def golden(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def meta_of(source: str, citations: Collection[int] = ()) -> list[tuple[str, dict[str, object]]]:
    """(text, meta) of the parts of the first line that have meta."""
    strip: Strip = MarkdownText(source, palette=PLAIN, citations=citations).lines(80)[0]
    return [(text, style.meta) for text, style, _ in strip if style and style.meta]


def test_paragraphs_are_wrapped_at_words_and_stand_apart() -> None:
    assert drawn("The quick brown fox jumps over the lazy dog. It ran.\n\nNext.", 20) == golden("""
        The quick brown fox
        jumps over the lazy
        dog. It ran.

        Next.
        """)


def test_lines_end_where_the_model_ended_them() -> None:
    """Poems, addresses and steps: a model breaks no line without meaning it."""
    source = "Roses are red,\n  violets are *blue*.\n\n- Name: John\n  Age: 30\n> one\ntwo"
    assert drawn(source) == golden("""
        Roses are red,
        violets are blue.

        • Name: John
          Age: 30

        ▌ one
        ▌ two
        """)


@pytest.mark.parametrize("mark", ["<br>", "<br/>", "<BR />"])
def test_a_break_in_html_ends_a_line(mark: str) -> None:
    assert drawn(f"one{mark} two{mark}\nthree `{mark}`") == f"one\ntwo\nthree `{mark}`"


def test_a_break_in_a_cell_makes_it_no_wider() -> None:
    assert drawn("|Key|Meaning|\n|-|-|\n|a|first one<br>second|\n|b|c|\n") == golden("""
        Key │ Meaning
        ━━━━┿━━━━━━━━━━
        a   │ first one
            │ second
        ────┼──────────
        b   │ c
        """)  # fmt: skip


def test_a_word_longer_than_the_line_is_broken() -> None:
    assert drawn("an abcdefghijklmnopqrstuvwxyz end", 12) == golden("""
        an
        abcdefghijkl
        mnopqrstuvwx
        yz end
        """)


def test_chinese_breaks_between_characters_and_keeps_closing_marks() -> None:
    assert drawn("你好世界，这是中文。第二行", 9) == golden("""
        你好世
        界，这是
        中文。第
        二行
        """)


def test_joined_emoji_and_combining_marks_are_not_torn_apart() -> None:
    assert drawn("👩‍🚀👩‍🚀👩‍🚀👩‍🚀👩‍🚀👩‍🚀 e\u0301e\u0301", 10) == "👩‍🚀👩‍🚀👩‍🚀👩‍🚀👩‍🚀\n👩‍🚀 e\u0301e\u0301"


def test_right_to_left_text_keeps_its_logical_order() -> None:
    assert drawn("אבג דהו abc") == "אבג דהו abc"


def test_headings_keep_their_number_signs() -> None:
    assert drawn("# One\ntext\n## Two *soft*\nThree\n---\nmore") == golden("""
        # One
        text

        ## Two soft

        ## Three
        more
        """)


def test_emphasis_is_an_attribute_and_what_is_struck_out_or_code_keeps_its_marks() -> None:
    strip = MarkdownText("**b** *i* ~~s~~ `c`", palette=PLAIN).lines(40)[0]
    assert strip.text == "b i ~~s~~ `c`"
    attributes = {text: style for text, style, _ in strip if style}
    assert attributes["b"].bold
    assert attributes["i"].italic
    assert attributes["s"].strike


@pytest.mark.parametrize(
    ("source", "shown", "bold"),
    [
        ("**注意：**基准很重要", "注意：基准很重要", "注意："),
        ("避免。**“随机”**可以", "避免。“随机”可以", "“随机”"),
        ("这是**(重要)**的", "这是(重要)的", "(重要)"),
        ('이것은 **"중요"**합니다', '이것은 "중요"합니다', '"중요"'),
        ("2 ** 3，**甲**和 ** 乙", "2 ** 3，甲和 ** 乙", "甲"),
    ],
)
def test_stars_beside_ideographs_need_no_spaces(source: str, shown: str, bold: str) -> None:
    strip = MarkdownText(source, palette=PLAIN).lines(80)[0]
    assert strip.text == shown
    assert [text for text, style, _ in strip if style and style.bold] == [bold]


def test_lists_nest_and_count() -> None:
    source = """
- one
- two and more text than the line holds
  - deep
    - deeper
      - deepest
7. seven
8. eight

   its second paragraph
9. nine
- [ ] open
- [x] done
"""
    assert drawn(source, 24) == golden("""
        • one
        • two and more text than
          the line holds
          ◦ deep
            ▪ deeper
              • deepest
        7. seven
        8. eight

           its second paragraph
        9. nine
        ☐ open
        ☑ done
        """)


def test_a_blank_line_between_items_is_drawn_where_it_was_written() -> None:
    assert drawn("- a\n- b\n\n- c") == "• a\n• b\n\n• c"


def test_quotes_nest() -> None:
    assert drawn("> one\n>\n> two\n> > three\n> - item\n\nafter") == golden("""
        ▌ one
        ▌
        ▌ two
        ▌
        ▌ ▌ three
        ▌
        ▌ • item

        after
        """)


def test_code_has_a_number_a_language_and_a_gutter() -> None:
    assert drawn("Text\n```python title\ndef f():\n\treturn 1\n\n# end\n```\n~~~\nplain\n~~~") == golden("""
        Text

        ╭╴1 python
        │ def f():
        │     return 1
        │
        │ # end
        ╰╴

        ╭╴2
        │ plain
        ╰╴
        """)


def test_a_long_line_of_code_goes_on_below_a_mark() -> None:
    assert drawn("```\nabcdefghijklmnopqrstuvwxyz\n你好世界你好\n```", 12) == golden("""
        ╭╴1
        │ abcdefghij
        │↪klmnopqrst
        │↪uvwxyz
        │ 你好世界你
        │↪好
        ╰╴
        """)


def test_code_in_a_list_and_an_unclosed_fence() -> None:
    source = "1. step\n   ```sh\n   make\n   ```\n2. next\n\n    ```\n    indented\n\n```c\nint x;\n"
    assert drawn(source) == golden("""
        1. step

           ╭╴1 sh
           │ make
           ╰╴
        2. next

           ╭╴2
           │ indented
           │
           ╰╴

        ╭╴3 c
        │ int x;
        ╰╴
        """)


def test_code_blocks_hold_what_was_written() -> None:
    source = (
        "```python\n\tif x:  # 中文 \n\n```\n- a\n  ~~~ C++\n    two spaces more\n  ~~~\n\n      four more\n"
    )
    assert MarkdownText(source, palette=PLAIN).code_blocks == (
        CodeBlock(1, "python", "\tif x:  # 中文 \n"),
        CodeBlock(2, "C++", "  two spaces more"),
        CodeBlock(3, "", "four more"),
    )


def test_tables_are_aligned_by_cells() -> None:
    source = "|Name|值|Number|\n|:--|:-:|--:|\n|a|中文字|1|\n|`b`|x|1234567|\n"
    assert drawn(source) == golden("""
        Name │   值   │  Number
        ━━━━━┿━━━━━━━━┿━━━━━━━━
        a    │ 中文字 │       1
        `b`  │   x    │ 1234567
        """)


def test_a_wide_table_wraps_its_cells() -> None:
    source = "|Key|Meaning|\n|-|-|\n|a|a rather long explanation of it|\n|b|short|\n"
    assert drawn(source, 24) == golden("""
        Key │ Meaning
        ━━━━┿━━━━━━━━━━━━━━━━━━━
        a   │ a rather long
            │ explanation of it
        ────┼───────────────────
        b   │ short
        """)  # fmt: skip


def test_a_table_too_wide_for_columns_becomes_a_list() -> None:
    source = "|First|Second|Third|\n|-|-|-|\n|one one|two two two|three three|\n|1|2|3|\n"
    assert drawn(source, 20) == golden("""
        ───
        First: one one
        Second: two two two
        Third: three three
        ───
        First: 1
        Second: 2
        Third: 3
        """)


def test_links_show_where_they_lead() -> None:
    source = "[name](https://a.b/c) <https://d.e> https://f.g/h. ![pic](i.png) <x@y.z>"
    assert drawn(source, 90) == ("name (https://a.b/c) https://d.e https://f.g/h. [image: pic] (i.png) x@y.z")
    assert meta_of(source)[:4] == [
        ("name", {"link": "https://a.b/c"}),
        ("https://a.b/c", {"link": "https://a.b/c"}),
        ("https://d.e", {"link": "https://d.e"}),
        ("https://f.g/h", {"link": "https://f.g/h"}),
    ]


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("https://a.b/Rust_(programming_language) (see)", "https://a.b/Rust_(programming_language)"),
        ("(https://a.b/c_d).", "https://a.b/c_d"),
        ("(see https://a.b/c_(d))", "https://a.b/c_(d)"),
        ("“https://a.b/c”", "https://a.b/c"),
        ("参见https://a.b/c，然后", "https://a.b/c"),
    ],
)
def test_an_address_in_text_ends_where_it_ends(source: str, address: str) -> None:
    assert meta_of(source) == [(address, {"link": address})]


def test_an_address_is_shown_as_it_was_written() -> None:
    assert drawn("[页](https://例子.中国/路径?a=1&amp;b)") == "页 (https://例子.中国/路径?a=1&b)"
    assert drawn("<https://a.b/%E4%BD%A0>") == "https://a.b/%E4%BD%A0"
    assert drawn("[x](https://a&#10;b&#9;c)") == "x (https://a b c)"


def test_a_dangerous_link_stays_text() -> None:
    assert drawn("[x](javascript:alert)") == "[x](javascript:alert)"


def test_marks_of_known_citations_lead_to_them() -> None:
    source = "Yes [2]. No [7]. Both [1, 7; 2]."
    assert meta_of(source, {1, 2}) == [
        ("[2]", {"citation": 2}),
        ("1", {"citation": 1}),
        ("2", {"citation": 2}),
    ]
    assert drawn(source) == source


def test_a_definition_does_not_take_a_citation_away() -> None:
    source = "Yes [1].\n\n[1]: http://a.b"
    assert drawn(source) == source
    assert meta_of(source, {1}) == [("[1]", {"citation": 1})]


@pytest.mark.parametrize(
    "formula",
    [
        r"\(a_1 * b_1 * c\)",
        r"\[x_{1}^* \\ y\]",
        "$a_1 * b_1$",
        r"$$\frac{a*b}{c*d}$$",
        r"\(open",
        "costs $5 and $6",
    ],
)
def test_formulas_stay_as_they_are(formula: str) -> None:
    assert drawn(f"See {formula} there", 80) == f"See {formula} there"


def test_a_price_before_code_begins_no_formula() -> None:
    assert drawn("It is $4; `$HOME` and **not** `$PATH`") == "It is $4; `$HOME` and not `$PATH`"


def test_a_formula_over_several_lines_keeps_its_lines() -> None:
    formula = "\\[\na_1 = b\n- c * d * e\n+ f\n\\]"
    assert drawn(f"So:\n{formula}\nend") == f"So:\n{formula}\nend"


def test_html_is_text() -> None:
    assert drawn("<b>bold</b>\n\n<div>\nblock\n</div>\n\n&lt;&copy;") == (
        "<b>bold</b>\n\n<div>\nblock\n</div>\n\n<©"
    )


def test_hard_breaks_and_rules() -> None:
    assert drawn("one  \ntwo\\\nthree\n\n***\nfour", 10) == "one\ntwo\nthree\n\n──────────\n\nfour"


def test_control_characters_and_bidi_overrides_never_pass() -> None:
    source = "a\x1b[31mb\x07 \u202eevil\u2066 &#x202e;\r\n```\u202epy\nx\u202e = 1\x9b\n```"
    assert drawn(source) == "a[31mb evil\n\n╭╴1 py\n│ x = 1\n╰╴"


def test_deep_nesting_stops_indenting() -> None:
    source = "\n".join("  " * level + f"- level {level}" for level in range(12))
    assert all(len(line) <= 20 for line in drawn(source, 20).split("\n"))
    assert "level\n" in drawn(source, 20) + "\n" or "level 11" in drawn(source, 20)


def test_lines_are_the_same_object_until_something_changes() -> None:
    text = MarkdownText("a", growing=True, palette=PLAIN)
    lines = text.lines(20)
    assert text.lines(20) is lines
    text.append("b")
    assert text.lines(20) is not lines
    assert list(text.plain(20)) == ["ab"]


def test_a_new_width_draws_anew() -> None:
    text = MarkdownText("one two three", palette=PLAIN)
    assert list(text.plain(80)) == ["one two three"]
    assert list(text.plain(5)) == ["one", "two", "three"]


def test_a_finished_text_does_not_grow() -> None:
    with pytest.raises(ValueError, match="does not grow"):
        MarkdownText("a", palette=PLAIN).append("b")


def test_nothing_is_drawn_of_nothing() -> None:
    assert list(MarkdownText("", palette=PLAIN).lines(20)) == []
    assert list(MarkdownText("\n \n", palette=PLAIN).lines(20)) == []
