"""Prompts about a document: where the document ends in them, and what may be kept."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from app.ask import prompts
from app.ask.roles.prompt import encode, shared_prompt
from qwen2_mlx.resolve import resolve
from qwen2_mlx.tokenizer import Tokenizer
from tests import checkpoints

TEXT = (Path(__file__).parents[4] / "app/ask/examples/chronicle.txt").read_text()
DOCUMENTS = ["x", TEXT, TEXT + "\n\n\n  \n", "end in spaces   ", "1", "é", "数学", "a\n" * 200, "</document>"]
QUESTIONS = [
    "What is it?",
    "a",
    "1",
    "1 more?",
    "  padded ",
    "\n\nlines",
    "été?",
    "数学?",
    ">",
    "<|im_end|>",
    ")\n",
]
MESSAGES = (prompts.whole_document, prompts.relevance, prompts.notes, prompts.quote)


@pytest.fixture
def qwen2_tokenizer(shared_data: Path, tmp_path: Path) -> Tokenizer:
    source = shared_data / "qwen2-tokenizer"
    (tmp_path / "tokenizer.json").symlink_to(source / "tokenizer.json")
    checkpoints.write_json(tmp_path / "tokenizer_config.json", {"chat_template": checkpoints.CHAT_TEMPLATE})
    return Tokenizer.from_folder(tmp_path)


def check_that_questions_share_the_document(tokenizer: Tokenizer, message: Any, document: str) -> None:
    made = [shared_prompt(tokenizer, message, document, question) for question in QUESTIONS]
    (beginning,) = {tuple(prompt.ids[: prompt.shared]) for prompt in made}
    assert tokenizer.decode(beginning).rstrip().endswith(f"{document}\n</document>".rstrip())
    for question, prompt in zip(QUESTIONS, made, strict=True):
        assert prompt.ids == encode(tokenizer, message(document, question.strip()))
        assert question.strip() in tokenizer.decode(prompt.ids[prompt.shared :])


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_all_questions_share_the_documents_tokens(message: Any, document: str) -> None:
    check_that_questions_share_the_document(Tokenizer.from_folder(resolve("tiny")), message, document)


def test_all_questions_share_the_documents_tokens_in_the_familys_tokenizer(
    qwen2_tokenizer: Tokenizer,
) -> None:
    for message, document in product(MESSAGES, DOCUMENTS):
        check_that_questions_share_the_document(qwen2_tokenizer, message, document)


def test_nothing_is_shared_where_the_end_of_the_prompt_depends_on_the_document() -> None:
    class Repeating:
        """As a template that gives the message twice."""

        def encode_chat(self, messages: Any) -> list[int]:
            return list(messages[0]["content"].encode()) * 2

    tokenizer: Any = Repeating()
    assert shared_prompt(tokenizer, prompts.whole_document, TEXT, "What?").shared == 0
