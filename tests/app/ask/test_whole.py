"""The prompt about a whole document: where the document ends in it, and what may be kept."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.ask.prompts import whole_document
from app.ask.whole import document_prompt, read_prompt, stream_answer
from qwen2_mlx.errors import PromptError
from qwen2_mlx.generate import stream_generate
from qwen2_mlx.loading import load
from qwen2_mlx.models import Model
from qwen2_mlx.sampling import Sampling
from qwen2_mlx.tokenizer import Tokenizer
from tests import checkpoints

TEXT = (Path(__file__).parents[3] / "app/ask/examples/chronicle.txt").read_text()
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


@pytest.fixture(scope="module")
def tiny() -> tuple[Model, Tokenizer]:
    return load("tiny", length_factor="position")


@pytest.fixture
def qwen2_tokenizer(shared_data: Path, tmp_path: Path) -> Tokenizer:
    source = shared_data / "qwen2-tokenizer"
    (tmp_path / "tokenizer.json").symlink_to(source / "tokenizer.json")
    checkpoints.write_json(tmp_path / "tokenizer_config.json", {"chat_template": checkpoints.CHAT_TEMPLATE})
    return Tokenizer.from_folder(tmp_path)


def spacious() -> Any:
    """All that the prompt asks of a model."""
    return SimpleNamespace(args=SimpleNamespace(context_length=10**6))


def check_that_questions_share_the_document(tokenizer: Tokenizer, document: str) -> None:
    prompts = [document_prompt(spacious(), tokenizer, document, question) for question in QUESTIONS]
    beginnings = {tuple(prompt.ids[: prompt.document]) for prompt in prompts}
    assert len(beginnings) == 1
    (beginning,) = beginnings
    assert tokenizer.decode(beginning).rstrip().endswith(f"{document}\n</document>".rstrip())
    for question, prompt in zip(QUESTIONS, prompts, strict=True):
        message = whole_document(document, question.strip())
        assert prompt.ids == tokenizer.encode_chat([{"role": "user", "content": message}])
        assert question.strip() in tokenizer.decode(prompt.ids[prompt.document :])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_all_questions_share_the_documents_tokens(tiny: tuple[Model, Tokenizer], document: str) -> None:
    check_that_questions_share_the_document(tiny[1], document)


def test_all_questions_share_the_documents_tokens_in_the_familys_tokenizer(
    qwen2_tokenizer: Tokenizer,
) -> None:
    for document in DOCUMENTS:
        check_that_questions_share_the_document(qwen2_tokenizer, document)


def test_nothing_is_shared_where_the_end_of_the_prompt_depends_on_the_document() -> None:
    class Repeating:
        """As a template that gives the message twice."""

        def encode_chat(self, messages: Any) -> list[int]:
            return list(messages[0]["content"].encode()) * 2

    tokenizer: Any = Repeating()
    assert document_prompt(spacious(), tokenizer, TEXT, "What?").document == 0


def test_a_prompt_that_leaves_no_room_for_an_answer_is_refused(tiny: tuple[Model, Tokenizer]) -> None:
    model, tokenizer = tiny
    with pytest.raises(PromptError, match=f"takes {model.args.context_length - 32}"):
        document_prompt(model, tokenizer, "word " * model.args.context_length, "What?")


def tokens_of(events: Any) -> list[int]:
    return [event.token for event in events]


@pytest.mark.parametrize("penalty", [1.0, 50.0])
def test_the_split_prompt_is_answered_as_the_whole_one(
    tiny: tuple[Model, Tokenizer], monkeypatch: pytest.MonkeyPatch, penalty: float
) -> None:
    """A repetition penalty must look back on the document too."""
    model, tokenizer = tiny
    monkeypatch.setattr(model, "sampling", Sampling(repetition_penalty=penalty))
    prompt = document_prompt(model, tokenizer, TEXT, "What is the secret code of Morvan Telun?")
    cache = model.make_cache()
    assert read_prompt(model, prompt, cache) == 0
    answer = tokens_of(stream_answer(model, tokenizer, prompt, cache, 24))
    assert answer == tokens_of(stream_generate(model, tokenizer, prompt.ids, max_tokens=24, temperature=0.0))
