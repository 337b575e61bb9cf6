"""Whole models compared: against their logits in float64, and across interruptions."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from quant.format import Format
from quant.report import divergence
from quant.report.compare import Comparison
from quant.report.shelf import Shelf
from quant.report.summary import agreement, by_kind, layer_errors
from qwen2_mlx.errors import Qwen2Error
from tests import checkpoints
from tests.quant.report import samples

FOUR_BITS = Format(4, 32)


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return samples.original(tmp_path / "original")


@pytest.fixture
def candidate(tmp_path: Path, reference: Path) -> Path:
    return samples.quantised(reference, tmp_path / "four-bits", FOUR_BITS)


def comparison(reference: Path, candidates: list[Path], shelf: Path, count: int = 3) -> Comparison:
    subjects = [samples.subject(folder) for folder in candidates]
    return Comparison(samples.subject(reference), subjects, samples.windows(count), Shelf(shelf))


def test_the_divergence_is_that_of_the_models_logits(
    tmp_path: Path, reference: Path, candidate: Path
) -> None:
    work = comparison(reference, [candidate], tmp_path / "shelf")
    work.run(samples.Counter())
    for window, found in work.results(work.candidates[0]):
        p, q = (samples.logits(folder, window.tokens)[:-1] for folder in (reference, candidate))
        known = slice(0, 260)  # rows of the tokenizer's tokens; the padding is forbidden
        p, q = (x[:, known] - np.logaddexp.reduce(x[:, known], -1)[:, None] for x in (p, q))
        np.testing.assert_allclose(found["kl"], (np.exp(p) * (p - q)).sum(-1), rtol=5e-3, atol=1e-9)
        targets = np.array(window.tokens[1:])
        np.testing.assert_allclose(found["losses"], -q[np.arange(len(q)), targets], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found["expected"], -p[np.arange(len(p)), targets], rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(found["agrees"], p.argmax(-1) == q.argmax(-1))
        assert found["kl"].mean() > 1e-4


def test_a_model_does_not_diverge_from_itself(tmp_path: Path, reference: Path) -> None:
    work = comparison(reference, [reference], tmp_path / "shelf")
    work.run(samples.Counter())
    found = [arrays for _, arrays in work.results(work.candidates[0])]
    assert agreement(found).kl == 0
    assert agreement(found).top_1 == 1
    assert agreement(found).perplexity == agreement(found).reference_perplexity
    assert all(layer.error == 0 for layer in layer_errors(found))


@pytest.mark.parametrize("results", [0, 1, 3, 4, 5])
def test_an_interrupted_comparison_resumes_with_the_same_result(
    tmp_path: Path, reference: Path, candidate: Path, results: int
) -> None:
    straight = comparison(reference, [candidate], tmp_path / "straight")
    straight.run(samples.Counter())
    with pytest.raises(KeyboardInterrupt):
        comparison(reference, [candidate], tmp_path / "shelf").run(samples.Counter(most=results))
    again, counter = comparison(reference, [candidate], tmp_path / "shelf"), samples.Counter()
    again.run(counter)
    assert counter.finished == 6 - results
    for (_, one), (_, other) in zip(
        straight.results(straight.candidates[0]), again.results(again.candidates[0]), strict=True
    ):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_a_second_comparison_does_not_read_the_reference_again(
    tmp_path: Path, reference: Path, candidate: Path
) -> None:
    comparison(reference, [candidate], tmp_path / "shelf").run(samples.Counter())
    eight = samples.quantised(reference, tmp_path / "eight-bits", Format(8, 32))
    counter = samples.Counter()
    comparison(reference, [candidate, eight], tmp_path / "shelf").run(counter)
    assert counter.started == [f"eight-bits, {kind}" for kind in ("prose", "code", "prose")]


def test_new_texts_alone_are_read(tmp_path: Path, reference: Path, candidate: Path) -> None:
    comparison(reference, [candidate], tmp_path / "shelf", 2).run(samples.Counter())
    counter = samples.Counter()
    comparison(reference, [candidate], tmp_path / "shelf", 3).run(counter)
    assert counter.started == ["original, prose", "four-bits, prose"]


def test_damaged_results_are_made_again(tmp_path: Path, reference: Path, candidate: Path) -> None:
    work = comparison(reference, [candidate], tmp_path / "shelf")
    work.run(samples.Counter())
    for path in (tmp_path / "shelf").rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(Qwen2Error, match="run the command again"):
        work.results(work.candidates[0])
    counter = samples.Counter()
    work.run(counter)
    assert counter.finished == 6
    assert len(work.results(work.candidates[0])) == 3


def test_a_large_vocabulary_gives_a_lower_bound(
    tmp_path: Path, reference: Path, candidate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(shelf: str) -> list[dict[str, np.ndarray]]:
        work = comparison(reference, [candidate, reference], tmp_path / shelf)
        work.run(samples.Counter())
        return [arrays for subject in work.candidates for _, arrays in work.results(subject)]

    exact = measured("exact")
    monkeypatch.setattr(divergence, "EXACT_VOCABULARY", 100)
    monkeypatch.setattr(divergence, "KEPT_TOKENS", 30)
    bounds = measured("bounds")
    for whole, bound in zip(exact, bounds, strict=True):
        assert (bound["kl"] <= whole["kl"] * (1 + 1e-3)).all()
        np.testing.assert_array_equal(bound["losses"], whole["losses"])
    assert 0.3 * exact[0]["kl"].mean() < bounds[0]["kl"].mean() < exact[0]["kl"].mean()
    assert all((bound["kl"] == 0).all() for bound in bounds[3:])


def test_the_layer_with_broken_weights_adds_most(tmp_path: Path, reference: Path) -> None:
    broken = samples.original(tmp_path / "broken")
    tensors = load_file(broken / "model.safetensors")
    tensors["model.layers.1.mlp.down_proj.weight"] *= 1.5
    save_file(tensors, broken / "model.safetensors")
    work = comparison(reference, [broken], tmp_path / "shelf")
    work.run(samples.Counter())
    first, second, third = layer_errors([arrays for _, arrays in work.results(work.candidates[0])])
    assert first.error == 0
    assert second.added == max(layer.added for layer in (first, second, third)) > 0


def test_kinds_weigh_by_their_tokens(tmp_path: Path, reference: Path, candidate: Path) -> None:
    work = comparison(reference, [candidate], tmp_path / "shelf")
    work.run(samples.Counter())
    rows = work.results(work.candidates[0])
    kinds, overall = by_kind(rows), agreement([arrays for _, arrays in rows])
    assert list(kinds) == ["prose", "code"]
    assert sum(kind.tokens for kind in kinds.values()) == overall.tokens
    mean = sum(kind.tokens * kind.kl for kind in kinds.values()) / overall.tokens
    assert overall.kl == pytest.approx(mean)


def test_another_vocabulary_is_refused_before_anything_is_read(tmp_path: Path, reference: Path) -> None:
    other = samples.original(tmp_path / "other", {**samples.CONFIG, "vocab_size": 300})
    with pytest.raises(Qwen2Error, match="vocab_size 300"):
        comparison(reference, [other], tmp_path / "shelf")


def test_another_tokenizer_is_refused_before_anything_is_read(tmp_path: Path, reference: Path) -> None:
    other = samples.original(tmp_path / "other")
    path = other / "tokenizer.json"
    text = path.read_text(encoding="utf-8")
    a, b = text.index('"a":'), text.index('"b":')
    assert a < b
    path.write_text(
        text.replace('"a":', '"?":').replace('"b":', '"a":').replace('"?":', '"b":'), encoding="utf-8"
    )
    with pytest.raises(Qwen2Error, match="different tokenizers"):
        comparison(reference, [other], tmp_path / "shelf")


def test_numbers_that_are_none_are_an_error_of_the_model_that_computed_them(
    tmp_path: Path, reference: Path
) -> None:
    broken = samples.original(tmp_path / "broken")

    def spoil(tensors: dict[str, np.ndarray]) -> None:
        tensors["model.norm.weight"][3] = np.nan

    checkpoints.edit_tensors(broken, spoil)
    for pair in ((reference, broken), (broken, reference)):
        with pytest.raises(Qwen2Error, match=r"^broken does not compute finite numbers"):
            comparison(pair[0], [pair[1]], tmp_path / "shelf").run(samples.Counter())
