"""`qwen2-bench plan` calculates with the published sizes and loads nothing."""

import json
from typing import Any

import pytest

from app.bench.sizes import OFFICIAL
from tests.app.programs import Run

BENCH = "qwen2-bench"
PLAN = (BENCH, "plan", "--device", "metal", "--memory-limit", "64GB")

#: Bytes of a token's keys and values in 16 bits: design figures of the family, in KiB.
KIB_A_TOKEN = {"0.5b": 12, "1.5b": 28, "7b": 56, "57b-a14b": 56, "72b": 320}

#: Parameters of the models, as published.
PARAMETERS = {
    "0.5b": 494_032_768,
    "1.5b": 1_543_714_304,
    "7b": 7_615_616_512,
    "57b-a14b": 57_408_658_944,
    "72b": 72_706_203_648,
}


def planned(run: Run, *flags: Any) -> dict[str, Any]:
    outcome = run(*PLAN, "--json", *flags)
    assert outcome.code in (0, 1), outcome
    return json.loads(outcome.out)


@pytest.mark.parametrize("name", OFFICIAL)
def test_caches_of_the_official_sizes_are_the_published_ones(run: Run, name: str) -> None:
    plan = next(
        p for p in planned(run, "-m", name)["plans"] if p["context"] == 131072 and p["kv_bits"] == "model's"
    )
    assert plan["cache"] == pytest.approx(131072 * KIB_A_TOKEN[name] * 1024, rel=0.005)
    assert plan["total"] == plan["weights"] + plan["cache"] + plan["workspace"]


@pytest.mark.parametrize("name", OFFICIAL)
def test_weights_in_16_bits_are_two_bytes_a_parameter(run: Run, name: str) -> None:
    plan = planned(run, "-m", name, "--q-bits", "16", "--context", "4096")["plans"][0]
    assert plan["weights"] == pytest.approx(2 * PARAMETERS[name], rel=0.002)


def test_fewer_bits_allow_longer_texts(run: Run) -> None:
    longest = planned(run, "-m", "72b")["longest"]
    assert 32768 < longest["model's"] < longest["8"] < longest["8/4"]


def test_a_context_that_does_not_fit_gives_exit_code_1_and_the_longest_that_does(run: Run) -> None:
    outcome = run(*PLAN, "-m", "72b", "--context", "1000000")
    assert outcome.code == 1
    assert "no" in outcome.out.split()
    assert "longest that fits" in outcome.out


def test_the_table_is_for_people_and_says_that_it_is_calculated(run: Run) -> None:
    out = run(*PLAN, "-m", "7b").out
    assert "calculated" in out
    assert "131,072" in out


def test_a_folder_is_planned_without_reading_its_weights(run: Run) -> None:
    plan = planned(run, "-m", "tiny", "--context", "6144")["plans"][0]
    assert plan["weights"] < 4_000_000


def test_a_model_that_is_nothing_is_one_line(run: Run) -> None:
    run(BENCH, "plan", "-m", "nothing-here").assert_one_line(1, "there is no model")
