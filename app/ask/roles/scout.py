"""Which model scores the windows of a document: the smallest that is at hand."""

from pathlib import Path

from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.loading import read_config
from qwen2_mlx.resolve import ALIASES, BUNDLED, HUB_FILES

#: Instruct models that are worth looking for, the smallest first.
SMALL = ("0.5b", "1.5b")


def choose_scout(asked: str, model_ref: str, config: ModelConfig) -> str:
    """The reference of the scout for the answering model `model_ref`, which has `config`.

    `asked` is "auto" (the smallest of `SMALL` that is on this machine and smaller than the
    answering model, else that model itself), "none" (that model itself) or a reference.
    """
    if asked == "none":
        return model_ref
    if asked != "auto":
        return asked
    if model_ref in BUNDLED:
        return model_ref
    own = parameters(config)
    for alias in SMALL:
        folder = cached_folder(ALIASES[alias])
        if folder and _is_smaller(folder, own):
            return alias
    return model_ref


def parameters(config: ModelConfig) -> int:
    """About how many weights a pass over one token works with."""
    hidden, moe = config.hidden_size, config.moe
    heads = config.num_attention_heads + config.num_key_value_heads
    wide = (
        moe.num_experts_per_tok * moe.moe_intermediate_size + moe.shared_expert_intermediate_size
        if moe
        else config.intermediate_size
    )
    return config.num_hidden_layers * hidden * (2 * heads * config.head_dim + 3 * wide)


def cached_folder(hub_id: str) -> Path | None:
    """The folder of a hub model that is complete on this machine; nothing is asked of the network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(hub_id, allow_patterns=list(HUB_FILES), local_files_only=True))
    except (LocalEntryNotFoundError, OSError):
        return None
    needed = ("config.json", "tokenizer.json", "tokenizer_config.json")
    complete = all((folder / name).is_file() for name in needed) and any(folder.glob("*.safetensors"))
    return folder if complete else None


def _is_smaller(folder: Path, than: int) -> bool:
    try:
        return parameters(read_config(folder)) < than
    except Qwen2Error:
        return False
