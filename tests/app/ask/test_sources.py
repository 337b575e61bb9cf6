"""Documents on their way into the library."""

from pathlib import Path

import pytest

from app.ask.library import Library
from app.ask.progress import Silent
from app.ask.sources import read_sources


def test_a_folder_of_many_new_files_has_the_library_listed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each file again it would take a time that grows with the square of their number."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number}.txt").write_text(f"This is text {number}.")
    with Library.open(tmp_path / "library.db") as library:
        listed = []
        files = library.files
        monkeypatch.setattr(library, "files", lambda: listed.append(1) or files())
        assert len(read_sources([str(folder)], None, library, Silent()).files) == 30
        assert len(listed) <= 1
