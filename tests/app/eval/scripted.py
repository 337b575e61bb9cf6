"""A model that answers from a script, and small tasks to ask it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from app.eval.mode import Mode
from app.eval.sample import Cell, Sample
from app.eval.scoring import phrases_found
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.tokenizer import Tokenizer
from tests.app.eval import tokenizers

CONFIG = ModelConfig.from_dict(
    {
        "model_type": "qwen2", "vocab_size": 704, "hidden_size": 128, "intermediate_size": 384,
        "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 384,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Colours:
    """Asks for the colour that the document names."""

    lengths: Sequence[int]
    depths: Sequence[float] = (0.0, 100.0)
    name: str = "colours"

    def cells(self) -> Iterator[Cell]:
        for length in self.lengths:
            for depth in self.depths:
                yield Cell(f"{self.name}/{length}/{depth:g}", self.name, length, depth)

    def sample(self, cell: Cell, tokenizer: Tokenizer) -> Sample:
        return Sample(
            cell=cell,
            document=f"The colour of {cell.id} is green.",
            question="Which colour is it?",
            expected=("green",),
            max_tokens=8,
            score=phrases_found(("green",)),
        )


@dataclass
class Script:
    """Answers as `say` does, given the mode and the text of the prompt; notes what it was asked."""

    say: Callable[[str, str], str]
    config: ModelConfig = CONFIG
    tokenizer: Tokenizer = field(default_factory=tokenizers.bundled)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(
        self,
        mode: Mode,
        prompt: Sequence[int],
        max_tokens: int,
        on_prefill: Callable[[int, int], None] | None = None,
    ) -> str:
        text = self.tokenizer.decode(prompt)
        self.asked.append((mode.name, text))
        if on_prefill:
            on_prefill(len(prompt), len(prompt))
        return self.say(mode.name, text)
