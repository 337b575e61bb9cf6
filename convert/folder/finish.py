"""The last step of a conversion: the card and the manifest of a folder that holds everything else."""

from collections.abc import Sequence
from pathlib import Path

from convert.folder.card import Card, write_card
from convert.folder.checks.values import codes_of
from convert.folder.layout import layout_of
from convert.folder.manifest import write_manifest
from convert.folder.origin import origin_of
from convert.plan import Plan
from convert.source import Source
from convert.weights import CodedWeight


def finish(
    folder: Path,
    source: Source,
    plan: Plan,
    reference: str,
    command: Sequence[str],
    base_model: str | None = None,
    library: str = "mlx",
) -> None:
    """Writes README.md and then manifest.json into `folder`, which `plan` made from `source`.

    `reference`, `command` and `library` are as in `Card`, `base_model` is the one
    that the person named. Raises `Qwen2Error` when that is no name on the hub.
    """
    origin = origin_of(source.path, source.config, base_model)
    write_card(folder, Card(reference, command, method_of(source, plan), origin, library))
    write_manifest(folder, plan.recipe, source.fingerprint(), codes=_kept_codes(folder, source))


def method_of(source: Source, plan: Plan) -> str | None:
    """How the codes were chosen, as a key of `card.METHODS`; None where nothing is quantised."""
    if any(isinstance(weight, CodedWeight) for weight in source.weights):
        return "kept"
    if not plan.quantization:
        return None
    format = plan.recipe.format
    return plan.recipe.method if format is None or format.mode == "affine" else format.mode


def _kept_codes(folder: Path, source: Source) -> dict[str, str]:
    """Hashes of the integer codes that the source had, as they lie in `folder`."""
    kept = {weight.name for weight in source.weights if isinstance(weight, CodedWeight)}
    if not kept:
        return {}
    return {weight.name: codes_of(weight) for weight in layout_of(folder).weights if weight.name in kept}
