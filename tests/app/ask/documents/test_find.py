"""Which files a command line means."""

import os
import socket
from pathlib import Path

import pytest

from app.ask.documents.find import find_files
from app.ask.documents.limits import MOST_FOLDER_DEPTH
from app.ask.documents.read import STDIN
from qwen2_mlx.errors import Qwen2Error


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")


def found(folder: Path, only: str | None = None) -> list[str]:
    return [str(path.relative_to(folder)) for path in find_files([str(folder)], only).files]


def test_a_folder_means_all_documents_below_it_in_sorted_order(tmp_path: Path) -> None:
    write(tmp_path, "b.txt", "a/z.MD", "a/c.html", "c.csv", ".hidden.txt", ".git/config.txt", "a/picture.png")
    assert found(tmp_path) == ["a/c.html", "a/z.MD", "b.txt", "c.csv"]


def test_unknown_kinds_are_skipped_with_one_warning(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "b.png", "c.png", "d.o", "Makefile")
    assert find_files([str(tmp_path)]).warnings == (
        "4 files skipped, not known as documents: 2 .png, 1 without ending, 1 .o",
    )


def test_a_glob_picks_by_name_or_path_whatever_the_ending(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "b.py", "sub/c.py", "sub/d.txt")
    assert found(tmp_path, "*.py") == ["b.py", "sub/c.py"]
    assert found(tmp_path, "sub/*") == ["sub/c.py", "sub/d.txt"]
    assert find_files([str(tmp_path)], "*.py").warnings == ()


def test_named_files_keep_their_order_and_come_once(tmp_path: Path) -> None:
    write(tmp_path, "b.txt", "a.txt")
    os.link(tmp_path / "a.txt", tmp_path / "hard.txt")
    names = [str(tmp_path / "b.txt"), "-", str(tmp_path), str(tmp_path / "b.txt"), "-"]
    files = find_files(names).files
    assert files == (tmp_path / "b.txt", STDIN, tmp_path / "a.txt", tmp_path / "hard.txt")


def test_a_file_called_dash_is_not_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "-")
    monkeypatch.chdir(tmp_path)
    assert find_files(["./-"]).files == (tmp_path / "-",)
    assert find_files(["-"]).files == (STDIN,)


def test_links_are_followed_but_never_in_circles(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "out"
    write(folder, "sub/a.txt")
    write(outside, "b.txt")
    (folder / "sub" / "loop").symlink_to(folder)
    (folder / "self").symlink_to("self")
    (folder / "outside").symlink_to(outside)
    (folder / "z.txt").symlink_to(folder / "sub" / "a.txt")
    assert found(folder) == ["outside/b.txt", "sub/a.txt"]


def test_folders_linked_crosswise_are_entered_once(tmp_path: Path) -> None:
    """Two links to the next folder in each of 40 folders make 2**40 paths."""
    for number in range(40):
        folder = tmp_path / f"f{number}"
        write(folder, f"{number}.txt")
        for link in ("x", "y"):
            (folder / link).symlink_to(tmp_path / f"f{number + 1}")
    assert len(find_files([str(tmp_path / "f0")]).files) == 40


def test_folders_nested_too_deep_are_left_out_with_a_warning(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * (MOST_FOLDER_DEPTH + 1))
    write(tmp_path, "a.txt", str(deep / "b.txt"))
    result = find_files([str(tmp_path)])
    assert result.files == (tmp_path / "a.txt",)
    assert result.warnings == (f"1 folder skipped, nested deeper than {MOST_FOLDER_DEPTH}",)


def test_devices_pipes_and_sockets_are_refused_or_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the whole path may be too long for the name of a socket
    write(tmp_path, "a.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.txt")
        for name in ("/dev/zero", str(tmp_path / "pipe.txt"), str(tmp_path / "s.txt")):
            with pytest.raises(Qwen2Error, match=r"is not a regular file|cannot be read"):
                find_files([name])
        result = find_files([str(tmp_path)])
    assert result.files == (tmp_path / "a.txt",)
    assert result.warnings == ("2 files skipped, no regular files (devices, pipes, sockets, broken links)",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x7fELF\0\0", "is a binary file"),
        (b"\x89PNG\r\n", "is a picture; run text recognition"),
        (b"{\\rtf1", "is a rich text file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old or protected Office file"),
    ],
)
def test_a_named_file_that_is_no_document_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(Qwen2Error, match=message):
        find_files([str(path)])


def test_names_that_mean_nothing_are_errors(tmp_path: Path) -> None:
    with pytest.raises(Qwen2Error, match=r"there is no file .*absent.txt; check the name"):
        find_files([str(tmp_path / "absent.txt")])
    with pytest.raises(Qwen2Error, match="there is no document in"):
        find_files([str(tmp_path)])
    with pytest.raises(Qwen2Error, match=r"there is no file that matches \*\.pdf in"):
        find_files([str(tmp_path)], "*.pdf")
    with pytest.raises(Qwen2Error, match="cannot be read"):
        find_files(["a\0b"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_that_cannot_be_read_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "closed/b.txt")
    (tmp_path / "closed").chmod(0)
    result = find_files([str(tmp_path)])
    (tmp_path / "closed").chmod(0o700)
    assert result.files == (tmp_path / "a.txt",)
    assert "closed" in result.warnings[0]


def test_a_name_longer_than_names_can_be_is_one_line() -> None:
    with pytest.raises(Qwen2Error, match="cannot be read: File name too long"):
        find_files(["x" * 300])


def test_a_folder_whose_files_cannot_be_looked_at_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.txt", "b.txt")
    look = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if path.name == "a.txt":
            raise PermissionError(13, "Permission denied")
        return look(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    assert found(tmp_path) == ["b.txt"]
