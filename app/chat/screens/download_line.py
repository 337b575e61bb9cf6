"""A download on the screen: how far it is, while there is one."""

from textual.message import Message
from textual.widgets import Static

from app.chat.models.download import Download, Fetch
from app.chat.screens.text import line, span_text
from qwen2_mlx.memory.limit import size_text

#: Seconds between two looks at it.
LOOK = 0.2
BAR_WIDTH = 20


class DownloadLine(Static):
    """Takes no room while nothing is downloaded; stops what is when it leaves the screen."""

    DEFAULT_CSS = """
    DownloadLine {
        height: auto;
        display: none;
        &.-running { display: block; }
    }
    """

    class Ended(Message):
        """It is over: done where `problem` is empty."""

        def __init__(self, problem: str) -> None:
            self.problem = problem
            super().__init__()

    def __init__(self, fetch: Fetch | None = None) -> None:
        super().__init__(markup=False)
        self._fetch = fetch
        self._download: Download | None = None

    @property
    def running(self) -> bool:
        return self._download is not None

    def begin(self, hub_id: str) -> None:
        """Fetches a model; what an earlier download left is gone on with."""
        self._download = Download(hub_id, self._fetch)
        self._download.start()
        self.add_class("-running")
        self._look()

    def stop(self) -> None:
        if self._download is not None:
            self._download.stop()
            self._end("stopped; choosing it again goes on from here")

    def on_mount(self) -> None:
        self.set_interval(LOOK, self._look)

    def on_unmount(self) -> None:
        if self._download is not None:
            self._download.stop()

    def _look(self) -> None:
        if self._download is None:
            return
        self.update(progress_text(self._download))
        if not self._download.running:
            self._end(self._download.error)

    def _end(self, problem: str) -> None:
        self._download = None
        self.remove_class("-running")
        self.post_message(self.Ended(problem))


def progress_text(download: Download) -> str:
    """How far a download is: a bar, bytes, bytes a second and the time that is left."""
    progress = download.progress
    name = line(download.hub_id)
    if not progress.total:
        return f"{name}: asking the hub…"
    part = min(1.0, progress.done / progress.total)
    filled = round(part * BAR_WIDTH)
    bar = "█" * filled + "░" * (BAR_WIDTH - filled)
    words = [f"{bar} {part:4.0%} {size_text(progress.done)} of {size_text(progress.total)}"]
    if progress.rate:
        words.append(f"{size_text(progress.rate)}/s")
    if progress.left is not None:
        words.append(f"{span_text(progress.left)} left")
    return f"{name}\n{' · '.join(words)}"
