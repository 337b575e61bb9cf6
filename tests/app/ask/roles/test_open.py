"""The roles of the bundled model, opened as programs do."""

from pathlib import Path

import pytest

from app.ask.roles.model_roles import ModelRoles
from app.ask.roles.open import Loaded, open_roles
from app.ask.roles.protocol import Roles
from qwen2_mlx import load
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.memory.plan import MemoryLimitError
from tests import checkpoints
from tests.app.ask.roles.conftest import passage

TEXT = "It was cold. The trade of Morvan Telun is weaver. The bridge was quiet."
QUESTION = "What is the trade of Morvan Telun?"


@pytest.fixture(scope="module")
def roles() -> ModelRoles:
    return open_roles("tiny", max_tokens=40)


def test_one_model_plays_every_role(roles: ModelRoles) -> None:
    played: Roles = roles
    window = passage(TEXT)
    assert played.kind(QUESTION) in ("lookup", "hops", "global")
    assert all(isinstance(word, str) for word in played.keywords(QUESTION))
    assert played.standalone(QUESTION, "It is weaver [1].", "And of Brisa Kort?")
    assert played.first(QUESTION)
    assert played.resolve("The teacher of Ana is Bo [3].", QUESTION)
    assert played.answer(QUESTION, [window])
    assert played.answer_whole(QUESTION, window)
    assert len(played.relevance(QUESTION, [window, window])) == 2
    assert set(played.notes(QUESTION, window)) <= {
        window.span(0, 12),
        window.span(13, 49),
        window.span(50, 71),
    }
    assert played.relevance_rows([window]) == 1
    assert played.count(TEXT) > 10
    assert (roles.model_name, roles.scout_name) == ("tiny", "tiny")


def test_usage_counts_what_was_done(roles: ModelRoles) -> None:
    before = roles.usage
    roles.answer(QUESTION, [passage(TEXT)])
    spent = roles.usage - before
    assert 0 < spent.generated <= 40
    assert spent.prefilled > roles.count(TEXT)
    before = roles.usage
    roles.relevance(QUESTION, [passage(TEXT)])
    assert (roles.usage - before).generated == 0


def test_the_same_scout_has_the_same_name_and_another_has_another(roles: ModelRoles) -> None:
    assert roles.scout_id == open_roles("tiny").scout_id
    assert roles.scout_id != open_roles("tiny", rope="plain").scout_id
    assert roles.scout_id != open_roles("tiny-moe").scout_id


def test_two_models_share_the_work_and_the_count() -> None:
    roles = open_roles("tiny", "tiny-moe", max_tokens=5)
    assert (roles.model_name, roles.scout_name) == ("tiny", "tiny-moe")
    roles.relevance(QUESTION, [passage(TEXT)])
    one = roles.usage
    roles.kind(QUESTION)
    assert roles.usage.prefilled > one.prefilled > 0


def test_a_scout_that_cuts_text_otherwise_is_refused(tmp_path: Path) -> None:
    other = checkpoints.write_checkpoint(tmp_path / "other")
    with pytest.raises(Qwen2Error, match="--scout"):
        open_roles("tiny", str(other))


def test_too_little_memory_is_said_before_anything_is_read() -> None:
    with pytest.raises(MemoryLimitError):
        open_roles("tiny", memory_limit=1000)


def test_long_answers_of_earlier_questions_are_shortened(roles: ModelRoles) -> None:
    before = roles.usage
    roles.standalone(QUESTION, "It was cold. " * 2000, "And now?")
    assert (roles.usage - before).prefilled < 300


def test_a_model_that_is_loaded_already_is_not_loaded_again() -> None:
    opened = load("tiny", length_factor="position")

    def loader(ref: str) -> Loaded:
        raise AssertionError(f"{ref} was loaded")

    roles = open_roles("my-model", "none", opened=opened, loader=loader)
    assert roles.tokenizer is opened[1]
    assert (roles.model_name, roles.scout_name) == ("my-model", "my-model")


def test_a_scout_is_loaded_by_whom_the_caller_says() -> None:
    asked: list[str] = []

    def loader(ref: str) -> Loaded:
        asked.append(ref)
        return load("tiny-moe", length_factor="position")

    roles = open_roles("tiny", "somebody/scout", loader=loader, opened=load("tiny", length_factor="position"))
    assert asked == ["somebody/scout"]
    assert roles.scout_name == "somebody/scout"
