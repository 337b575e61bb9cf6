"""What the README shows is what the programs print."""

import re
from pathlib import Path

import pytest

from app import demo

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_demo_prints_what_the_readme_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert demo.main() == 0
    shown = [block for block in re.findall(r"```\n(.*?)```", README, re.DOTALL) if block.startswith("$ ")]
    assert shown == [capsys.readouterr().out.rstrip() + "\n"]


def test_every_file_the_readme_names_exists() -> None:
    named = re.findall(r"`((?:tests|benchmarks|app|qwen2_mlx)/[\w/.-]+)`|\]\(([\w/.-]+)\)", README)
    paths = [left or right for left, right in named]
    assert len(paths) > 6
    assert [path for path in paths if not (ROOT / path).exists()] == []
