"""What a person sees while a long document is read."""

import sys

import pytest

from app.ask.progress import Reading


def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], total: int) -> str:
    now = iter([100.0, 110.0, 120.0])
    monkeypatch.setattr("app.ask.progress.time.monotonic", lambda: next(now))
    reading = Reading("qwen2-ask")
    for done in (total // 4, total // 2, total):
        reading(done, total)
    return capsys.readouterr().err


def test_the_estimate_counts_from_what_was_already_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    first, second, last = shown(monkeypatch, capsys, 8000).replace("\r", "\n").splitlines()
    assert first.rstrip() == "qwen2-ask: read 2,000 of 8,000 tokens"
    assert second.rstrip() == "qwen2-ask: read 4,000 of 8,000 tokens, 20 s left"
    assert last.rstrip() == "qwen2-ask: read 8,000 of 8,000 tokens"


def test_short_documents_and_pipes_get_no_progress(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(monkeypatch, capsys, 8000) == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert shown(monkeypatch, capsys, 2048) == ""
