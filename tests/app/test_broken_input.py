"""A broken checkpoint costs one clear line and exit code 1, never a traceback.

Each case takes a complete checkpoint, breaks it in one place and names the words that
the line must hold: what is wrong, and what to do or what is supported.
"""

import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.app.programs import Run
from tests.checkpoints import (
    CHAT_TEMPLATE,
    DENSE,
    MOE,
    edit_json,
    edit_tensors,
    split_into_shards,
    tokenizer_json,
    write_checkpoint,
    write_json,
)

Break = Callable[[Path], object]
Cases = list[Any]

NORM = "model.norm.weight"
GATE = "model.layers.0.mlp.experts.{}.gate_proj.weight"


def case(name: str, break_it: Break, *words: str) -> Any:
    return pytest.param(break_it, words, id=name.replace(" ", "-"))


def config(**changes: Any) -> Break:
    return lambda folder: edit_json(folder / "config.json", **changes)


def generation(**changes: Any) -> Break:
    return lambda folder: edit_json(folder / "generation_config.json", **changes)


def content(name: str, text: str | bytes) -> Break:
    data = text.encode() if isinstance(text, str) else text
    return lambda folder: (folder / name).write_bytes(data)


def without(name: str) -> Break:
    return lambda folder: (folder / name).unlink()


def template(source: Any) -> Break:
    return lambda folder: edit_json(folder / "tokenizer_config.json", chat_template=source)


def tensors(edit: Callable[[dict[str, np.ndarray]], object]) -> Break:
    return lambda folder: edit_tensors(folder, edit)


def cut(name: str, keep: float) -> Break:
    def cut_short(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * keep)])

    return cut_short


def shards(edit: Callable[[Path, dict[str, str]], object]) -> Break:
    """Splits the weights in two, then lets `edit` break the shards or the index's weight_map."""

    def break_shards(folder: Path) -> None:
        weight_map = split_into_shards(folder)
        edit(folder, weight_map)
        write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": weight_map})

    return break_shards


def only_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"a": 1}))


def fewer_rows_than_tokens(folder: Path) -> None:
    write_checkpoint(folder, {**DENSE, "vocab_size": 200, "eos_token_id": 3})


def dropped(name: str) -> Break:
    return tensors(lambda held: held.pop(name))


def replaced(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Break:
    return tensors(lambda held: held.update({name: change(held[name])}))


CONFIGS: Cases = [
    case("config missing", without("config.json"), "config.json is missing"),
    case("config not JSON", content("config.json", '{"model_type": '), "config.json cannot be read"),
    case("config empty", content("config.json", ""), "config.json cannot be read"),
    case("config not UTF-8", content("config.json", b"\xff\xfe{}"), "config.json cannot be read"),
    case("config nested too deep", content("config.json", "[" * 100_000), "config.json cannot be read"),
    case("config not an object", content("config.json", "[1, 2]"), "config.json", "no JSON object"),
    case("foreign architecture", config(model_type="llama"), "'llama'", "supported: qwen2, qwen2_moe"),
    case("no architecture", config(model_type=...), "config.json", "model_type", "qwen2, qwen2_moe"),
    case("sliding window", config(use_sliding_window=True), "use_sliding_window", "full attention"),
    case("window layers no number", config(use_sliding_window=True, max_window_layers="x"),
         "use_sliding_window"),
    case("layer types no list", config(layer_types=5), "layer_types", "full_attention"),
    case("activation", config(hidden_act="gelu"), "hidden_act", "'gelu'", "'silu'"),
    case("rope type", config(rope_scaling={"type": "llama3"}), "rope type 'llama3'", "default, yarn"),
    case("rope settings no object", config(rope_scaling="yarn"), "rope_scaling", "object"),
    case("yarn without its length", config(rope_scaling={"type": "yarn", "factor": 4.0}),
         "original_max_position_embeddings", "add it"),
    case("yarn factor beyond a float", config(
        rope_scaling={"type": "yarn", "factor": 10**400, "original_max_position_embeddings": 64}), "factor"),
    case("size missing", config(hidden_size=...), "hidden_size is missing"),
    case("size zero", config(vocab_size=0), "vocab_size is 0"),
    case("size a text", config(intermediate_size="64"), "intermediate_size is '64'"),
    case("size beyond any model", config(hidden_size=2**40), "hidden_size"),
    case("a billion layers", config(num_hidden_layers=10**9), "num_hidden_layers"),
    case("heads do not divide", config(num_attention_heads=3), "hidden_size (32)", "num_attention_heads (3)"),
    case("theta one", config(rope_theta=1.0), "rope_theta"),
    case("chunks no object", config(dual_chunk_attention_config=[8192]), "dual_chunk_attention_config"),
    case("type a list", config(torch_dtype=["float32"]), "dtype"),
    case("end token a text", config(eos_token_id="<|im_end|>"), "eos_token_id", "token id"),
    case("quantisation a text", config(quantization="4bit"), "quantization", "object"),
    case("quantised by GPTQ", config(quantization_config={"quant_method": "gptq", "bits": 4}),
         "'gptq'", "only MLX quantisation is supported"),
]  # fmt: skip

WEIGHTS: Cases = [
    case("weights missing", without("model.safetensors"), "holds no weights", "*.safetensors"),
    case("weights only pickled", only_a_pickle, "holds no weights", "*.safetensors"),
    case("weights cut short", cut("model.safetensors", 0.7), "cut short", "again"),
    case("weights cut in the header", cut("model.safetensors", 0.005), "cut short", "again"),
    case("weights empty", content("model.safetensors", b""), "model.safetensors is damaged", "again"),
    case("weights garbage", content("model.safetensors", b"\x07" * 4096), "damaged"),
    case("header garbage", content("model.safetensors", struct.pack("<Q", 64) + b"?" * 64), "damaged"),
    case("header without end", content("model.safetensors", struct.pack("<Q", 2**60) + b"{}"), "damaged"),
    case("no tensor at all", content("model.safetensors", struct.pack("<Q", 2) + b"{}"), "holds no tensors"),
    case("shard missing", shards(lambda folder, _: (folder / "model-00002-of-00002.safetensors").unlink()),
         "is incomplete", "model-00002-of-00002.safetensors missing", "again"),
    case("shard outside the folder", shards(lambda _, names: names.update({NORM: "../model.safetensors"})),
         "names a file outside the folder", "../model.safetensors"),
    case("index empty", shards(lambda _, names: names.clear()), "index.json is damaged", "weight_map"),
    case("index not JSON", lambda folder: (split_into_shards(folder), content(
        "model.safetensors.index.json", "{")(folder)), "model.safetensors.index.json cannot be read"),
    case("tensor missing", dropped(NORM), "lacks tensors", NORM),
    case("tensor foreign", tensors(lambda held: held.update(extra=held[NORM].copy())), "foreign", "extra"),
    case("tensor of another shape", replaced(NORM, lambda norm: norm[:-1].copy()), NORM, "[31]", "[32]"),
    case("tensor of integers", replaced(NORM, lambda norm: norm.astype(np.int32)), NORM, "int32",
         "floating-point"),
    case("quantised without saying so", tensors(lambda held: held.update(
        {"model.layers.0.mlp.up_proj.scales": np.ones((64, 1), np.float32)})), "up_proj.scales"),
]  # fmt: skip

EXPERTS: Cases = [
    case("more experts chosen than there are", config(num_experts_per_tok=5), "num_experts_per_tok (5)"),
    case("dense layers no list", config(mlp_only_layers=5), "mlp_only_layers is 5"),
    case("a billion experts", config(num_experts=10**9), "num_experts"),
    case("fewer experts than tensors", config(num_experts=3), "foreign", GATE.format(3)),
    case("expert missing", dropped(GATE.format(2)), "lacks tensors", GATE.format(2)),
    case("expert of another shape", replaced(GATE.format(2), lambda gate: gate[:-1].copy()),
         GATE.format(2), "[31, 32]", "[32, 32]"),
    case("expert of integers", replaced(GATE.format(2), lambda gate: gate.astype(np.int8)),
         GATE.format(2), "int8"),
]  # fmt: skip

TOKENIZERS: Cases = [
    case("tokenizer missing", without("tokenizer.json"), "tokenizer.json is missing", "incomplete"),
    case("tokenizer garbage", content("tokenizer.json", b"\x00\x01\x02"), "tokenizer.json is damaged"),
    case("tokenizer cut short", cut("tokenizer.json", 0.6), "tokenizer.json is damaged"),
    case("tokenizer not UTF-8", content("tokenizer.json", b'{"a": "\xff"}'), "tokenizer.json cannot be read"),
    case("tokenizer nested too deep", content("tokenizer.json", '{"added_tokens":' + "[" * 100_000),
         "tokenizer.json is damaged"),
    case("tokenizer a list", content("tokenizer.json", "[]"), "tokenizer.json is damaged"),
    case("control token without a text", content("tokenizer.json", json.dumps(
        {**json.loads(tokenizer_json()), "added_tokens": [{"id": 1}]})), "tokenizer.json is damaged"),
    case("more tokens than rows", fewer_rows_than_tokens, "260 tokens", "200 rows"),
    case("tokenizer settings a list", content("tokenizer_config.json", "[]"), "tokenizer_config.json"),
    case("end token outside the vocabulary", config(eos_token_id=5000), "end token 5000", "264 rows"),
    case("template not UTF-8", content("chat_template.jinja", b"\xff\xfe"), "chat_template.jinja"),
    case("no template", template(...), "no chat template", "instruct model"),
    case("template syntax", template("{% for message in %}"), "chat template is damaged"),
    case("template raises", template("{{ raise_exception('only\\ntwo roles') }}"), "refuses", "only"),
    case("template divides by zero", template("{{ 1 // (messages | length - 1) }}"), "chat template"),
    case("template calls itself", template("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
         "chat template"),
    case("template too deep", template("{% for i in [1] %}" * 40 + "{% endfor %}" * 40), "chat template"),
    case("template counts too far", template("{% for i in range(10**9) %}{% endfor %}"), "chat template"),
    case("template reaches for classes", template("{{ ''.__class__.__mro__[1].__subclasses__() }}"),
         "chat template", "unsafe"),
    case("template reaches for globals", template("{{ cycler.__init__.__globals__ }}"),
         "chat template", "unsafe"),
    case("template reaches through a helper", template("{{ raise_exception.__globals__['json'] }}"),
         "chat template", "unsafe"),
    case("template writes into messages", template("{{ messages.append({}) }}" + CHAT_TEMPLATE),
         "chat template", "unsafe"),
]  # fmt: skip

GENERATION: Cases = [
    case("generation settings not JSON", content("generation_config.json", "{"), "generation_config.json"),
    case("temperature a text", generation(do_sample=True, temperature="hot"), "generation_config.json",
         "temperature is 'hot'"),
    case("top-p above one", generation(do_sample=True, top_p=7), "generation_config.json", "top_p is 7"),
    case("top-k half a token", generation(do_sample=True, top_k=0.5), "generation_config.json",
         "top_k is 0.5"),
    case("penalty a list", generation(repetition_penalty=[1.1]), "generation_config.json",
         "repetition_penalty is [1.1]"),
    case("generation end token a text", generation(eos_token_id="stop"), "generation_config.json",
         "eos_token_id"),
    case("generation end token nested", generation(eos_token_id=[[1]]), "generation_config.json",
         "eos_token_id"),
]  # fmt: skip

QUANTISATION: Cases = [
    case("bits of another checkpoint", config(quantization={"bits": 8, "group_size": 32}), "shape"),
    case("bits that do not exist", config(quantization={"bits": 7, "group_size": 32}), "quantization", "7"),
    case("group of five", config(quantization={"bits": 4, "group_size": 5}), "quantization", "5"),
    case("mode unknown", config(quantization={"bits": 4, "group_size": 32, "mode": "magic"}), "quantization"),
    case("bits a text", config(quantization={"bits": "4", "group_size": 32}), "bits is '4'"),
    case("bits missing", config(quantization={"group_size": 32}), "bits is missing"),
    case("layer settings nonsense", config(quantization={
        "bits": 4, "group_size": 32, "model.layers.0.mlp.up_proj": {"bits": "x", "colour": 1}}),
        "quantization"),
]  # fmt: skip


@pytest.mark.parametrize(("break_it", "words"), [*CONFIGS, *WEIGHTS, *TOKENIZERS, *GENERATION])
def test_a_broken_checkpoint_is_one_line(
    checkpoint: Path, run: Run, break_it: Break, words: tuple[str, ...]
) -> None:
    break_it(checkpoint)
    run("qwen2-chat", "-m", checkpoint, "-p", "hi", "--max-tokens", 1).assert_one_line(1, *words)


@pytest.mark.parametrize(("break_it", "words"), EXPERTS)
def test_broken_experts_are_one_line(
    moe_checkpoint: Path, run: Run, break_it: Break, words: tuple[str, ...]
) -> None:
    break_it(moe_checkpoint)
    run("qwen2-chat", "-m", moe_checkpoint, "-p", "hi", "--max-tokens", 1).assert_one_line(1, *words)


@pytest.mark.parametrize(("break_it", "words"), QUANTISATION)
def test_broken_quantisation_is_one_line(
    checkpoint: Path, tmp_path: Path, run: Run, break_it: Break, words: tuple[str, ...]
) -> None:
    quantised = tmp_path / "quantised"
    made = run("qwen2-convert", "--hf-path", checkpoint, "--mlx-path", quantised, "-q", "--q-group-size", 32)
    assert made.code == 0, made.err
    break_it(quantised)
    run("qwen2-chat", "-m", quantised, "-p", "hi", "--max-tokens", 1).assert_one_line(1, *words)


@pytest.mark.parametrize("shape", [DENSE, MOE], ids=["dense", "moe"])
def test_the_unbroken_checkpoint_answers(tmp_path: Path, run: Run, shape: dict[str, Any]) -> None:
    folder = write_checkpoint(tmp_path / "whole", shape)
    whole = run("qwen2-chat", "-m", folder, "-p", "hi", "--max-tokens", 1)
    assert whole.code == 0, whole.err


def test_a_wrong_number_of_a_control_token_does_not_matter(checkpoint: Path, run: Run) -> None:
    """The tokenizers library numbers them itself; believing the file, MLX read foreign memory and crashed."""
    added = json.loads(tokenizer_json())["added_tokens"]
    edit_json(checkpoint / "tokenizer.json", added_tokens=[{**token, "id": 2**31 - 1} for token in added])
    answered = run("qwen2-chat", "-m", checkpoint, "-p", "hi", "--max-tokens", 1)
    assert answered.code == 0, answered.err


def test_a_panic_in_the_tokenizers_library_ends_in_a_clear_line(checkpoint: Path, run: Run) -> None:
    """A panic in Rust is no `Exception` in Python, and the library writes to stderr before it raises."""
    model = json.loads(tokenizer_json())["model"] | {"continuing_subword_prefix": "longer than any token"}
    edit_json(checkpoint / "tokenizer.json", model=model)
    outcome = run("qwen2-chat", "-m", checkpoint, "-p", "hi", "--max-tokens", 1)
    assert (outcome.code, outcome.out) == (1, "")
    assert "tokenizer.json is damaged" in outcome.err.splitlines()[-1]
    assert "Traceback" not in outcome.err


def test_unbroken_shards_answer(checkpoint: Path, run: Run) -> None:
    split_into_shards(checkpoint)
    whole = run("qwen2-chat", "-m", checkpoint, "-p", "hi", "--max-tokens", 1)
    assert whole.code == 0, whole.err
