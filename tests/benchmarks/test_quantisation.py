"""The study of quantisers, on a few windows: what the page promises holds."""

from functools import partial

import pytest

from app.quant import texts
from benchmarks import quantisation
from benchmarks.quantisation import Row, Study, markdown, picture
from quant.format import Format


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr(quantisation, "_WINDOWS", 3)
    monkeypatch.setattr(texts, "chronicles", partial(texts.chronicles, count=3))
    monkeypatch.setattr(quantisation, "calibration_windows", lambda *_: [])
    return Study("tiny")


@pytest.mark.parametrize(("bits", "most"), [(8, 0.5), (4, 0.8)])
def test_fit_costs_less_than_mlx_lms_codes_in_the_same_bytes(study: Study, bits: int, most: float) -> None:
    formats = study.policy(Format(bits, 64))
    plain, fitted = (study.row(method, str(bits), formats, method) for method in ("round", "fit"))
    assert plain.size == fitted.size
    assert fitted.kl <= most * plain.kl


def test_the_formats_of_mlx_lm_are_its_own(study: Study) -> None:
    everything, mixed = study.everything(Format(4, 64)), study.mixed("mixed_2_6")
    assert set(everything.values()) == {Format(4, 64)}
    assert set(mixed.values()) == {Format(2, 64), Format(6, 64)}
    assert mixed["model.layers.3.mlp.down_proj"] == Format(6, 64)


def test_weights_that_are_not_quantised_diverge_by_nothing(study: Study) -> None:
    row = study.row("none", "16", dict.fromkeys(study.matrices), "fit")
    assert row.kl == 0
    assert row.bits_per_weight == 16


def test_tables_and_picture_show_every_row() -> None:
    rows = [
        Row(method, bits, 1000 + 10 * number, 4.5 + number, 0.5 / (number + 1), 1.0, 0.9)
        for number, (method, bits) in enumerate(
            [("mlx-lm", "4"), ("fit", "4"), ("fit", "8"), ("mxfp4", "4")]
            + [
                (method, recipe)
                for recipe in quantisation.QUANT_RECIPES
                for method in ("mlx-lm", "allocated, fit", "allocated, gptq")
            ]
        )
    ]
    table = markdown(rows)
    assert all(f"{row.kl:.2e}" in table for row in rows)
    drawn = picture("tiny", rows)
    assert drawn.count("<circle") == len(rows)
    assert all(name in drawn for name in ("mxfp4", "mlx-lm mixed", "allocated, gptq"))
