"""Reading what must be plain text."""

import os
from pathlib import Path

import pytest

from app.plain_text import read_text
from qwen2_mlx.errors import Qwen2Error


def test_windows_line_ends_and_a_byte_order_mark_are_no_part_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert read_text(str(file)) == "one\ntwo\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "there is no file .* check the name"),
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"The harbour\0master", "binary .* convert it"),
        (b"\x7fELF\x02\x01\x01\x00\xff\xfe", "convert it"),
        ("Die Brücke".encode("latin-1"), "no UTF-8 text .byte 6.; convert it"),
        ("Brücke".encode("utf-16"), "no UTF-8 text .* convert it"),
    ],
    ids=["missing", "empty", "blank", "binary", "program", "latin-1", "utf-16"],
)
def test_what_is_no_text_is_refused_in_one_line(tmp_path: Path, data: bytes | None, said: str) -> None:
    file = tmp_path / "notes.txt"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(Qwen2Error, match=said) as error:
        read_text(str(file))
    assert "\n" not in str(error.value)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Qwen2Error, match="is a folder; give one text file"):
        read_text(str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Qwen2Error, match="not a regular file"):
        read_text(str(tmp_path / "pipe"))
