"""From a source to an MLX folder: plan, stream, complete, rename."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlx.core as mx

from convert.folder.companions import write_companions
from convert.folder.config import output_config
from convert.journal import NAME, Journal, belongs_to, identity
from convert.plan import Plan
from convert.source import Source
from convert.stream import Events, stream
from convert.work_folder import WorkFolder, check_target, path_of, sync, work_folder
from qwen2_mlx import __version__
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.memory.limit import size_text
from qwen2_mlx.weights import INDEX_NAME

#: Recorded bytes from which on a failed conversion stays for being taken up again.
WORTH_KEEPING = 2**30


#: Adds to the finished folder what else it should hold.
Extra = Callable[[Path], None]


def convert(
    source: Source,
    plan: Plan,
    target: Path,
    events: Events | None = None,
    extra: Extra | None = None,
    inputs: str = "",
) -> None:
    """Writes the MLX folder `target` as `plan` says.

    `target` appears only when it is complete. An interrupted conversion is taken up by calling
    this again with the same arguments. `extra` is called with the folder before it gets its
    name. `inputs` stands for all that decides the result beside source and recipe, such as a
    calibration text. Raises a `Qwen2Error` for a source that cannot be read and a target that
    cannot be written.
    """
    events = events or Events()
    companions = source.companions()  # what is wrong with them is told before the long work
    # what text makes of a layer depends on the device, as the type that it computes in does
    device = mx.default_device().type if plan.chain else ""
    key = identity(plan, __version__, version("mlx"), source.fingerprint(), inputs, device)
    if not path_of(target).exists():
        check_target(target)
    with work_folder(target) as folder:
        if folder.was_finished(key):
            return
        folder.keep = folder.model.exists()  # also what another conversion left, until this one begins
        check_target(target)
        _check_space(plan, folder.path, target)
        journal = _open_journal(folder, key, events)
        with journal, _kept_if_worth_it(folder, plan, journal):
            stream(plan, folder.model, journal, events)
            _complete(source, plan, folder.model, companions, extra)
            folder.finish()


@contextmanager
def _kept_if_worth_it(folder: WorkFolder, plan: Plan, journal: Journal) -> Iterator[None]:
    """Keeps the work folder through a failure when much is done already, and says so."""
    try:
        yield
    except (Qwen2Error, OSError) as error:
        if not _is_worth_it(plan, journal):
            raise
        said = f"{folder.place} cannot be written: {error.strerror}" if isinstance(error, OSError) else error
        raise Qwen2Error(f"{said} (unchanged, the same command goes on from here)") from None
    finally:
        folder.keep = _is_worth_it(plan, journal)


def _is_worth_it(plan: Plan, journal: Journal) -> bool:
    names = {name for hashes in journal.finished.values() for name in hashes}
    return sum(plan.places[name].nbytes for name in names & plan.places.keys()) >= WORTH_KEEPING


def _open_journal(folder: WorkFolder, key: str, events: Events) -> Journal:
    """The journal of an interrupted conversion, or a new one in a folder without remains."""
    if not belongs_to(folder.path, key):
        if (folder.path / NAME).exists():
            events.restarted()
        folder.begin()
    folder.model.mkdir(exist_ok=True)
    return Journal(folder.path, key)


def _check_space(plan: Plan, work: Path, target: Path) -> None:
    """Raises `Qwen2Error` when the disk lacks the space that the rest of the conversion needs."""
    held = sum(file.stat().st_blocks * 512 for file in work.rglob("*") if file.is_file())
    needed = sum(plan.file_bytes().values()) - held
    free = shutil.disk_usage(work).free
    if needed > free:
        raise Qwen2Error(
            f"{target} needs {size_text(needed)} more, the disk has {size_text(free)} free;"
            " make room or choose another --mlx-path"
        )


def _complete(
    source: Source, plan: Plan, folder: Path, companions: Mapping[str, Path | bytes], extra: Extra | None
) -> None:
    """Writes what belongs to a model beside its weights."""
    for entry in folder.iterdir():
        if entry.name not in plan.headers:  # of an earlier run, whose companions may have been others
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    write_json(folder / INDEX_NAME, _index(plan))
    config = output_config(source.config, plan.config, plan.dtype, plan.quantization)
    write_json(folder / "config.json", config)
    write_companions(companions, folder)
    if extra:
        extra(folder)
    for file in folder.rglob("*"):
        sync(file)


def _index(plan: Plan) -> dict[str, Any]:
    weight_map = {name: place.file for name, place in sorted(plan.places.items())}
    totals = {"total_size": plan.weight_bytes, "total_parameters": plan.parameters}
    return {"metadata": totals, "weight_map": weight_map}


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
