"""Where ggml's own Python package is installed: it reads the files of the tests, and its files are read."""

from pathlib import Path

import numpy as np
import pytest

from convert.gguf.header import read_header
from tests.convert.gguf.models import MOE, TIED, write_model

package = pytest.importorskip("gguf")


@pytest.mark.parametrize("config", [TIED, MOE], ids=["dense", "moe"])
def test_it_reads_the_files_of_the_tests_as_this_reader_does(config: dict, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_model(path, "MIXED", config)
    metadata, tensors = read_header(path)
    theirs = package.GGUFReader(path)
    for key, expected in metadata.values.items():
        value = theirs.fields[key].contents()
        assert value == (
            expected.tolist() if isinstance(expected, np.ndarray) else pytest.approx(expected)
        ), key
    assert len(theirs.tensors) == len(tensors)
    for tensor in theirs.tensors:
        ours = tensors[tensor.name]
        assert (tensor.tensor_type.name, tensor.data_offset) == (ours.type.name, ours.offset)
        assert tuple(int(size) for size in reversed(tensor.shape)) == ours.shape
        rows = ours.rows(0, int(np.prod(ours.shape[:-1])))
        assert np.array_equal(rows.reshape(-1), tensor.data.view(np.uint8).reshape(-1))


def test_its_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    writer = package.GGUFWriter(path, "qwen2")
    writer.add_block_count(2)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_causal_attention(True)
    writer.add_token_list(["a", "é", "<|im_end|>"])
    writer.add_token_types([1, 1, 3])
    matrix = np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32)
    quantised = package.quantize(matrix, package.GGMLQuantizationType.Q8_0)
    writer.add_tensor("a", matrix)
    writer.add_tensor("b", quantised, raw_dtype=package.GGMLQuantizationType.Q8_0)
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        write()
    writer.close()

    metadata, tensors = read_header(path)
    assert metadata.text("general.architecture") == "qwen2"
    assert metadata.size("qwen2.block_count") == 2
    assert metadata.number("qwen2.rope.freq_base", 0) == 1e6
    assert metadata.number("qwen2.attention.layer_norm_rms_epsilon", 0) == 1e-6
    assert metadata.flag("qwen2.attention.causal", False)
    assert metadata.texts("tokenizer.ggml.tokens") == ["a", "é", "<|im_end|>"]
    assert metadata.integers("tokenizer.ggml.token_type") == [1, 1, 3]
    assert np.array_equal(tensors["a"].rows(0, 3).view("<f4"), matrix)
    assert np.array_equal(tensors["b"].rows(1, 3), quantised[1:])
