"""What the converter reads from, whatever its layout."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from convert.weights import Weight
from quant.format import Format
from qwen2_mlx.errors import CheckpointError, ModelNotFoundError
from qwen2_mlx.jsonfile import read_json_object


class Source(Protocol):
    """A checkpoint whose headers were read and found right, and whose numbers are read when asked for.

    `config` is its Hugging Face config without quantisation keys. `weights` are all parameters
    of the model in the model's order; several threads may ask for their rows at once. `notes` are
    lines that the user should see. `format` is the format that most matrices of a quantised source
    have, else None. `permutations` are int32 vectors by the path of their module, written beside
    it as `perm`: the order in which the module takes its inputs. Matrices that are quantised in a way
    that MLX has no codes for are read in floating point; `wishes` are the formats, by the path of
    their module, in which they are best quantised anew.
    """

    @property
    def path(self) -> Path: ...
    @property
    def wishes(self) -> Mapping[str, Format]: ...
    @property
    def config(self) -> dict[str, Any]: ...
    @property
    def weights(self) -> Sequence[Weight]: ...
    @property
    def notes(self) -> Sequence[str]: ...
    @property
    def format(self) -> Format | None: ...
    @property
    def permutations(self) -> Mapping[str, Any]: ...

    def fingerprint(self) -> str:
        """A hash that changes when the bytes of the source may have changed."""
        ...

    def companions(self) -> dict[str, Path | bytes]:
        """Tokenizer, licence and so on: file names with the file to copy or its content."""
        ...


def open_source(path: Path, import_dtype: str | None = None) -> Source:
    """Reads the headers of the checkpoint at `path`, a folder or a GGUF file.

    `import_dtype` is the type of scales and biases of a source that is quantised. Raises a
    `Qwen2Error` for a source that is damaged, incomplete or of a kind that is not read.
    """
    if path.suffix.lower() == ".gguf":
        from convert.gguf import open_gguf

        return open_gguf(path, import_dtype)
    if not (path / "config.json").is_file():
        raise ModelNotFoundError(f"{path} is no model folder; config.json is missing")
    method = _quant_method(path)
    if method in ("gptq", "awq"):
        from convert.packed import open_packed

        return open_packed(path, import_dtype)
    if import_dtype:
        raise CheckpointError(f"{path} is not quantised, so --import-dtype has no meaning; use --dtype")
    from convert.float_source import open_float

    return open_float(path)


def _quant_method(folder: Path) -> str | None:
    """The tool that quantised the checkpoint, if its config names one and has no settings of MLX."""
    raw = read_json_object(folder / "config.json")
    settings = raw.get("quantization_config")
    if isinstance(raw.get("quantization"), dict) or not isinstance(settings, dict):
        return None
    method = settings.get("quant_method")
    return method.lower() if isinstance(method, str) else None
