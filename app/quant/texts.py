"""What a model is measured on.

The bundled models know one language, that of the chronicles they were trained on, and any
other text is noise to them. They and whatever shares their tokenizer therefore read chronicles,
generated from seeds that training never draws, with questions and answers.
"""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random

from app.ask.prompts import whole_document
from app.eval.chronicle import absent_fact, invent_facts
from app.eval.haystack import Stated, fit, haystack
from app.plain_text import read_text
from quant.calibrated.texts import calibration_tokens
from quant.report.texts import Text, Window, bundled_texts, cut
from qwen2_mlx.errors import PromptError
from qwen2_mlx.loading import read_config
from qwen2_mlx.resolve import BUNDLED, resolve
from qwen2_mlx.tokenizer import Tokenizer

#: Kinds of the generated texts, and of those that nothing is reported by.
CHRONICLE, CALIBRATION = "chronicle", "calibration"

_DOCUMENTS = 32
_FACTS = 8
_ROOM_FOR_ANSWERS = 72  # tokens, two answers and a second question


def evaluation_windows(folder: Path, files: Sequence[str] | None, context: int) -> list[Window]:
    """What candidates are compared on: texts of the user's, else of the model's own language.

    `folder` is that of the reference. Windows are at most `context` tokens long, and never longer than
    the model was trained on. Raises `Qwen2Error` for a text that cannot be read.
    """
    config = read_config(folder)
    tokenizer = Tokenizer.from_folder(folder)
    length = min(context, config.trained_length)
    if files:
        texts = [Text(Path(name).name, read_text(name)) for name in files]
    elif knows_chronicles_only(folder):
        texts = chronicles(tokenizer, config.trained_length, "evaluation")
    else:
        texts = bundled_texts()
    return cut(tokenizer, texts, length)


def calibration_windows(folder: Path, file: Path | None, context: int, tokens: int) -> list[Window]:
    """What formats are chosen on: about `tokens` tokens of other texts than `evaluation_windows`.

    From `file`, else the bundled calibration texts, or chronicles where the model knows nothing else.
    Raises `Qwen2Error` for a file that cannot be used.
    """
    config = read_config(folder)
    tokenizer = Tokenizer.from_folder(folder)
    length = min(context, config.trained_length)
    if file is None and knows_chronicles_only(folder):
        count = math.ceil(tokens / config.trained_length)
        return cut(tokenizer, chronicles(tokenizer, config.trained_length, "calibration", count), length)
    sequences = calibration_tokens(tokenizer, file, length, math.ceil(tokens / length))
    windows = [Window(CALIBRATION, tuple(sequence)) for sequence in sequences if len(sequence) > 1]
    if not windows:
        raise PromptError(f"{file} is too short to measure on; give a few pages of text")
    return windows


def knows_chronicles_only(folder: Path) -> bool:
    """Whether the checkpoint in `folder` reads with the tokenizer of a bundled model."""
    path = folder / "tokenizer.json"
    return path.is_file() and path.read_bytes() in _bundled_tokenizers()


def chronicles(tokenizer: Tokenizer, length: int, purpose: str, count: int = _DOCUMENTS) -> list[Text]:
    """Documents of about `length` tokens with two questions each, one text in all.

    Another `purpose` draws from other seeds.
    """
    conversations = []
    for index in range(count):
        rng = Random(f"quantisation/{purpose}/{index}")
        facts = invent_facts(rng, _FACTS)
        asked, missing = rng.choice(facts), absent_fact(rng, facts)
        question = asked.question(rng)
        stated = [Stated(fact.sentence(rng), rng.uniform(0, 100)) for fact in facts]
        document = fit(tokenizer, length - _ROOM_FOR_ANSWERS, question, haystack("en", rng), stated)
        conversations.append(
            [
                {"role": "user", "content": whole_document(document, question)},
                {"role": "assistant", "content": asked.answer},
                {"role": "user", "content": missing.question(rng)},
                {"role": "assistant", "content": missing.missing},
            ]
        )
    return [Text(CHRONICLE, conversations)]


@cache
def _bundled_tokenizers() -> frozenset[bytes]:
    return frozenset((resolve(name) / "tokenizer.json").read_bytes() for name in BUNDLED)
