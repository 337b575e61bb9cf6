"""Fetching a model from the hub so that a download which was cut goes on where it was.

The hub's own library throws away the part of a file that has arrived when it is stopped, which for a file
of weights is gigabytes. So the large files are fetched here, into a partial file beside their place in the
hub's cache, checked against their hash and moved there; then the library does the rest: small files, links
and the reference to the version. It finds the large ones as if it had fetched them itself.
"""

import errno
import fnmatch
import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.chat.models.download import Meter
from qwen2_mlx.errors import ModelNotFoundError, first_line
from qwen2_mlx.memory.limit import size_text
from qwen2_mlx.resolve import HUB_FILES

#: Seconds a server may be silent.
PATIENCE = 10.0
#: Tries in a row that bring nothing, and the seconds before each.
MOST_TRIES = 5
PAUSE = 1.0
CHUNK = 1 << 20
#: Bytes that are left free beside a download.
SPARE = 200_000_000

#: Those of `HUB_FILES` that are large.
WEIGHTS = "*.safetensors"

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Large:
    """A file that the hub stores by its hash."""

    name: str
    size: int
    sha256: str


def fetch(hub_id: str, meter: Meter, cache: Path | None = None, endpoint: str | None = None) -> Path:
    """The folder of the model, all files of which are on this machine then.

    Raises `ModelNotFoundError`, or `Stopped` from the meter.
    """
    with _explained(hub_id):
        return _fetch(hub_id, meter, cache, endpoint)


def _fetch(hub_id: str, meter: Meter, cache: Path | None, endpoint: str | None) -> Path:
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.file_download import repo_folder_name

    from qwen2_mlx.resolve import limit_patience

    limit_patience()
    root = Path(constants.HF_HUB_CACHE if cache is None else cache)
    info = HfApi(endpoint=endpoint).model_info(hub_id, files_metadata=True, timeout=PATIENCE)
    meter.check()
    wanted = [file for file in info.siblings or () if _is_wanted(file.rfilename)]
    large = [
        Large(file.rfilename, int(file.lfs.size), file.lfs.sha256)
        for file in wanted
        if file.lfs is not None and _SHA256.fullmatch(file.lfs.sha256)
    ]
    blobs = root / repo_folder_name(repo_id=hub_id, repo_type="model") / "blobs"
    total = sum(file.size or 0 for file in wanted)
    _need_room(hub_id, root, total - sum(_arrived(blobs, file) for file in large))

    def complete(patterns: Sequence[str]) -> str:
        """Leaves it to the library, for which what is here already is done."""
        return snapshot_download(
            hub_id,
            cache_dir=root,
            endpoint=endpoint,
            allow_patterns=list(patterns),
            tqdm_class=_silent_bars(meter),
        )

    # First what describes the model: a download that is stopped is listed then, and can be gone on with.
    complete([pattern for pattern in HUB_FILES if pattern != WEIGHTS])
    meter.expect(total, sum(_arrived(blobs, file) for file in large))
    for file in large:
        _fetch_large(hub_id, str(info.sha), file, blobs, meter, endpoint)
    folder = complete(HUB_FILES)
    meter.expect(total, total)
    return Path(folder)


def _is_wanted(name: str) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in HUB_FILES)


def _partial(blobs: Path, file: Large) -> Path:
    return blobs / f"{file.sha256}.resumable.incomplete"


def _arrived(blobs: Path, file: Large) -> int:
    """Bytes of a file that are here."""
    for path in (blobs / file.sha256, _partial(blobs, file)):
        if path.exists():
            return min(path.stat().st_size, file.size)
    return 0


def _need_room(hub_id: str, root: Path, needed: int) -> None:
    existing = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if needed + SPARE > free:
        raise ModelNotFoundError(
            f"{hub_id} needs {size_text(needed)} more and the disk has {size_text(free)} free;"
            " make room first"
        )


def _fetch_large(
    hub_id: str, commit: str, file: Large, blobs: Path, meter: Meter, endpoint: str | None
) -> None:
    """Brings one file to its place in the cache, going on from what an earlier download left."""
    from filelock import Timeout
    from huggingface_hub.utils import WeakFileLock

    locks = blobs.parents[1] / ".locks" / blobs.parent.name
    for folder in (blobs, locks):
        folder.mkdir(parents=True, exist_ok=True)
    while not (blobs / file.sha256).exists():
        try:
            # The library's own lock: neither it nor a second window fetches the same file meanwhile.
            with WeakFileLock(locks / f"{file.sha256}.lock", timeout=1.0):
                if not (blobs / file.sha256).exists():
                    _fill(hub_id, commit, file, _partial(blobs, file), meter, endpoint)
                    _partial(blobs, file).replace(blobs / file.sha256)
        except Timeout:
            meter.check()


def _fill(hub_id: str, commit: str, file: Large, partial: Path, meter: Meter, endpoint: str | None) -> None:
    """Fetches what a partial file still lacks and checks the whole against its hash."""
    with partial.open("a+b") as out:
        digest = _digest_of(out, file, meter)
        tries = 0
        while (at := out.tell()) < file.size:
            cut = _append(hub_id, commit, file, out, digest, meter, endpoint)
            tries = 0 if out.tell() > at else tries + 1
            if tries == MOST_TRIES:
                raise ModelNotFoundError(f"{hub_id} cannot be downloaded: {cut}; try again to go on")
            if out.tell() < at:  # the server begins anew, and so must the hash
                digest = _digest_of(out, file, meter)
            if out.tell() < file.size:
                meter.wait(PAUSE)
    if digest.hexdigest() != file.sha256:
        partial.unlink(missing_ok=True)
        raise ModelNotFoundError(f"{file.name} of {hub_id} arrived damaged; download it again")


def _digest_of(out: Any, file: Large, meter: Meter) -> Any:
    """The hash so far of what the partial file holds; leaves it at its end, at most the file's size."""
    out.seek(0)
    digest = hashlib.sha256()
    left = file.size
    while left and (piece := out.read(min(CHUNK, left))):
        meter.check()
        digest.update(piece)
        left -= len(piece)
    out.truncate(file.size - left)
    out.seek(0, 2)
    return digest


def _append(
    hub_id: str, commit: str, file: Large, out: Any, digest: Any, meter: Meter, endpoint: str | None
) -> str:
    """One request for the rest of a file. What arrives is kept; the result says what cut it short."""
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    at = out.tell()
    url = hf_hub_url(hub_id, file.name, revision=commit, endpoint=endpoint)
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if at:
        headers["Range"] = f"bytes={at}-"
    request = {"headers": headers, "timeout": PATIENCE, "follow_redirects": True}
    try:
        with get_session().stream("GET", url, **request) as response:
            hf_raise_for_status(response)
            if at and response.status_code != 206:
                meter.add(-at)
                out.truncate(0)
                out.seek(0)
                return "the server cannot go on in the middle of a file"
            for piece in response.iter_bytes():  # as it arrives: a cut loses nothing that is here
                meter.add(len(piece))
                if out.tell() + len(piece) > file.size:
                    raise ModelNotFoundError(
                        f"{file.name} of {hub_id} is longer than the hub says; try another time"
                    )
                out.write(piece)
                digest.update(piece)
    except _cuts() as error:
        return first_line(error)
    return "the connection brings nothing"


def _cuts() -> tuple[type[Exception], ...]:
    """What a connection that broke raises; the next request goes on."""
    import httpx2

    return (httpx2.TransportError,)


def _silent_bars(meter: Meter) -> Any:
    """A class that the library takes for its progress bar. It draws nothing, and stops when it should."""

    class SilentBar:
        def __init__(self, *_: Any, total: float | None = None, **__: Any) -> None:
            self.n, self.total, self.format_dict = 0, total, {}

        def __enter__(self) -> "SilentBar":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, n: float | None = 1) -> None:
            meter.check()

        def _nothing(self, *_: Any, **__: Any) -> None:
            pass

        close = refresh = set_description = set_description_str = set_postfix_str = _nothing

    return SilentBar


@contextmanager
def _explained(hub_id: str) -> Iterator[None]:
    """Turns what the hub's library raises into one line. Stopping and our own errors pass."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        yield
    except GatedRepoError:
        problem = f"{hub_id} asks for a login on the hub; accept its terms there and run: hf auth login"
    except RepositoryNotFoundError:
        problem = f"there is no model {hub_id} on the hub; check the spelling"
    except HFValidationError:
        problem = f"{hub_id} cannot be the id of a model on the hub; check the spelling"
    except OfflineModeIsEnabled:
        problem = f"the hub is switched off (HF_HUB_OFFLINE); unset it to download {hub_id}"
    except (LocalEntryNotFoundError, *_cuts()):
        problem = f"the hub cannot be reached; connect, and try {hub_id} again to go on"
    except HfHubHTTPError as error:
        problem = f"{hub_id} cannot be downloaded: {first_line(error)}; try again to go on"
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full; make room" if full else first_line(error)
        problem = f"{hub_id} cannot be downloaded: {reason}; try again to go on"
    else:
        return
    raise ModelNotFoundError(problem) from None
