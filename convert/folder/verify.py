"""Everything about a model folder that can be checked without trusting it, in one report.

In this order, each step only where the one before left something to look at: files against their
manifest or the hub cache's names, tensors against the config by their headers, every number, the
weights against their source, and one pass of the model in a process of its own. Rows are read
piece by piece, so memory does not grow with the model before that pass.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from convert.float_source import FloatSource
from convert.folder.checks import files, values
from convert.folder.checks import source as against
from convert.folder.checks.finding import Finding
from convert.folder.checks.forward import check_forward
from convert.folder.checks.source import Deviation
from convert.folder.checks.values import Values
from convert.folder.layout import FLOATS, Layout, layout_of
from convert.folder.manifest import Manifest, read_manifest
from convert.source import Source, open_source
from qwen2_mlx.errors import CheckpointError, ConfigError, ModelNotFoundError, Qwen2Error
from qwen2_mlx.memory.limit import size_text

_ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass
class Report:
    """What `verify` found. A folder is right when `findings` is empty.

    `notes` say what was not checked, and why. `deviations` are those from the source.
    """

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: int = 0
    tensors: int = 0
    groups: int = 0
    zero_groups: int = 0
    deviations: list[Deviation] = field(default_factory=list)
    computed: bool = False


class Verification:
    """The checks of `folder`, with `source` also those against what it was made from.

    Raises a `Qwen2Error` when the folder is no model folder or the source cannot be opened.
    """

    def __init__(self, folder: Path, source: Path | None = None):
        if not (folder / "config.json").is_file():
            raise ModelNotFoundError(f"{folder} is no model folder; config.json is missing")
        self._folder = folder
        self._report = Report()
        self._manifest = self._read_manifest()
        self._layout = self._read_layout()
        self._source = None if source is None else self._open(source)

    def bytes_to_read(self) -> int:
        """About how many bytes `run` reads, for showing progress."""
        manifest = self._manifest
        listed = sum(file.bytes for file in manifest.files.values()) if manifest else 0
        weights = self._layout.weights if self._layout else []
        stored = sum(tensor.nbytes for weight in weights for tensor in weight.parts.values())
        total = listed + files.blob_bytes(self._folder) + stored
        if self._source is not None:
            compared = sum(_compared_bytes(weight.shape, weight.dtype) for weight in self._source.weights)
            total += compared + self._source_blob_bytes()
        return total

    def run(self, on_bytes: Callable[[int], None] = lambda count: None) -> Report:
        """Carries out all checks; `on_bytes` hears of what was read."""
        report = self._report
        report.findings += self._check_files(on_bytes)
        if self._layout is not None:
            self._check_values(self._layout, on_bytes)
            if self._source is not None:
                self._check_source(self._layout, self._source, on_bytes)
        self._check_forward()
        return report

    def _read_manifest(self) -> Manifest | None:
        try:
            manifest = read_manifest(self._folder)
        except CheckpointError as error:
            self._report.findings.append(Finding("manifest.json", f"cannot be used: {error}"))
            return None
        if manifest is None and not files.blob_bytes(self._folder):
            self._report.notes.append("there is no manifest.json, so the files cannot be compared with it")
        return manifest

    def _read_layout(self) -> Layout | None:
        """The tensors, or None when the files do not even tell which they are."""
        try:
            layout = layout_of(self._folder)
        except (CheckpointError, ConfigError) as error:
            self._report.findings.append(Finding("the model", f"cannot be read: {error}"))
            return None
        found = (Finding(name, problem) for name, problem in layout.problems.items())
        self._report.findings += found
        self._report.tensors = sum(len(weight.parts) for weight in layout.weights)
        return layout

    def _open(self, path: Path) -> Source:
        """The source as the folder was made from it: with the type that its scales were given."""
        source = open_source(path)
        dtype = self._import_dtype()
        if isinstance(source, FloatSource) or dtype in (None, source.config.get("torch_dtype")):
            return source
        try:
            return open_source(path, dtype)
        except (CheckpointError, ConfigError):  # the source has no use for the type, or cannot have it
            return source

    def _import_dtype(self) -> str | None:
        """The type of the folder's scales."""
        weights = self._layout.weights if self._layout else []
        types = (FLOATS.get(weight.parts["scales"].dtype) for weight in weights if weight.format)
        return next((dtype for dtype in types if dtype), None)

    def _source_blob_bytes(self) -> int:
        path = self._source.path if self._source else self._folder
        return files.blob_bytes(path) if path.is_dir() else 0

    def _check_files(self, on_bytes: Callable[[int], None]) -> Iterator[Finding]:
        if self._manifest is not None:
            self._report.files = len(self._manifest.files)
            yield from files.check_manifest(self._folder, self._manifest, on_bytes)
            self._report.notes += [
                f"{name} is not in the manifest" for name in files.unlisted(self._folder, self._manifest)
            ]
        yield from files.check_blobs(self._folder, on_bytes)
        if self._source is not None and self._source.path.is_dir():
            for finding in files.check_blobs(self._source.path, on_bytes):
                yield Finding(f"the source's {finding.subject}", finding.problem)

    def _check_values(self, layout: Layout, on_bytes: Callable[[int], None]) -> None:
        report = self._report
        codes = self._manifest.codes if self._manifest else {}
        for weight in layout.weights:
            try:
                found = values.read_values(weight, on_bytes)
                report.findings += values.check_values(weight, found)
                report.findings += values.check_codes(weight, codes.get(weight.name))
            except CheckpointError as error:
                report.findings.append(Finding(weight.name, f"cannot be read: {error}"))
                found = Values()
            report.groups += found.groups
            report.zero_groups += found.zero_groups

    def _check_source(self, layout: Layout, source: Source, on_bytes: Callable[[int], None]) -> None:
        report = self._report
        # Of a folder of unknown making, the method that strays farthest; what was requantised was fitted.
        method = (self._manifest.method or "fit") if self._manifest else "gptq"
        report.findings += against.check_names(layout.weights, source)
        report.findings += against.check_orders(layout.weights, source.permutations)
        by_name = {weight.name: weight for weight in source.weights}
        for weight in layout.weights:
            original = by_name.get(weight.name)
            if original is None or original.shape != weight.shape:
                continue
            try:
                deviation, findings = against.compare(weight, original, method)
            except Qwen2Error as error:
                report.findings.append(Finding(weight.name, f"cannot be compared: {error}"))
            else:
                report.deviations.append(deviation)
                report.findings += findings
            on_bytes(_compared_bytes(original.shape, original.dtype))

    def _check_forward(self) -> None:
        needed, memory = self._memory_needed(), _memory()
        if memory and needed > memory:
            self._report.notes.append(
                f"the model was not run: it takes {size_text(needed)}, this machine has {size_text(memory)}"
            )
            return
        self._report.computed = True
        self._report.findings += check_forward(self._folder)

    def _memory_needed(self) -> int:
        """Bytes of the weights, in float32 where a type of half the size would be too slow."""
        weights = self._layout.weights if self._layout else []
        tensors = [tensor for weight in weights for tensor in weight.parts.values()]
        halves = sum(t.nbytes for t in tensors if FLOATS.get(t.dtype) in ("float16", "bfloat16"))
        return sum(tensor.nbytes for tensor in tensors) + (halves if _on_cpu() else 0)


def verify(
    folder: Path, source: Path | None = None, on_bytes: Callable[[int], None] = lambda count: None
) -> Report:
    """All checks of a folder at once; see `Verification`."""
    return Verification(folder, source).run(on_bytes)


def _compared_bytes(shape: tuple[int, ...], dtype: str) -> int:
    rows = sum(last - first for first, last in against.compared_ranges(shape))
    return rows * shape[-1] * _ITEM_BYTES[dtype]


def _on_cpu() -> bool:
    import mlx.core as mx

    return mx.default_device().type == mx.DeviceType.cpu


def _memory() -> int:
    """Bytes of this machine's memory; 0 when it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
