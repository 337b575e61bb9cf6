"""LV-Eval files: what fits is asked, what does not is counted, and what is odd is one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.eval.haystack import prompt_length
from app.eval.tasks.lveval import LVEval
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.tokenizer import Tokenizer
from tests.app.eval.tokenizers import used

ROW: dict[str, Any] = {
    "input": "Who keeps the key?",
    "context": "The miller keeps the key of the tower.",
    "answers": ["The miller keeps it.", "The tall miller"],
    "length": 15,
    "dataset": "multifieldqa_en_mixup",
    "language": "en",
    "answer_keywords": "miller",
    "confusing_facts": ["The baker keeps the key of the mill."],
}


def write(folder: Path, *rows: Any, name: str = "multifieldqa_en_mixup_16k.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n", encoding="utf-8")
    return path


def test_a_row_becomes_a_prompt_with_its_whole_text(tmp_path: Path, small: Tokenizer) -> None:
    task = LVEval([512], [write(tmp_path, ROW)], small)
    (cell,) = task.cells()
    sample = task.sample(cell, small)
    assert sample.document == ROW["context"]
    assert sample.question.endswith(ROW["input"])
    assert (cell.task, cell.length, cell.depth) == ("lveval/multifieldqa_en_mixup", 512, None)
    assert sample.max_tokens == 64
    assert sample.score("It is the Miller.") == 100.0
    assert sample.score("It is the baker.") == 0.0


def test_without_keywords_the_best_answer_counts(tmp_path: Path, small: Tokenizer) -> None:
    for missing in (
        {**ROW, "answer_keywords": None},
        {k: v for k, v in ROW.items() if k != "answer_keywords"},
    ):
        task = LVEval([512], [write(tmp_path, missing)], small)
        sample = task.sample(next(task.cells()), small)
        assert sample.score("tall miller") == 100.0
        assert sample.score("the miller") == 50.0


def test_chinese_rows_are_asked_in_chinese(tmp_path: Path, small: Tokenizer) -> None:
    row = ROW | {
        "language": "zh",
        "input": "谁保管钥匙？",
        "dataset": "factrecall_zh",
        "answer_keywords": "磨坊主",
    }
    task = LVEval([512], [write(tmp_path, row)], small)
    sample = task.sample(next(task.cells()), small)
    assert sample.question.isascii() is False
    assert sample.max_tokens == 16
    assert sample.score("磨坊主人") == 100.0
    assert sample.score("磨坊") == 50.0


def test_a_row_counts_under_the_shortest_length_that_holds_it(tmp_path: Path, small: Tokenizer) -> None:
    rows = [ROW | {"context": "word " * count} for count in (20, 300, 30, 900)]
    task = LVEval([1024, 256], [write(tmp_path, *rows)], small)
    cells = list(task.cells())
    assert [cell.length for cell in cells] == [256, 256, 1024]
    assert [task.sample(cell, small).document for cell in cells] == [rows[i]["context"] for i in (0, 2, 1)]
    assert all(used(task.sample(cell, small), small) <= cell.length for cell in cells)
    assert task.skipped == 1


def test_a_prompt_of_exactly_the_length_fits(tmp_path: Path, small: Tokenizer) -> None:
    path = write(tmp_path, ROW)
    task = LVEval([512], [path], small)
    exact = used(task.sample(next(task.cells()), small), small)
    assert exact > prompt_length(small, "", "")
    assert LVEval([exact], [path], small).skipped == 0
    with pytest.raises(Qwen2Error, match=f"none of the 1 documents fits into {exact - 1} tokens"):
        LVEval([exact - 1], [path], small)


def test_a_changed_row_is_another_cell(tmp_path: Path, small: Tokenizer) -> None:
    before = {cell.id for cell in LVEval([512], [write(tmp_path, ROW, ROW)], small).cells()}
    after = {
        cell.id for cell in LVEval([512], [write(tmp_path, ROW, ROW | {"input": "Who?"})], small).cells()
    }
    assert len(before) == len(after) == 2
    assert len(before & after) == 1


def test_what_was_read_is_told(tmp_path: Path, small: Tokenizer) -> None:
    told: list[int] = []
    LVEval([512], [write(tmp_path, ROW, ROW | {"context": "word " * 900}, ROW)], small, told.append)
    assert told == [1, 2, 3]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2 is no JSON"),
        ("[1]", "line 2 is no JSON object"),
        ("[" * 100_000, "line 2 is no JSON"),
        (json.dumps({**ROW, "context": None}), "line 2 has no text in 'context'"),
        (json.dumps({**ROW, "input": " "}), "line 2 has no text in 'input'"),
        (json.dumps({**ROW, "language": "de"}), "line 2 has the language 'de'"),
        (json.dumps({**ROW, "answer_keywords": "", "answers": [""]}), "line 2 has neither 'answer_keywords'"),
        (json.dumps({**ROW, "answer_keywords": "...", "answers": 3}), "line 2 has neither 'answer_keywords'"),
    ],
)
def test_an_odd_row_is_named(tmp_path: Path, small: Tokenizer, line: str, complaint: str) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text(f"{json.dumps(ROW)}\n{line}\n", encoding="utf-8")
    with pytest.raises(Qwen2Error, match=complaint) as error:
        LVEval([512], [path], small)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path, small: Tokenizer) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(b"\n\n")
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(b'{"input": "\xff"}\n')
    for path, complaint in (
        (tmp_path / "none.jsonl", "there is no file"),
        (tmp_path, "is a folder"),
        (empty, "is empty"),
        (bad, "line 1 is no JSON"),
    ):
        with pytest.raises(Qwen2Error, match=complaint):
            LVEval([512], [path], small)


def test_two_files_of_one_name_are_refused(tmp_path: Path, small: Tokenizer) -> None:
    (tmp_path / "other").mkdir()
    files = [write(tmp_path, ROW), write(tmp_path / "other", ROW)]
    with pytest.raises(Qwen2Error, match="two of the files are named multifieldqa_en_mixup_16k"):
        LVEval([512], files, small)


def test_empty_lines_are_passed_over(tmp_path: Path, small: Tokenizer) -> None:
    path = tmp_path / "gaps.jsonl"
    text = json.dumps(ROW | {"context": "Schlüssel im Turm."}, ensure_ascii=False)
    path.write_text(f"\n{text}\r\n\n{json.dumps(ROW)}", encoding="utf-8")
    task = LVEval([512], [path], small)
    documents = [task.sample(cell, small).document for cell in task.cells()]
    assert documents == ["Schlüssel im Turm.", ROW["context"]]
