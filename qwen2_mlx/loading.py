"""From a model reference to a model and a tokenizer that can be used."""

import logging
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_map_with_path

from qwen2_mlx.attention.sparse import Sparse
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.errors import CheckpointError, ConfigError, ModelNotFoundError
from qwen2_mlx.jsonfile import read_json_object
from qwen2_mlx.models import Model, build
from qwen2_mlx.resolve import resolve
from qwen2_mlx.sampling import from_generation_config
from qwen2_mlx.tokenizer import Tokenizer
from qwen2_mlx.weights import assign, quantize_like, read_tensors

log = logging.getLogger(__name__)

DTYPES = {"float32": mx.float32, "float16": mx.float16, "bfloat16": mx.bfloat16}


def load(
    ref: str,
    rope: str = "auto",
    dtype: str | None = None,
    fuse: bool = True,
    length_factor: str = "prompt",
    sparse_prefill: float | None = None,
) -> tuple[Model, Tokenizer]:
    """Loads a model and its tokenizer, ready to generate on any thread.

    `ref` is `tiny`, `tiny-moe`, a folder, a hub id, or an alias (0.5b, 1.5b, 7b, 57b-a14b,
    72b). `rope` is auto, plain, yarn or dca, and `length_factor` (prompt, position, off) says which
    length sets the temperature of dca; see `ModelConfig.with_rope`. `dtype` (float32, float16,
    bfloat16) changes the type of the weights; without it they stay as stored, except that on a CPU
    half-precision weights become float32, because half-precision products there are slow and
    accumulate badly. `fuse` merges projections for speed; switch it off to train or save
    the model under the checkpoint's names. `sparse_prefill` has long prompts attend to what holds that
    share of the attention (see `attention.sparse`): faster, and no longer exact.

    Raises a `Qwen2Error` that says in one line what is wrong with the reference, the
    config, the weights or the tokenizer.
    """
    if sparse_prefill is not None and not 0 < sparse_prefill <= 1:
        raise ValueError(f"sparse_prefill is a share above 0 and at most 1, not {sparse_prefill}")
    if dtype is not None and dtype not in DTYPES:
        raise ValueError(f"dtype {dtype!r} is unknown; choose one of {', '.join(DTYPES)}")
    folder = resolve(ref)
    config = read_config(folder)
    if rope in ("auto", "dca") and config.dual_chunk and config.rope.yarn:
        log.warning("%s configures YaRN and dual chunks, which exclude each other; dual chunks are used", ref)
    config = config.with_rope(rope, length_factor)
    sampling, eos_ids = from_generation_config(folder)
    tokenizer = Tokenizer.from_folder(folder, (*config.eos_token_ids, *eos_ids))
    model = load_model(folder, config, dtype)
    if fuse:
        model.fuse()
    mx.eval(model.parameters())
    if sparse_prefill is not None:
        model.model.sparse = Sparse(sparse_prefill)
    model.sampling = sampling
    spare = tokenizer.unknown_ids(config.vocab_size)
    if len(tokenizer) > config.vocab_size - len(spare):
        raise CheckpointError(
            f"{folder}: tokenizer.json has {len(tokenizer)} tokens, too many for the embedding's"
            f" {config.vocab_size} rows; they belong to different models"
        )
    if spare:
        model.forbid(spare)
    if too_large := [i for i in tokenizer.eos_ids if i >= config.vocab_size]:
        raise CheckpointError(
            f"{folder}: end token {too_large[0]} lies outside the vocabulary of {config.vocab_size} rows"
        )
    return model, tokenizer


def read_config(folder: Path) -> ModelConfig:
    """The config of a checkpoint folder."""
    path = folder / "config.json"
    if not path.is_file():
        raise ModelNotFoundError(f"{folder} is no model folder; config.json is missing")
    try:
        return ModelConfig.from_dict(read_json_object(path))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def load_model(folder: Path, config: ModelConfig, dtype: str | None = None) -> Model:
    """The model alone, its weights cast (see `load`) but not yet read from disk."""
    model = build(config)
    tensors = model.sanitize(read_tensors(folder))
    quantize_like(model, tensors, config.quantization)
    assign(model, tensors, folder)
    _cast(model, dtype)
    model.eval()
    return model


def _cast(model: Model, dtype: str | None) -> None:
    on_cpu = mx.default_device().type == mx.DeviceType.cpu
    target = DTYPES[dtype] if dtype else mx.float32 if on_cpu else None

    def cast(path: str, weight: mx.array) -> mx.array:
        wanted = mx.float32 if model.keeps_float32(path) else target
        return weight.astype(wanted) if wanted and mx.issubdtype(weight.dtype, mx.floating) else weight

    model.update(tree_map_with_path(cast, model.parameters()))
