"""Files by a few letters: near and likely ones first, huge and looping trees without end."""

import time
from pathlib import Path

import pytest

from app.chat.documents import picking
from app.chat.documents.names import path_of, split_pattern
from app.chat.documents.picking import Walk, is_path, matches
from qwen2_mlx.errors import Qwen2Error


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picking, "_latest", None)
    monkeypatch.setattr(picking, "_WALK", 5.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "report.pdf",
        "notes/quarterly report.md",
        "notes/deep/letter.txt",
        "picture.png",
        ".hidden/secret.txt",
        ".env",
        "node_modules/pack/readme.md",
        ".git/config.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return tmp_path


def names(paths: list[Path]) -> list[str]:
    return [str(path) for path in paths]


def test_nothing_typed_lists_what_is_near_documents_first(folder: Path) -> None:
    assert names(matches(folder, "", 10)) == [
        "report.pdf",
        "notes",
        "picture.png",
        "notes/quarterly report.md",
        "notes/deep",
        "notes/deep/letter.txt",
    ]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("report.pdf", "report.pdf"),
        ("rep", "report.pdf"),
        ("qrep", "notes/quarterly report.md"),
        ("q rep", "notes/quarterly report.md"),
        ("LETT", "notes/deep/letter.txt"),
        ("ndl", "notes/deep/letter.txt"),
    ],
)
def test_letters_in_their_order_find_a_file(folder: Path, typed: str, first: str) -> None:
    assert names(matches(folder, typed, 3))[0] == first


def test_what_is_hidden_stays_so(folder: Path) -> None:
    for typed in ("secret", "config", "readme", "env"):
        assert matches(folder, typed, 10) == []


def test_a_path_is_followed_wherever_it_leads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names(matches(Path("elsewhere"), f"{folder}/not", 5)) == [f"{folder}/notes"]
    assert names(matches(Path("elsewhere"), f"{folder}/notes/", 5)) == [
        f"{folder}/notes/quarterly report.md",
        f"{folder}/notes/deep",
    ]
    assert names(matches(Path("elsewhere"), f"{folder}/.env", 5)) == [f"{folder}/.env"]
    assert names(matches(folder / "notes", "../rep", 5))[0] == "../report.pdf"
    monkeypatch.setenv("HOME", str(folder))
    assert names(matches(Path("elsewhere"), "~/rep", 5))[0] == f"{folder}/report.pdf"
    assert f"{folder}/report.pdf" in names(matches(folder / "notes", "~", 5))
    assert "/usr" in names(matches(folder, "/us", 5))
    assert matches(folder, "~nobody-here/x", 5) == []
    assert matches(folder, "/nowhere/at/all", 5) == []
    assert matches(folder, "/a\0b", 5) == []


def test_links_in_a_circle_end(folder: Path) -> None:
    (folder / "notes" / "round").symlink_to(folder)
    assert len(names(matches(folder, "", 1000))) == 7


def test_a_huge_tree_is_bounded_and_goes_on_bit_by_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        (tmp_path / f"{number}.txt").touch()
    monkeypatch.setattr(picking, "MOST_ENTRIES", 100)
    walk = Walk(tmp_path)
    assert not walk.more(5.0)
    assert len(walk.found) == 100
    stopped = Walk(tmp_path)
    assert stopped.more(0.0)
    assert stopped.found == []


def test_a_call_walks_no_longer_than_it_may(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picking, "_WALK", 0.02)
    real = picking._entries

    def slow(folder: Path) -> list:
        time.sleep(0.03)
        return real(folder)

    monkeypatch.setattr(picking, "_entries", slow)
    assert matches(folder, "letter", 5) == []
    for _ in range(5):
        matches(folder, "letter", 5)
    assert names(matches(folder, "letter", 5)) == ["notes/deep/letter.txt"]


def test_paths_are_told_from_words() -> None:
    assert [is_path(typed) for typed in ("/etc", "~/x", "../x", "./x", "x/y", "x", "")] == [
        True,
        True,
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    "name",
    [
        "my file.txt",
        "'my file.txt'",
        '"my file.txt"',
        "my\\ file.txt",
        " my file.txt ",
        "file://{}/my%20file.txt",
    ],
)
def test_dropped_and_pasted_paths_mean_their_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my file.txt").touch()
    assert path_of(name.format(tmp_path)).resolve() == tmp_path / "my file.txt"


def test_a_file_whose_name_holds_quotes_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("it's", "'quoted'", "[1].txt"):
        Path(name).touch()
        assert path_of(name) == Path(name)
    assert split_pattern("[1].txt") == (Path("[1].txt"), None)


def test_patterns_are_split_where_they_begin() -> None:
    assert split_pattern("docs/*.pdf") == (Path("docs"), "*.pdf")
    assert split_pattern("docs/2*/a?.md") == (Path("docs"), "2*/a?.md")
    assert split_pattern("*.md") == (Path(), "*.md")
    assert split_pattern("docs") == (Path("docs"), None)
    with pytest.raises(Qwen2Error):
        split_pattern("~nobody-here/*.md")
