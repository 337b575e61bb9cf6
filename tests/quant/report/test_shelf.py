"""The shelf gives back what it was given, or nothing."""

from pathlib import Path

import numpy as np
import pytest

from quant.report.shelf import Shelf


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path).within("models")
    arrays = {"a": np.arange(5, dtype=np.int32), "b": np.array([[1.5], [np.inf]], np.float32)}
    shelf.save("one", arrays)
    found = shelf.load("one")
    assert found is not None
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


@pytest.mark.parametrize("cut", [0, 1, 40, -1])
def test_a_file_cut_short_counts_as_none(tmp_path: Path, cut: int) -> None:
    shelf = Shelf(tmp_path)
    shelf.save("one", {"a": np.arange(1000)})
    path = tmp_path / "one.npz"
    path.write_bytes(path.read_bytes()[:cut])
    assert shelf.load("one") is None


def test_pickled_objects_are_never_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", a=np.array([{}], dtype=object), allow_pickle=True)
    assert Shelf(tmp_path).load("one") is None


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path)
    shelf.save("one", {"a": np.arange(3)})

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="No space"):
        shelf.save("one", {"a": np.arange(9)})
    assert [path.name for path in tmp_path.iterdir()] == ["one.npz"]
    found = shelf.load("one")
    assert found is not None
    assert len(found["a"]) == 3
