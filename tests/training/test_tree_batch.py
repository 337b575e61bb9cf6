"""What a model computes for a branch of a tree is what it computes for that chat alone."""

from pathlib import Path
from random import Random

import pytest
from tokenizers import Tokenizer

from qwen2_mlx.resolve import resolve
from training.roles import answer_tree, window_tree

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


def test_branches_do_not_see_one_another() -> None:
    from training.train import read_checkpoint
    from training.tree_batch import collate

    tokenizer = Tokenizer.from_file(str(resolve("tiny") / "tokenizer.json"))
    model = read_checkpoint(Path(resolve("tiny")))
    trees = [window_tree(Random(1), tokenizer), answer_tree(Random(2), tokenizer)]
    batch = collate(trees)
    with torch.no_grad():
        together = model(
            input_ids=batch.ids, position_ids=batch.positions, attention_mask=batch.mask, use_cache=False
        ).logits
        for row, tree in enumerate(trees):
            for number in range(1, len(tree.roles) + 1):
                places = [i for i, branch in enumerate(tree.branches) if branch in (0, number)]
                chat = torch.tensor([[tree.ids[i] for i in places]])
                alone = model(input_ids=chat, use_cache=False).logits[0]
                assert (together[row, places] - alone).abs().max() < 1e-3
