"""Trains the bundled models `tiny` and `tiny-moe` and writes them as Hugging Face checkpoints.

    python -m training.train tiny OUT_FOLDER
    python -m training.train tiny OUT_FOLDER --start FOLDER     only the roles, to weights that exist
    qwen2-convert --hf-path OUT_FOLDER --mlx-path qwen2_mlx/data/tiny

Training runs in torch on transformers' own Qwen2 classes: on a CPU torch is several
times faster than MLX, and the bundled models then come out of code that is not ours
and through our converter, like every other checkpoint.

The recipe goes from short to long. Short documents come beside random sequences that
are written twice, which forces the copying heads to form; then longer documents with
more facts; then weight on the tokens of an answer at which the model decides; then
documents that fill the trained length with facts at every depth, while the learning
rate falls to zero.

The last two phases prepare for Dual Chunk Attention, which is to carry the model to
sixteen times its length, on documents of many facts and of a single one in filler. In
the first each step multiplies all attention logits by another factor, so that the
length factor finds a model used to it. In the second the rows pretend to be parts of
longer documents: `training/stretched.py`. No row is longer than the trained length, and
no relative position greater is trained, so that plain positions still fail beyond it.

`tiny` then learns what the document programs ask of a model (`training/roles.py`), beside
rows of the phase before, so that it keeps what it can do.
"""

import argparse
import copy
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM, Qwen2MoeConfig, Qwen2MoeForCausalLM

from app.eval.chronicle import TRAINING_SEEDS
from training import examples
from training.roles import FULL as FULL_SIZE
from training.roles import Size, write_trees
from training.stretched import ATTENTION as STRETCHED
from training.stretched import DualChunk, Layout, layout, length_factor, skip
from training.tokenizer import save as save_tokenizer
from training.tokenizer import train_tokenizer
from training.tree_batch import TreeBatch, collate

TRAINED_LENGTH = 384
TOKENIZER_SIZE = 700
DUAL_CHUNK = {
    "chunk_size": TRAINED_LENGTH,
    "local_size": 48,
    "original_max_position_embeddings": TRAINED_LENGTH,
}
REACH = {"tiny": 16 * TRAINED_LENGTH, "tiny-moe": 8 * TRAINED_LENGTH}  # tokens shown to work
VOCAB_ROWS = 704  # padded, like Qwen2's, to a multiple of the quantisation group


@dataclass(frozen=True)
class Phase:
    """A stretch of training: how long it is, its learning rate, and what a step's rows look like.

    `rate` falls from the first number to the second in half a cosine. `length` is the range of
    row lengths in tokens, `facts` that of facts a document, `noise` and `talk` are the shares
    of rows that are random sequences (of at most `noise_length` tokens) and small talk, `absent`
    that of questions about facts the document lacks. A token that decides counts `decision`
    times. `sharpness` is the range of a factor on the attention logits, drawn once a step, as is
    how many times its length a row pretends to be: 1 to `stretch` (see training/stretched.py).
    `trees` is the number of trees beside the rows (see training/roles.py).
    """

    steps: int
    rate: tuple[float, float]
    length: tuple[int, int]
    rows: int
    facts: tuple[int, int]
    talk: float = 0.1
    noise: float = 0.0
    noise_length: int = 0
    absent: float = 0.25
    decision: float = 1.0
    sharpness: tuple[float, float] = (1.0, 1.0)
    stretch: float = 1.0
    trees: int = 0
    size: Size = FULL_SIZE


FULL = (TRAINED_LENGTH, TRAINED_LENGTH)
PHASES = (
    Phase(350, (1.5e-3, 1.5e-3), (112, 112), 64, (1, 1), talk=0.0, noise=0.50, noise_length=40),
    Phase(420, (1.5e-3, 1.4e-3), (176, 176), 46, (1, 3), noise=0.25, noise_length=96),
    Phase(630, (1.4e-3, 1.0e-3), (272, 272), 30, (1, 6), noise=0.05, noise_length=256),
    Phase(1100, (1.0e-3, 6e-4), FULL, 20, (2, 8)),
    Phase(400, (8e-4, 6e-4), (144, TRAINED_LENGTH), 28, (1, 9), absent=0.4, decision=6.0),
    Phase(900, (6e-4, 0.0), FULL, 22, (7, 9), talk=0.08, absent=0.4, decision=6.0),
    Phase(800, (5e-4, 0.0), FULL, 22, (7, 9), talk=0.06, absent=0.4, decision=4.0),
    Phase(1500, (6e-4, 0.0), FULL, 22, (1, 9), absent=0.4, decision=4.0, talk=0.08, sharpness=(0.6, 1.7)),
    Phase(
        900,
        (6e-4, 0.0),
        FULL,
        22,
        (1, 9),
        absent=0.4,
        decision=4.0,
        talk=0.08,
        sharpness=(0.7, 1.15),
        stretch=20,
    ),
)
#: What `tiny` learns after these: first in short documents, then in such as fill the trained length.
ROLES = (
    Phase(
        2100, (1.2e-3, 9e-4), FULL, 4, (1, 9), absent=0.4, decision=4.0, talk=0.08,
        sharpness=(0.7, 1.15), stretch=20, trees=12, size=Size(420, 0.25),
    ),
    Phase(
        3200, (8e-4, 0.0), FULL, 5, (1, 9), absent=0.4, decision=4.0, talk=0.08,
        sharpness=(0.7, 1.15), stretch=20, trees=12, size=Size(520, 1.0, 0.35),
    ),
    Phase(
        1050, (3.5e-4, 0.0), FULL, 6, (1, 9), absent=0.4, decision=4.0, talk=0.08,
        sharpness=(0.7, 1.15), stretch=20, trees=12, size=Size(540, 1.0, 0.5),
    ),
)  # fmt: skip
WARM_UP = 70  # steps
TREES_WEIGH = 2.0  # the loss of trees, beside that of rows


def build(moe: bool) -> PreTrainedModel:
    """A randomly initialised model in float32."""
    common: dict[str, Any] = dict(
        vocab_size=VOCAB_ROWS,
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=REACH["tiny-moe" if moe else "tiny"],
        dual_chunk_attention_config=DUAL_CHUNK,
        rms_norm_eps=1e-6,
        rope_theta=10000.0,
        use_sliding_window=False,
        bos_token_id=TOKENIZER_SIZE - 3,
        eos_token_id=TOKENIZER_SIZE - 1,
    )
    if not moe:
        config = Qwen2Config(intermediate_size=384, tie_word_embeddings=True, **common)
        return Qwen2ForCausalLM(config)
    config = Qwen2MoeConfig(
        intermediate_size=384,
        tie_word_embeddings=False,
        num_experts=8,
        num_experts_per_tok=2,
        moe_intermediate_size=128,
        shared_expert_intermediate_size=128,
        norm_topk_prob=False,
        decoder_sparse_step=1,
        output_router_logits=True,
        router_aux_loss_coef=0.01,
        **common,
    )
    return Qwen2MoeForCausalLM(config)


def schedule(phases: Sequence[Phase]) -> Iterator[tuple[Phase, float]]:
    """The phase and the learning rate of every step."""
    for number, phase in enumerate(phases):
        high, low = phase.rate
        for step in range(phase.steps):
            rate = low + (high - low) * (1 + math.cos(math.pi * step / phase.steps)) / 2
            yield phase, rate * min(1.0, (step + 1) / WARM_UP) if number == 0 else rate


def row(rng: Random, tokenizer: Tokenizer, phase: Phase, pairs: list[tuple[str, str]]) -> examples.Example:
    """One training row of the phase."""
    kind = rng.random()
    if kind < phase.noise:
        return examples.repeated_noise(rng, TOKENIZER_SIZE, rng.randint(8, phase.noise_length))
    if kind < phase.noise + phase.talk:
        return examples.encode(tokenizer, examples.small_talk(rng, pairs))
    length = rng.randint(*phase.length)
    fewest, most = phase.facts
    facts = rng.randint(fewest, max(fewest, min(most, length // 40)))
    questions = rng.choice((1, rng.randint(1, max(1, length // 128))))
    return examples.document_chat(rng, tokenizer, facts, questions, length, phase.absent)


@dataclass(frozen=True)
class Batch:
    """Token ids, and float weights for the answers, for all real tokens and for filler, each (rows, time)."""

    ids: torch.Tensor
    answers: torch.Tensor
    real: torch.Tensor
    filler: torch.Tensor


def batch(rng: Random, tokenizer: Tokenizer, phase: Phase, pairs: list[tuple[str, str]]) -> Batch:
    """The rows of one step, padded to the longest."""
    rows = [row(rng, tokenizer, phase, pairs) for _ in range(phase.rows)]
    longest = max(len(r.ids) for r in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    answers, real, filler = (torch.zeros(len(rows), longest) for _ in range(3))
    for i, r in enumerate(rows):
        time = len(r.ids)
        ids[i, :time] = torch.tensor(r.ids)
        extra = torch.tensor(r.decides, dtype=torch.float32) * (phase.decision - 1)
        answers[i, :time] = torch.tensor(r.is_answer, dtype=torch.float32) + extra
        real[i, :time] = 1
        filler[i, :time] = torch.tensor(r.is_filler, dtype=torch.float32)
    return Batch(ids, answers, real, filler)


def log_uniform(rng: Random, low: float, high: float) -> float:
    """A number between two positive ones, uniform in its logarithm."""
    return low * (high / low) ** rng.random()


def scale_attention(model: PreTrainedModel, factor: float) -> None:
    """Multiplies every attention logit of `model` by `factor` from now on, instead of the last one."""
    for layer in model.model.layers:
        layer.self_attn.scaling = layer.self_attn.head_dim**-0.5 * factor


def stretched_layout(rng: Random, model: PreTrainedModel, rows: Batch, stretch: float) -> Layout:
    """Places for the rows' tokens as if their documents made them `stretch` times as long."""
    missing = round((stretch - 1) * TRAINED_LENGTH)
    places = [skip(rng, filler.bool().tolist(), missing) for filler in rows.filler]
    frequencies = model.model.rotary_emb.inv_freq
    return layout(DualChunk(**DUAL_CHUNK), frequencies, torch.tensor(places), rows.filler, stretch)


def step_loss(model: PreTrainedModel, rows: Batch, where: Layout | None) -> tuple[torch.Tensor, float]:
    """The loss, and the share of answer tokens that are the most likely ones.

    The loss is that of the answers, a fifth of that of all tokens, and the routers' balance loss.
    """
    model.set_attn_implementation(STRETCHED if where else "sdpa")
    arrangement = {"position_ids": where.positions, "layout": where} if where else {}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(input_ids=rows.ids, use_cache=False, **arrangement)
    logits, target = out.logits[:, :-1].float(), rows.ids[:, 1:]
    nll = torch.nn.functional.cross_entropy(logits.transpose(1, 2), target, reduction="none")
    answers, real = rows.answers[:, 1:], rows.real[:, 1:]
    loss = (nll * answers).sum() / answers.sum() + 0.2 * (nll * real).sum() / real.sum()
    if getattr(out, "aux_loss", None) is not None:
        loss = loss + model.config.router_aux_loss_coef * out.aux_loss
    right = ((logits.argmax(-1) == target) * answers).sum() / answers.sum()
    return loss, right.item()


def tree_loss(model: PreTrainedModel, trees: TreeBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of the replies and a tenth of that of all tokens; (rows, time - 1) says what was wrong.

    True where a token of a reply is not the most likely one.
    """
    scale_attention(model, 1.0)
    model.set_attn_implementation("sdpa")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model.model(
            input_ids=trees.ids, position_ids=trees.positions, attention_mask=trees.mask, use_cache=False
        )
        logits = model.lm_head(hidden.last_hidden_state[:, :-1]).float()
    target, weights = trees.ids[:, 1:], trees.weights[:, 1:]
    real = ((trees.branches[:, 1:] == trees.branches[:, :-1]) & (trees.branches[:, 1:] >= 0)).float()
    nll = torch.nn.functional.cross_entropy(logits.transpose(1, 2), target, reduction="none")
    loss = (nll * weights).sum() / weights.sum() + 0.1 * (nll * real).sum() / real.sum()
    return loss, (logits.argmax(-1) != target) & (weights > 0)


def exact_replies(trees: TreeBatch, wrong: torch.Tensor) -> Iterator[tuple[str, bool]]:
    """The role of every branch, and whether each token of its reply was the most likely one."""
    for row, (roles, branches) in enumerate(zip(trees.roles, trees.branches, strict=True)):
        missed = set(branches[1:][wrong[row]].tolist())
        for number, role in enumerate(roles, 1):
            yield role, number not in missed


@dataclass
class Tally:
    """Running shares of exact replies by role, each over about the last few hundred."""

    shares: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    fading: float = 0.995

    def add(self, role: str, exact: bool) -> None:
        self.shares[role] = self.fading * self.shares[role] + (1 - self.fading) * exact

    def __str__(self) -> str:
        return "  ".join(f"{role} {share:.3f}" for role, share in sorted(self.shares.items()))


def optimiser_of(model: PreTrainedModel) -> torch.optim.Optimizer:
    """AdamW that decays the matrices only."""
    decay = [p for p in model.parameters() if p.ndim >= 2]
    rest = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=PHASES[0].rate[0], betas=(0.9, 0.98))


def train(
    model: PreTrainedModel,
    phases: Sequence[Phase],
    seed: int,
    tokenizer: Tokenizer,
    on_step: Callable[[int, float, float, Tally], None],
) -> None:
    """Trains `model`; `on_step` gets (step, loss, share of answer tokens right, replies) after each."""
    moe = model.config.model_type == "qwen2_moe"
    pairs = examples.talk_pairs(moe, parameters=sum(p.numel() for p in model.parameters()))
    optimiser, tally = optimiser_of(model), Tally()
    rng = Random(seed)
    for step, (phase, rate) in enumerate(schedule(phases), 1):
        for group in optimiser.param_groups:
            group["lr"] = rate
        seeds = Random(rng.randrange(TRAINING_SEEDS))
        rows = batch(seeds, tokenizer, phase, pairs)
        stretch = log_uniform(seeds, 1.0, phase.stretch)
        where = stretched_layout(seeds, model, rows, stretch) if phase.stretch > 1 else None
        scale_attention(model, log_uniform(seeds, *phase.sharpness) * length_factor(stretch))
        optimiser.zero_grad()
        loss, right = step_loss(model, rows, where)
        loss.backward()
        if phase.trees:
            trees = collate(write_trees(seeds, tokenizer, phase.trees, phase.size))
            more, wrong = tree_loss(model, trees)
            (TREES_WEIGH * more).backward()
            for role, exact in exact_replies(trees, wrong):
                tally.add(role, exact)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        on_step(step, loss.item(), right, tally)


def write_checkpoint(model: PreTrainedModel, tokenizer: Tokenizer, folder: Path) -> None:
    """A Hugging Face folder in bfloat16 with tokenizer, chat template and generation settings."""
    folder.mkdir(parents=True, exist_ok=True)
    rounded = copy.deepcopy(model)
    torch.nn.Module.to(rounded, torch.bfloat16)
    rounded.save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    template = Path(__file__).with_name("chat_template.jinja").read_text().rstrip("\n")
    settings = {
        "tokenizer_class": "Qwen2Tokenizer",
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": model.config.max_position_embeddings,
        "chat_template": template,
    }
    generation = {
        "eos_token_id": [TOKENIZER_SIZE - 1, TOKENIZER_SIZE - 3],
        "pad_token_id": TOKENIZER_SIZE - 3,
        "do_sample": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")


def progress(steps: int) -> Callable[[int, float, float, Tally], None]:
    """Prints a line every 50 steps, with the time that is left."""
    start, shown = time.monotonic(), 0.0

    def on_step(step: int, loss: float, right: float, tally: Tally) -> None:
        nonlocal shown
        shown = 0.95 * shown + 0.05 * right
        if step % 50 == 0 or step == steps:
            spent = (time.monotonic() - start) / 60
            print(
                f"step {step}/{steps}  loss {loss:.3f}  answer tokens right {shown:.3f}"
                f"  {spent:.1f} min, {spent / step * (steps - step):.1f} left  {tally}",
                flush=True,
            )

    return on_step


def read_checkpoint(folder: Path) -> PreTrainedModel:
    """The dense model of `folder` in float32: a folder this script wrote, or a bundled one."""
    model = build(moe=False)
    left_out = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False).missing_keys
    if left_out not in ([], ["lm_head.weight"]):  # tied to the embedding
        raise ValueError(f"{folder} is not a checkpoint of this shape: it lacks {', '.join(left_out)}")
    return model


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", choices=("tiny", "tiny-moe"))
    parser.add_argument("folder", type=Path, help="Hugging Face folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--start", type=Path, help="folder of weights to teach the roles to")
    parser.add_argument("--share", type=float, default=1.0, help="share of the roles' steps to take")
    parser.add_argument("--save-every", type=int, help="write the folder after so many steps, too")
    parser.add_argument("--skip", type=int, default=0, help="phases of the roles to leave out")
    args = parser.parse_args()
    moe = args.model == "tiny-moe"
    if moe and args.start:
        parser.error("--start is for tiny, which alone learns the roles")
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    model = read_checkpoint(args.start) if args.start else build(moe)
    tokenizer = Tokenizer.from_file(str(args.start / "tokenizer.json")) if args.start else None
    tokenizer = tokenizer or train_tokenizer(TOKENIZER_SIZE)
    roles = [replace(phase, steps=round(phase.steps * args.share)) for phase in ROLES]
    roles = roles[args.skip :]
    phases = roles if args.start else PHASES if moe else [*PHASES, *roles]
    show = progress(sum(phase.steps for phase in phases))

    def on_step(step: int, loss: float, right: float, tally: Tally) -> None:
        show(step, loss, right, tally)
        if args.save_every and step % args.save_every == 0:
            write_checkpoint(model, tokenizer, args.folder)

    train(model, phases, args.seed, tokenizer, on_step)
    write_checkpoint(model, tokenizer, args.folder)


if __name__ == "__main__":
    main()
