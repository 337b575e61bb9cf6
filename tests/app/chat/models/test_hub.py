"""Fetching from a hub: going on after a cut, stopping, and every failure as one line."""

import errno
import shutil
import threading
from collections import namedtuple
from pathlib import Path

import pytest

from app.chat.models import hub as hub_module
from app.chat.models.download import Download, Meter, Stopped
from app.chat.models.hub import fetch
from app.chat.models.installed import installed
from qwen2_mlx.errors import ModelNotFoundError
from tests.app.chat.models.conftest import COMMIT, HUB_ID, FakeHub, sha256

Usage = namedtuple("Usage", "total used free")


def partial_of(cache: Path, hub: FakeHub) -> Path:
    body = hub.large["model.safetensors"]
    return cache / "models--owner--model" / "blobs" / f"{sha256(body)}.resumable.incomplete"


def assert_complete(folder: Path, hub: FakeHub) -> None:
    assert (folder / "model.safetensors").read_bytes() == hub.large["model.safetensors"]
    assert (folder / "config.json").read_bytes() == hub.small["config.json"]
    assert not (folder / "run.py").exists(), "only weights and text are fetched"


def test_a_model_lies_in_the_cache_as_the_library_itself_puts_it(hub: FakeHub, tmp_path: Path) -> None:
    meter = Meter()
    folder = fetch(HUB_ID, meter, tmp_path, hub.endpoint)
    assert folder == tmp_path / "models--owner--model" / "snapshots" / COMMIT
    assert_complete(folder, hub)
    assert (folder / "model.safetensors").is_symlink()
    assert (tmp_path / "models--owner--model" / "refs" / "main").read_text() == COMMIT
    assert hub.requests == [""], "the library must not fetch it again"
    assert meter.progress.done == meter.progress.total > 1_000_000


def test_a_cut_connection_goes_on_where_it_was(hub: FakeHub, tmp_path: Path) -> None:
    hub.cut = 300_000
    assert_complete(fetch(HUB_ID, Meter(), tmp_path, hub.endpoint), hub)
    assert hub.requests == ["", "bytes=300000-"]


def test_a_stopped_download_goes_on_in_the_next_one(hub: FakeHub, tmp_path: Path) -> None:
    hub.cut, hub.gate = 500_000, threading.Event()
    download = Download(HUB_ID, lambda hub_id, meter: fetch(hub_id, meter, tmp_path, hub.endpoint))
    download.start()
    while not partial_of(tmp_path, hub).exists() or download.progress.done < 400_000:
        assert download.join(0.01) is False, download.error
    download.stop()
    assert not download.running
    hub.gate.set()
    assert download.join(15), "the thread must end"
    assert (download.folder, download.error, download.stopped) == (None, "", True)
    kept = partial_of(tmp_path, hub).stat().st_size
    assert kept > 0
    assert HUB_ID in {model.ref for model in installed((), tmp_path)}, "the list offers to go on"
    meter = Meter()
    assert_complete(fetch(HUB_ID, meter, tmp_path, hub.endpoint), hub)
    assert hub.requests[1:] == [f"bytes={kept}-"]


def test_a_server_that_cannot_go_on_begins_anew(hub: FakeHub, tmp_path: Path) -> None:
    hub.cut, hub.ignores_ranges = 300_000, True
    meter = Meter()
    assert_complete(fetch(HUB_ID, meter, tmp_path, hub.endpoint), hub)
    assert hub.requests[-1] == ""
    assert meter.progress.done == meter.progress.total


def test_a_partial_file_that_is_too_long_or_wrong_does_no_harm(hub: FakeHub, tmp_path: Path) -> None:
    partial = partial_of(tmp_path, hub)
    partial.parent.mkdir(parents=True)
    partial.write_bytes(hub.large["model.safetensors"] + b"more")
    assert_complete(fetch(HUB_ID, Meter(), tmp_path, hub.endpoint), hub)
    assert hub.requests == [], "all of it was here"


def test_weights_that_arrive_damaged_are_not_kept(hub: FakeHub, tmp_path: Path) -> None:
    body = hub.large["model.safetensors"]
    hub.served["model.safetensors"] = b"x" + body[1:]
    with pytest.raises(ModelNotFoundError, match="arrived damaged"):
        fetch(HUB_ID, Meter(), tmp_path, hub.endpoint)
    assert not partial_of(tmp_path, hub).exists()
    assert not (partial_of(tmp_path, hub).parent / sha256(body)).exists()


def test_more_bytes_than_the_hub_said_are_refused(hub: FakeHub, tmp_path: Path) -> None:
    hub.sizes_lie = 1000
    with pytest.raises(ModelNotFoundError, match="longer than the hub says"):
        fetch(HUB_ID, Meter(), tmp_path, hub.endpoint)


def test_a_server_that_sends_nothing_is_given_up_on(hub: FakeHub, tmp_path: Path) -> None:
    hub.served["model.safetensors"] = b""
    with pytest.raises(ModelNotFoundError, match="brings nothing; try again"):
        fetch(HUB_ID, Meter(), tmp_path, hub.endpoint)
    assert len(hub.requests) == hub_module.MOST_TRIES


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (404, "RepoNotFound", "there is no model owner/model on the hub"),
        (401, "RepoNotFound", "there is no model owner/model on the hub"),
        (403, "GatedRepo", "accept its terms"),
        (500, "", "cannot be downloaded"),
    ],
)
def test_what_the_hub_refuses_is_one_line(
    hub: FakeHub, tmp_path: Path, status: int, code: str, words: str
) -> None:
    hub.status, hub.error_code = status, code
    with pytest.raises(ModelNotFoundError, match=words) as caught:
        fetch(HUB_ID, Meter(), tmp_path, hub.endpoint)
    assert "\n" not in str(caught.value)


def test_no_network_is_one_line(hub: FakeHub, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="the hub cannot be reached"):
        fetch(HUB_ID, Meter(), tmp_path, "http://127.0.0.1:9")


def test_a_hub_that_is_switched_off_is_one_line(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFoundError, match="HF_HUB_OFFLINE"):
        fetch(HUB_ID, Meter(), tmp_path, hub.endpoint)


@pytest.mark.parametrize("hub_id", ["not an id", "a/b/c", "../../x", "owner/"])
def test_an_impossible_id_is_one_line(hub: FakeHub, tmp_path: Path, hub_id: str) -> None:
    with pytest.raises(ModelNotFoundError, match="cannot be the id"):
        fetch(hub_id, Meter(), tmp_path, hub.endpoint)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_small_is_told_before_a_byte_is_fetched(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, hub_module.SPARE + 1000))
    with pytest.raises(ModelNotFoundError, match=r"needs 1\.0 MB more and the disk has 200 MB free"):
        fetch(HUB_ID, Meter(), tmp_path, hub.endpoint)
    assert hub.requests == []


def test_a_disk_that_fills_up_meanwhile_is_one_line(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hub_module, "_append", full)
    with pytest.raises(ModelNotFoundError, match="the disk is full"):
        fetch(HUB_ID, Meter(), tmp_path, hub.endpoint)


def test_stopping_while_the_library_works_ends_it_too(hub: FakeHub, tmp_path: Path) -> None:
    meter = Meter()
    bar = hub_module._silent_bars(meter)(total=10, desc="x", unit="B")
    with bar:
        bar.update(3)
        bar.set_postfix_str("x", refresh=False)
        meter.stop()
        with pytest.raises(Stopped):
            bar.update(1)


def test_nothing_is_written_to_the_terminal(
    hub: FakeHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.cut = 1000
    fetch(HUB_ID, Meter(), tmp_path, hub.endpoint)
    assert capfd.readouterr() == ("", "")


def test_a_hash_that_is_no_hash_never_becomes_a_path(hub: FakeHub, tmp_path: Path) -> None:
    """The hub names the place of a file in the cache; it must not climb out of it."""
    entries = hub.entries()
    lfs = entries[-1]["lfs"]
    assert isinstance(lfs, dict)
    lfs["sha256"] = "../../../../evil"
    hub.entries = lambda: entries  # type: ignore[method-assign]
    fetch(HUB_ID, Meter(), tmp_path / "cache", hub.endpoint)
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
