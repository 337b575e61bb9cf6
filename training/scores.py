"""How a checkpoint does in every role, on documents that training never draws.

    python -m training.scores FOLDER [--trees 200] [--windows 300]

A reply counts when each of its tokens is the most likely one, that is when greedy decoding would
write exactly it. Relevance is also measured as the agent uses it: windows in which near misses
stand are ranked by the difference of the logits of yes and no, and the one that holds the
answer should come first.
"""

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from app.ask import prompts
from app.ask.not_found import says_not_found
from app.eval.chronicle import TRAINING_SEEDS, Fact, filler_sentence, invent_name, weave
from training.roles import write_trees
from training.train import exact_replies, read_checkpoint, tree_loss
from training.tree_batch import TreeBatch, collate
from training.trees import Ask, grow
from training.worlds import ask, fact_about, similar_name

#: A question for one relation of a person who is named, not described.
_LOOKUP = re.compile(
    r"Which .* does the text give|(?!.* of the )\w+ .*\bthe [a-z ]+ of [A-Z]\w+ [A-Z]\w+[?.]"
)

_BATCH = 10  # trees
_WINDOW = 16  # sentences of filler
_QUESTIONS = 16  # ranked at once


def kind_of(reply: str) -> str:
    """What sort of reply is asked for: nothing found, one sentence, or several."""
    if reply in ("no", prompts.NO_QUOTE, prompts.NOTHING_MORE) or '"none"' in reply or says_not_found(reply):
        return "absent"
    sentences = reply.count(" is ")
    return "several" if sentences > 1 else "present"


def replies(
    model: PreTrainedModel, tokenizer: Tokenizer, trees: int, seed: int
) -> dict[tuple[str, str], Counter]:
    """For each role and kind of reply: how many were asked for ("all") and how many were exact ("exact")."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for number in range(trees // _BATCH):
        rng = Random(TRAINING_SEEDS + seed * 100_000 + number)
        batch = collate(write_trees(rng, tokenizer, _BATCH))
        with torch.no_grad():
            _, wrong = tree_loss(model, batch)
        exact = exact_replies(batch, wrong)
        for (role, right), (prompt, reply) in zip(exact, _texts(tokenizer, batch), strict=True):
            counts[role, kind_of(reply)].update(all=1, exact=int(right))
            if role in ("answer", "whole") and _LOOKUP.match(prompt):
                counts[f"{role}: lookups", kind_of(reply)].update(all=1, exact=int(right))
    return counts


def _texts(tokenizer: Tokenizer, batch: TreeBatch) -> Iterator[tuple[str, str]]:
    """What every branch begins with, and its right reply."""
    for ids, branches, weights, roles in zip(
        batch.ids, batch.branches, batch.weights, batch.roles, strict=True
    ):
        for number in range(1, len(roles) + 1):
            mine = branches == number
            asked, reply = ids[mine & (weights == 0)], ids[mine & (weights > 0)]
            yield tokenizer.decode(asked.tolist()), tokenizer.decode(reply.tolist())


def ranks(model: PreTrainedModel, tokenizer: Tokenizer, windows: int, seed: int) -> list[int]:
    """The place, from 1, of the right one among `windows` windows for each of several questions.

    Each question has three near misses somewhere: half of the name, or another relation of the person.
    """
    rng = Random(TRAINING_SEEDS + seed * 100_000 + 99_999)
    facts = [fact_about(rng, invent_name(rng)) for _ in range(_QUESTIONS)]
    contents: list[list[Fact]] = [[] for _ in range(windows)]
    homes = rng.sample(range(windows), _QUESTIONS)
    for fact, home in zip(facts, homes, strict=True):
        contents[home].append(fact)
        for near in (fact.name, similar_name(rng, fact.name), similar_name(rng, fact.name)):
            other = fact_about(rng, near, None if near == fact.name else fact.relation)
            if (other.name, other.relation) != (fact.name, fact.relation):
                rng.choice(contents).append(other)
    questions = [ask(rng, [fact], rng.choice(("lookup", "lookup", "list")), 1.0).text for fact in facts]
    scores = torch.stack([_yes_over_no(model, tokenizer, rng, held, questions) for held in contents])
    return [int((scores[:, i] > scores[home, i]).sum()) + 1 for i, home in enumerate(homes)]


def _yes_over_no(
    model: PreTrainedModel, tokenizer: Tokenizer, rng: Random, facts: Sequence[Fact], questions: Sequence[str]
) -> torch.Tensor:
    """The difference of the logits of yes and no for each question about a window that states `facts`."""
    window = weave(
        rng, [fact.sentence(rng) for fact in facts], [filler_sentence(rng) for _ in range(_WINDOW)]
    )
    asks = [Ask("relevance", prompts.relevance(window, question), "no") for question in questions]
    batch = collate([grow(tokenizer, asks)])
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(
            input_ids=batch.ids,
            position_ids=batch.positions,
            attention_mask=batch.mask,
            use_cache=False,
        ).logits[0]
    weights, branches = batch.weights[0], batch.branches[0]
    first = [int(((branches == n) & (weights > 0)).nonzero()[0]) for n in range(1, len(asks) + 1)]
    yes, no = (tokenizer.encode(word).ids[0] for word in ("yes", "no"))
    decided = logits[torch.tensor(first) - 1].float()
    return decided[:, yes] - decided[:, no]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="Hugging Face folder, or a bundled model's")
    parser.add_argument(
        "--trees", type=int, default=200, help="documents and rows of questions, in whole tens"
    )
    parser.add_argument("--windows", type=int, default=300, help="windows to rank; 0 for none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = read_checkpoint(args.folder).eval()
    tokenizer = Tokenizer.from_file(str(args.folder / "tokenizer.json"))
    for (role, kind), count in sorted(replies(model, tokenizer, args.trees, args.seed).items()):
        print(
            f"{role:16} {kind:8} {count['exact']:5} of {count['all']:5}  {count['exact'] / count['all']:.1%}"
        )
    if args.windows:
        print("ranks", sorted(ranks(model, tokenizer, args.windows, args.seed)))


if __name__ == "__main__":
    main()
