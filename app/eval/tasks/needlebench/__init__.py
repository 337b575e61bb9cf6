"""NeedleBench (arXiv 2407.11963) in the form of its first version, with facts and haystacks of our own.

    Single(lengths, depths, repeats, seed, languages=("en", "zh"), guide=True)
    MultiRetrieval(lengths, depths, repeats, seed, languages=("en", "zh"), guide=True)
    MultiReasoning(lengths, depths, repeats, seed, languages=("en", "zh"), guide=True, facts=(2, 3, 4, 5))
    Ancestors(repeats, seed, facts=(2, 4, ..., 512), languages=("en", "zh"))

The first three make `overall`. The published lengths for 128K are 16K, 32K ... 128K, with 11
depths from 0 to 100 and 10 repeats. `Ancestors` is the dense variant and counts by itself.

How ours differs: haystack, facts and questions are generated, with invented names, instead of
essays, finance texts and a fixed list of needles, so nothing can be known by heart; lengths are
in the model's own tokens and hold the whole prompt, without a buffer; the prompt is the one of
qwen2-ask; needles stand at sentence boundaries, not within a sentence.
"""

from collections.abc import Mapping

from app.eval.tasks.needlebench.ancestors import Ancestors
from app.eval.tasks.needlebench.reasoning import MultiReasoning
from app.eval.tasks.needlebench.retrieval import MultiRetrieval
from app.eval.tasks.needlebench.single import Single

__all__ = ["WEIGHTS", "Ancestors", "MultiReasoning", "MultiRetrieval", "Single", "overall"]

#: What each task counts in the overall score of the first version. The second has thirds.
WEIGHTS = {
    "needlebench/single": 0.4,
    "needlebench/multi-retrieval": 0.3,
    "needlebench/multi-reasoning": 0.3,
}


def overall(means: Mapping[str, float]) -> float:
    """The overall score, 0 to 100, from the mean of each task by its name."""
    return sum(weight * means[name] for name, weight in WEIGHTS.items())
