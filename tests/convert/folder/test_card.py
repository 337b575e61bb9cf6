"""The card of a written folder tells the hub and a reader what it is, and nothing a stranger slipped in."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from convert.folder.card import METHODS, Card, card_text, escaped, measured_section, write_card
from convert.folder.origin import Origin
from convert.folder.report import Measured, read_report
from convert.folder.summary import Summary, summary_of
from quant.format import MICROSCALING, Format
from quant.recipe import METHODS as QUANTISERS
from qwen2_mlx.errors import Qwen2Error
from tests import checkpoints
from tests.convert.folder.folders import write_mlx_folder

COMMAND = ("qwen2-convert", "--hf-path", "Qwen/Qwen2-tiny", "--mlx-path", "tiny-4bit", "-q")
ORIGIN = Origin("Qwen/Qwen2-tiny", {"license": ["apache-2.0"], "language": ["en"]})
SUMMARY = Summary(
    "qwen2", "bfloat16", {"bits": 4, "group_size": 64, "mode": "affine"}, 2_500_000, 4_000_000, False
)


def header(text: str) -> dict[str, Any]:
    assert text.startswith("---\n")
    return yaml.safe_load(text[4 : text.index("\n---\n")])


def test_the_header_is_what_the_hub_sorts_by(tmp_path: Path) -> None:
    write_mlx_folder(tmp_path / "m", formats=Format(4, 32))
    write_card(tmp_path / "m", Card("tiny-4bit", COMMAND, "fit", ORIGIN))
    assert header((tmp_path / "m" / "README.md").read_text()) == {
        "library_name": "mlx",
        "pipeline_tag": "text-generation",
        "license": "apache-2.0",
        "language": ["en"],
        "base_model": "Qwen/Qwen2-tiny",
        "base_model_relation": "quantized",
        "tags": ["mlx", "qwen2", "4-bit"],
    }


def test_the_numbers_are_those_of_the_folder(tmp_path: Path) -> None:
    tensors = write_mlx_folder(tmp_path / "m", formats=Format(8, 32), dtype="bfloat16")
    summary = summary_of(tmp_path / "m")
    assert summary.weight_bytes == sum(tensor.nbytes for tensor in tensors.values())
    assert summary.parameters == sum(t.size for t in write_mlx_folder(tmp_path / "f", formats=None).values())
    text = card_text(summary, Card("m", COMMAND, "fit"))
    assert f"| {summary.bits_per_weight:.2f} |" in text
    assert "8 bits in groups of 32, the rest bfloat16" in text


def test_a_float_folder_claims_no_quantisation() -> None:
    plain = Summary("qwen2", "bfloat16", {}, 8_000_000, 4_000_000, False)
    text = card_text(plain, Card("m", COMMAND, None, ORIGIN))
    assert "base_model_relation" not in header(text)
    assert header(text)["tags"] == ["mlx", "qwen2"]
    assert "Method" not in text


def test_nothing_is_made_up_where_nothing_is_known() -> None:
    text = card_text(SUMMARY, Card("m", COMMAND, "fit"))
    assert not {"license", "language", "base_model", "base_model_relation"} & header(text).keys()
    assert "Measured" not in text


def test_the_command_can_be_pasted_into_a_shell() -> None:
    command = ("qwen2-convert", "--hf-path", "/Models/it's `mine` $HOME", "--mlx-path", "a\n```\nb", "-q")
    text = card_text(SUMMARY, Card("m", command, "fit"))
    block = text[text.index("## How it was made") :]
    fence = re.search(r"^(`+)bash$", block, re.MULTILINE)
    assert fence
    shown = block[fence.end() + 1 : block.index(f"\n{fence[1]}\n", fence.end())]
    assert tuple(shlex.split(shown)) == command


def agreement(kl: float) -> dict[str, Any]:
    """What a report says of some text."""
    return {
        "tokens": 9,
        "kl": kl,
        "kl_99": 1.0,
        "perplexity": 2.8,
        "reference_perplexity": 2.7,
        "top_1": 0.972,
    }


def write_report(path: Path, *names: str) -> Path:
    candidates = [
        {"name": name, "bytes": 5, **agreement(0.5), "kinds": {"en|glish": agreement(0.00377)}}
        for name in names
    ]
    path.write_text(json.dumps({"reference": {"name": "r"}, "candidates": candidates}))
    return path


def test_measured_numbers_are_shown_by_kind_of_text(tmp_path: Path) -> None:
    report = write_report(tmp_path / "report.json", "models/one", "models/two")
    measured = read_report(report, "two")
    assert measured == [Measured("all", 0.5, 2.8, 0.972), Measured("en|glish", 0.00377, 2.8, 0.972)]
    text = measured_section(measured)
    assert "| en\\|glish | 0.00377 | 2.8 | 97.2 % |" in text


def test_a_report_on_one_candidate_fits_whatever_it_was_called(tmp_path: Path) -> None:
    assert len(read_report(write_report(tmp_path / "report.json", "elsewhere"), "m")) == 2


def test_a_report_on_other_candidates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Qwen2Error, match="has 0 candidates called m"):
        read_report(write_report(tmp_path / "report.json", "a", "b"), "m")
    with pytest.raises(Qwen2Error, match="has 2 candidates called m"):
        read_report(write_report(tmp_path / "report.json", "a/m", "b/m"), "m")


@pytest.mark.parametrize(
    "content",
    ["{}", "[1]", "nonsense", "[" * 100_000, '{"candidates": 1}', '{"candidates": [1]}', '{"candidates": []}',
     '{"candidates": [{"name": "m"}]}', '{"candidates": [{"name": "m", "kinds": {}}]}',
     '{"candidates": [{"name": "m", "kinds": {}, "kl": NaN, "perplexity": 1, "top_1": 1}]}',
     '{"candidates": [{"name": "m", "kinds": {"a": 1}, "kl": 1, "perplexity": 1, "top_1": 1}]}',
     '{"candidates": [{"name": "m", "kinds": {}, "kl": true, "perplexity": 1, "top_1": 1}]}'],
)  # fmt: skip
def test_a_file_that_is_no_report_is_one_clear_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(Qwen2Error, match=r"report\.json"):
        read_report(tmp_path / "report.json", "m")


@pytest.mark.parametrize(
    "hostile",
    [
        "<img src=x onerror=alert(1)>",
        "[click](https://evil.example)",
        "a\n---\nevil: true\n",
        "a\n\n# Heading",
        "| a | b |",
        "\u202egnp.exe\u200b\x1b[31m",
        "`code` ``` fence",
        "&lt;script&gt;",
        "\ud800",
    ],
)
def test_a_hostile_name_is_only_text(hostile: str) -> None:
    text = card_text(SUMMARY, Card(hostile, COMMAND, hostile, ORIGIN))
    text += measured_section([Measured(hostile, 1.0, 1.0, 1.0)])
    outside_code = re.sub(r"^(`{3,})bash\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert header(text).keys() <= {
        "library_name", "pipeline_tag", "license", "language", "base_model", "base_model_relation", "tags",
    }  # fmt: skip
    assert not re.search(r"(?<!\\)<|(?<!\\)&|\]\((?!https://huggingface\.co/Qwen/Qwen2-tiny\))", outside_code)
    assert len(re.findall("^#+ ", outside_code, re.MULTILINE)) == 4
    assert not re.search("[\u202e\u200b\x1b\ud800]", text)
    assert text.encode()


def test_escaping_leaves_usual_names_as_they_are() -> None:
    assert escaped("Qwen2-0.5B-Instruct-4bit") == "Qwen2-0.5B-Instruct-4bit"


def test_every_method_is_explained() -> None:
    assert METHODS.keys() == {*QUANTISERS, *MICROSCALING, "kept"}


def test_a_folder_with_permuted_matrices_does_not_point_to_mlx_lm() -> None:
    permuted = Summary("qwen2", "float16", SUMMARY.quantization, 1, 1, True)
    assert "mlx_lm.chat" in card_text(SUMMARY, Card("m", COMMAND, "kept"))
    assert "mlx_lm.chat" not in card_text(permuted, Card("m", COMMAND, "kept"))


def test_a_dequantised_folder_is_one_for_transformers() -> None:
    plain = Summary("qwen2_moe", "bfloat16", {}, 8_000_000, 4_000_000, False)
    text = card_text(plain, Card("m", COMMAND, library="transformers"))
    assert header(text)["library_name"] == "transformers"
    assert header(text)["tags"] == ["qwen2_moe"]
    assert "from transformers import pipeline" in text


def test_the_card_is_read_by_the_hubs_own_library() -> None:
    hub = pytest.importorskip("huggingface_hub")
    data = hub.ModelCard(card_text(SUMMARY, Card("m", COMMAND, "fit", ORIGIN))).data
    assert (data.library_name, data.base_model, data.language) == ("mlx", "Qwen/Qwen2-tiny", ["en"])
    assert checkpoints.DENSE["model_type"] in data.tags
