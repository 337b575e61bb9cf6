"""The header of a stranger's card gives a few plain facts, and can do nothing else."""

from pathlib import Path

import pytest

from convert.folder.front_matter import parse_front_matter, written_front_matter
from convert.folder.origin import Origin, origin_of
from qwen2_mlx.errors import Qwen2Error
from tests.convert.folder.test_companions import cached_snapshot

OFFICIAL = """---
license: other
license_name: tongyi-qianwen
license_link: https://huggingface.co/Qwen/Qwen2-72B-Instruct/blob/main/LICENSE
language:
- en
pipeline_tag: text-generation
base_model: Qwen/Qwen2-72B
tags:
- chat
---

# Qwen2-72B-Instruct
license: mit
"""


def test_the_facts_of_an_official_card_are_read() -> None:
    assert parse_front_matter(OFFICIAL) == {
        "license": ["other"],
        "license_name": ["tongyi-qianwen"],
        "license_link": ["https://huggingface.co/Qwen/Qwen2-72B-Instruct/blob/main/LICENSE"],
        "language": ["en"],
        "base_model": ["Qwen/Qwen2-72B"],
    }


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("language: [en, 'zh', \"fr-CA\"]", ["en", "zh", "fr-CA"]),
        ("language: en  # and more", ["en"]),
        ("language:\n  - en\n  - zh", ["en", "zh"]),
        ("language: 'en'", ["en"]),
        ("language: fr\nlanguage: de", ["de"]),
    ],
)
def test_the_usual_spellings_of_a_value_are_read(line: str, values: list[str]) -> None:
    assert parse_front_matter(f"---\r\n{line}\r\n---\r\n") == {"language": values}


@pytest.mark.parametrize(
    "line",
    [
        "license: !!python/object/apply:os.system ['true']",
        "license: *alias",
        "license: &anchor mit",
        'license: "mit\\n---\\nevil: true"',
        "license: mit\x85evil: true",
        "license: {a: b}",
        "license: |\n  mit",
        "license: >-\n  mit",
        "license: [[mit]]",
        "license: 'mit",
        "license: mit apache",
        "license: <script>",
        "license: " + "m" * 97,
        "license_link: javascript:alert(1)",
        "license_link: http://plain.example/x",
        "license_link: https://a.example/x](https://evil.example",
        "base_model: ../../etc/passwd",
        "base_model: /etc/passwd",
        "language: [en",
        "language: " + "e" * 5000,
        "? license\n: mit",
        "nested:\n  license: mit",
    ],
)
def test_a_value_that_is_not_plain_is_dropped(line: str) -> None:
    found = parse_front_matter(f"---\n{line}\n---\n")
    assert not {text for values in found.values() for text in values} - {"mit", "en"}
    assert "evil" not in str(found)


@pytest.mark.parametrize(
    "text", ["", "---", "---\nlicense: mit\n", "license: mit", "# A\n---\nlicense: mit\n---"]
)
def test_text_without_a_whole_header_gives_nothing(text: str) -> None:
    assert parse_front_matter(text) == {}


def test_what_is_written_is_yaml_text_whatever_it_says() -> None:
    yaml = pytest.importorskip("yaml")
    values = {"language": ["no", "en"], "license": 'a"\n---\n: #', "tags": ["~", "1", "é"]}
    written = written_front_matter(values)
    assert written.startswith("---\n")
    assert written.endswith("\n---\n")
    assert yaml.safe_load(written[4:-4]) == values


def test_the_base_model_is_the_one_named_else_the_cached_repository_else_the_parent(tmp_path: Path) -> None:
    card = b"---\nbase_model: Qwen/Parent\nlicense: apache-2.0\n---\n"
    snapshot = cached_snapshot(tmp_path / "hub", {"README.md": card})
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "README.md").write_bytes(card)
    terms = {"license": ["apache-2.0"]}
    saved_from = {"_name_or_path": "Qwen/Saved"}
    assert origin_of(snapshot, saved_from, "me/mine") == Origin("me/mine", terms)
    assert origin_of(snapshot, saved_from) == Origin("Qwen/Qwen2-tiny", terms)
    assert origin_of(plain, saved_from) == Origin("Qwen/Saved", terms)
    assert origin_of(plain, {"_name_or_path": "/home/ann/x"}) == Origin("Qwen/Parent", terms)
    (plain / "README.md").unlink()
    assert origin_of(plain, {"_name_or_path": 7}) == Origin(None, {})


def test_a_card_beside_a_single_file_or_behind_a_link_is_not_the_models(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    (tmp_path / "model.gguf").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "README.md").symlink_to(tmp_path / "README.md")
    assert origin_of(tmp_path / "model.gguf", {}) == Origin(None, {})
    assert origin_of(tmp_path / "folder", {}) == Origin(None, {})


@pytest.mark.parametrize("name", ["Qwen2", "a/b/c", "a/../b", "a/b\n", "https://x/y", "a/b c", ""])
def test_a_base_model_that_is_no_name_on_the_hub_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(Qwen2Error, match=r"--base-model .* is no name on the hub"):
        origin_of(tmp_path, {}, name)
