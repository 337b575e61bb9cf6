"""A small model of Python source, trained in minutes on whatever standard library is installed.

    python -m training.source_model FOLDER [--steps 400]

The bundled models know a grammar without surprises; this one predicts text that people wrote, so
that what quantisation costs can be seen on a second kind of weights. It is trained in MLX on the
engine's own classes and saved as a Hugging Face checkpoint in bfloat16. `held-out.txt` beside it
holds source that it never saw, and `calibration.txt` some that it did.
"""

import argparse
import hashlib
import json
import sys
import sysconfig
import time
from functools import partial
from pathlib import Path
from random import Random

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx import optimizers
from mlx.utils import tree_flatten
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from qwen2_mlx.config import ModelConfig
from qwen2_mlx.models import Model, build

CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TOKENS, LENGTH, BATCH = 1024, 128, 16
_PEAK_RATE, _WARM_UP = 3e-3, 40

#: Characters of source: enough not to be seen twice in a short run.
_TRAINING_CHARACTERS, _HELD_OUT_CHARACTERS = 6_000_000, 40_000
_HELD_OUT_SHARE = 16  # one file in so many

CONFIG = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu",
    "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": TOKENS, "max_position_embeddings": 512, "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0, "tie_word_embeddings": True, "use_sliding_window": False,
    "torch_dtype": "bfloat16", "eos_token_id": TOKENS - 1,
}  # fmt: skip


def sources() -> tuple[str, str]:
    """Training and held-out text: files of the standard library, dealt out by a hash of their names."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(p for p in root.rglob("*.py") if not {"site-packages", "test", "tests"} & {*p.parts})
    Random(0).shuffle(files)
    parts: dict[bool, list[str]] = {True: [], False: []}
    for file in files:
        name = file.relative_to(root).as_posix().encode()
        held_out = hashlib.sha256(name).digest()[0] % _HELD_OUT_SHARE == 0
        parts[held_out].append(file.read_text(encoding="utf-8", errors="ignore"))
    return "\n".join(parts[False])[:_TRAINING_CHARACTERS], "\n".join(parts[True])[:_HELD_OUT_CHARACTERS]


def train_tokenizer(text: str) -> Tokenizer:
    """A byte-level BPE of `TOKENS` entries, the control tokens last."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TOKENS - len(CONTROL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text[:1_000_000]], trainer)
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in CONTROL_TOKENS]
    )
    return tokenizer


def train(tokens: np.ndarray, steps: int) -> Model:
    """The model after `steps` batches of random pieces of `tokens`."""
    mx.random.seed(0)
    model = build(ModelConfig.from_dict(CONFIG))
    rate = optimizers.join_schedules(
        [optimizers.linear_schedule(0.0, _PEAK_RATE, _WARM_UP), optimizers.cosine_decay(_PEAK_RATE, steps)],
        [_WARM_UP],
    )
    optimiser = optimizers.AdamW(learning_rate=rate, weight_decay=0.05)
    state = [model.state, optimiser.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(rows: mx.array) -> mx.array:
        loss, gradients = nn.value_and_grad(model, _loss)(model, rows)
        gradients, _ = optimizers.clip_grad_norm(gradients, 1.0)
        optimiser.update(model, gradients)
        return loss

    rng, began = np.random.default_rng(0), time.perf_counter()
    for number in range(1, steps + 1):
        starts = rng.integers(0, len(tokens) - LENGTH - 1, BATCH)
        loss = step(mx.array(np.stack([tokens[start : start + LENGTH + 1] for start in starts])))
        mx.eval(state, loss)
        if number % 20 == 0:
            left = (time.perf_counter() - began) / number * (steps - number)
            print(f"step {number} of {steps}, loss {loss.item():.3f}, {left:.0f} s left", file=sys.stderr)
    return model


def _loss(model: Model, rows: mx.array) -> mx.array:
    return nn.losses.cross_entropy(model(rows[:, :-1]), rows[:, 1:], reduction="mean")


def save(model: Model, tokenizer: Tokenizer, folder: Path) -> None:
    """Writes the checkpoint into `folder`, weights in bfloat16."""
    weights: dict[str, mx.array] = dict(tree_flatten(model.parameters()))
    halves = {name: weight.astype(mx.bfloat16) for name, weight in weights.items()}
    mx.save_safetensors(str(folder / "model.safetensors"), halves, {"format": "mlx"})
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", encoding="utf-8")
    settings = {"eos_token": CONTROL_TOKENS[2]}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings) + "\n", encoding="utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="to write the checkpoint to")
    parser.add_argument("--steps", type=int, default=400)
    args = parser.parse_args()

    training, held_out = sources()
    tokenizer = train_tokenizer(training)
    args.folder.mkdir(parents=True, exist_ok=True)
    (args.folder / "held-out.txt").write_text(held_out, encoding="utf-8")
    (args.folder / "calibration.txt").write_text(training[-_HELD_OUT_CHARACTERS:], encoding="utf-8")
    save(train(np.array(tokenizer.encode(training).ids), args.steps), tokenizer, args.folder)


if __name__ == "__main__":
    main()
