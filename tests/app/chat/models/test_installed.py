"""Which models are here: a made-up cache with whole, cut, foreign and broken entries."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.chat.models.fit import CONTEXTS, fit_text, proven_text, tokens_text
from app.chat.models.installed import Installed, hub_cache, installed, look_up
from qwen2_mlx.resolve import ALIASES
from tests import checkpoints
from tests.app.chat.screens.sample import assert_nothing_escapes

COMMIT = "0123456789abcdef0123456789abcdef01234567"
QUANTISED = {**checkpoints.DENSE, "quantization": {"bits": 4, "group_size": 64}}


def entry(cache: Path, hub_id: str, config: Any, weights: bool = True, commit: str = COMMIT) -> Path:
    """A cache entry as the hub's library makes it; `config` is written as it is where it is bytes."""
    folder = cache / ("models--" + hub_id.replace("/", "--"))
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_bytes(
        config if isinstance(config, bytes) else json.dumps(config).encode()
    )
    if weights:
        blobs = folder / "blobs"
        blobs.mkdir()
        (blobs / "weights").write_bytes(b"w" * 100_000)
        (snapshot / "model.safetensors").symlink_to("../../blobs/weights")
    return snapshot


def found(cache: Path, *folders: str) -> dict[str, Installed]:
    return {model.ref: model for model in installed(folders, cache)}


def test_bundled_models_come_first_and_aliases_last(tmp_path: Path) -> None:
    listed = installed((), tmp_path / "nowhere")
    assert [model.ref for model in listed] == ["tiny", "tiny-moe", *ALIASES.values()]
    tiny = listed[0]
    assert (tiny.here, tiny.bits, tiny.trained, tiny.problem, tiny.missing) == (True, "16", 384, "", "")
    assert tiny.size > 1_000_000
    assert not any(model.here for model in listed[2:])


def test_a_model_of_the_cache_is_listed_with_size_and_bits(tmp_path: Path) -> None:
    entry(tmp_path, "owner/model.x", QUANTISED)
    model = found(tmp_path)["owner/model.x"]
    assert model.here
    assert (model.bits, model.trained, model.missing, model.problem) == ("4", 512, "", "")
    assert 100_000 < model.size < 110_000


def test_an_alias_that_is_here_is_listed_once_with_its_short_name(tmp_path: Path) -> None:
    entry(tmp_path, ALIASES["7b"], QUANTISED)
    listed = [model for model in installed((), tmp_path) if model.ref == ALIASES["7b"]]
    assert [model.here for model in listed] == [True]
    assert listed[0].name.startswith("7b ")


def test_other_kinds_of_models_are_passed_over(tmp_path: Path) -> None:
    entry(tmp_path, "owner/llama", {**checkpoints.DENSE, "model_type": "llama"})
    entry(tmp_path, "owner/list", [1, 2])
    entry(tmp_path, "owner/odd", {**checkpoints.DENSE, "model_type": ["qwen2"]})
    (tmp_path / "datasets--owner--x").mkdir()
    (tmp_path / "version.txt").touch()
    assert "owner/llama" not in found(tmp_path)
    assert "owner/odd" not in found(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        {**checkpoints.DENSE, "num_hidden_layers": 10**12},
        {**checkpoints.DENSE, "hidden_size": "[red]"},
    ],
)
def test_a_broken_entry_is_one_line_of_the_list(tmp_path: Path, config: Any) -> None:
    entry(tmp_path, "owner/broken", config)
    entry(tmp_path, "owner/whole", QUANTISED)
    models = found(tmp_path)
    assert models["owner/broken"].problem
    assert "\n" not in models["owner/broken"].problem
    assert models["owner/whole"].problem == ""


def test_a_config_too_large_to_be_one_is_not_read(tmp_path: Path) -> None:
    snapshot = entry(tmp_path, "owner/huge", b"{}")
    with (snapshot / "config.json").open("wb") as file:
        file.truncate(10**12)  # a hole: nothing is on the disk
    assert "cannot be one" in found(tmp_path)["owner/huge"].problem


def test_a_download_that_was_cut_says_what_it_lacks(tmp_path: Path) -> None:
    entry(tmp_path, "owner/none", QUANTISED, weights=False)
    snapshot = entry(tmp_path, "owner/some", QUANTISED, weights=False)
    shards = {"a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors", "d": "../../../x"}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    (snapshot / "1.safetensors").touch()
    dangling = entry(tmp_path, "owner/dangling", QUANTISED)
    (dangling.parents[1] / "blobs" / "weights").unlink()
    models = found(tmp_path)
    assert models["owner/none"].missing == "the weights"
    assert models["owner/some"].missing == "2 of 3 files of weights"
    assert models["owner/dangling"].missing == "the weights"


@pytest.mark.parametrize("commit", ["../../other", "", "main", "0" * 40, "\x00", "f" * 10_000])
def test_a_reference_to_anywhere_else_is_not_followed(tmp_path: Path, commit: str) -> None:
    entry(tmp_path, "owner/model", QUANTISED, commit=commit)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text(json.dumps(QUANTISED))
    assert "owner/model" not in found(tmp_path)


def test_folders_that_were_used_before_are_listed_while_they_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(QUANTISED))
    (folder / "model.safetensors").write_bytes(b"w")
    models = installed(
        [str(folder), str(folder), str(tmp_path / "gone"), "tiny", "owner/x", "\0", "~nobody-here/x", ""],
        tmp_path / "no-cache",
    )
    assert [model.ref for model in models].count(str(folder)) == 1
    assert [model.ref for model in models if model.here] == ["tiny", "tiny-moe", str(folder)]


def test_what_is_typed_is_a_folder_or_a_hub_id_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QUANTISED))
    folder = look_up(str(tmp_path))
    assert folder is not None
    assert folder.here
    assert look_up("owner/model") == Installed("owner/model", "owner/model", here=False)
    assert look_up("7B") == Installed(ALIASES["7b"], ALIASES["7b"], here=False)
    for text in ("word", "a b/c", "../x/y", "/nowhere/at-all", "a/b/c", ""):
        assert look_up(text) is None


def test_names_from_the_disk_are_only_text(tmp_path: Path) -> None:
    folder = tmp_path / "e\x1b[31mvil\n[red]"
    folder.mkdir()
    (folder / "config.json").write_text("{")
    model = installed([str(folder)], tmp_path / "none")[2]
    assert_nothing_escapes(model.name)


def test_the_cache_is_where_the_library_looks_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "a"))
    assert hub_cache() == tmp_path / "a"
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "b"))
    assert hub_cache() == tmp_path / "b" / "hub"
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    assert hub_cache() == tmp_path / "c" / "huggingface" / "hub"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (384, "384"), (1024, "1K"), (1536, "1.5K"), (98304, "96K"), (98303, "95.9K"), (131072, "128K"),
     (200_000, "195K"), (1024**2, "1M"), (1024**2 * 3 // 2, "1.5M")],
)  # fmt: skip
def test_lengths_are_never_rounded_up(count: int, text: str) -> None:
    assert tokens_text(count) == text


def test_every_length_that_is_offered_has_the_name_people_say() -> None:
    assert all(tokens_text(count) == name for name, count in CONTEXTS.items())


def test_the_past_proven_length_is_said() -> None:
    model = Installed("m", "m", trained=32768, longest=131072, proven=65536)
    assert proven_text(model, 32768) == "trained on 32K, shown to find facts up to 64K"
    assert proven_text(model, 98304).startswith("! 96K is past the proven length")
    assert "positions end at 128K" in proven_text(model, 262144)
    assert proven_text(Installed("x/y", "x/y", here=False), 4096) == ""


def test_a_fit_is_never_a_bare_refusal() -> None:
    from app.chat.engine.messages import Fitted

    line = "weights 4.3 + KV 7.0 at 128K + work 0.6 of 10.0 GB safe"
    assert (
        fit_text(Fitted(1, False, line, 98304))
        == f"{line}\n! does not fit; fits to 96K, and can be loaded anyway"
    )
    assert "loaded anyway" in fit_text(Fitted(1, False, line, 0))
    assert fit_text(Fitted(1, True, line, 262144)) == f"{line}\nfits; the most is 256K"
    assert fit_text(Fitted(1, None, "not on this machine")) == "not on this machine\n"
    assert "…" in fit_text(None)
